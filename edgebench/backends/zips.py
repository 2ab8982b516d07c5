"""Several files as one: a zip without compression and with fixed dates, one hash for them all.

The same bytes under the same names give the same file.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from pathlib import Path

_DATE = (1980, 1, 1, 0, 0, 0)
"""The first that a zip can hold."""


def write(path: Path, members: Iterable[tuple[str, bytes]]) -> None:
    """Write names and contents in this order."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name, _DATE), content)
