"""How deep a TOML text's keys go, in linear time: a parser's own time grows with its square.

A key of 20,000 parts (``a.a.a. ...``), 40 kB, keeps tomllib busy for seconds.
"""

from __future__ import annotations

import re

MOST_PARTS = 32
_WORDS = re.compile(
    r'"""(?:\\.|[^\\])*?"""|' + r"'''.*?'''|"  # strings over several lines
    r'"(?:\\.|[^"\\\n])*"|' + r"'[^'\n]*'|"
    r"#[^\n]*|"
    r"[\"'].*",  # one that never ends: no TOML from here on
    re.DOTALL,
)
_KEYS = re.compile(r"^[ \t]*\[+[^,=\n]*|[^=,{}\[\]\n]*=", re.MULTILINE)
"""What stands before a ``=`` or in a table's header, strings and comments taken out."""


def check(text: str) -> None:
    """Refuse keys that no workload has.

    Raises:
        ValueError: One has too many parts.
    """
    for key in _KEYS.findall(_WORDS.sub("_", text)):
        if key.count(".") >= MOST_PARTS:
            raise ValueError(f"a key of {key.count('.') + 1:,} parts")
