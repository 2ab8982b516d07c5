"""What a column is."""

from __future__ import annotations

from typing import Literal, NamedTuple

Kind = Literal["str", "int", "float"]


class Column(NamedTuple):
    """One column; an empty value means "not measured", never 0."""

    name: str
    """The unit is its last word: ``_ms``, ``_mib``, ``_ips`` (inferences/s), ``_ratio`` (0..1)."""
    kind: Kind
    meaning: str
    heading: str = ""
    """Short heading for the terminal; the name where empty."""
    default: bool = False
    """Shown in the terminal unless --columns says otherwise."""
