"""``workload.toml`` of a taken model as text: small enough to need no library on a device."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from edgebench.specs import WorkloadSpec

_NOTHING: tuple[Any, ...] = (None, "", (), {})
_BARE = re.compile(r"[A-Za-z0-9_-]+")


def dumps(spec: WorkloadSpec) -> str:
    """A workload as TOML that `edgebench.specs.read_workload` reads back to the same."""
    document = {key: value for key, value in msgspec.to_builtins(spec).items() if _told(value)}
    tables = {key: value for key, value in document.items() if isinstance(value, dict)}
    lists = {key: value for key, value in document.items() if _is_tables(value)}
    plain = [key for key in document if key not in tables and key not in lists]
    lines = [f"{key} = {_value(document[key])}" for key in plain]
    for key, table in tables.items():
        lines += ["", f"[{key}]", *_table(table)]
    for key, rows in lists.items():
        for row in rows:
            lines += ["", f"[[{key}]]", *_table(row)]
    return "\n".join(lines) + "\n"


def _told(value: object) -> bool:
    return value is not False and value not in _NOTHING


def _is_tables(value: object) -> bool:
    return isinstance(value, (list, tuple)) and bool(value) and isinstance(value[0], dict)


def _table(table: Mapping[str, Any]) -> list[str]:
    return [f"{_key(k)} = {_value(v)}" for k, v in table.items() if v is not None]


def _value(value: Any) -> str:  # noqa: ANN401 - whatever a struct holds
    if isinstance(value, dict):
        pairs = (f"{_key(k)} = {_value(v)}" for k, v in value.items() if v is not None)
        return "{ " + ", ".join(pairs) + " }"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_value(item) for item in value) + "]"
    return _text(value)


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _text(name)


def _text(value: object) -> str:
    """JSON that is TOML too: TOML has no surrogate escapes and wants DEL escaped."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
