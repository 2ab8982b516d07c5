"""Which operators of a runtime's profile are which of a model file: what each of them multiplies.

By name where the runtime keeps the file's names, else by order where as many are left on both sides
and no kind speaks against it. What neither tells apart stays together, as one kind with the work of
all of them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from edgebench.protocols import OpWork

_AROUND = re.compile(
    r"^onnx_node(_output_\d+)?!|_nchwc$|_quant(ized)?$|_token_\d+$|/WithoutBiases$|:\d+$"
)
"""What runtimes put around the names of a file's operators."""
_PRODUCT = re.compile(
    r"conv(?!ert)|gemm|mat_?mul|inner_?product|fully_?\s?connected|linear|addmm|\bbmm\b|dense",
    re.IGNORECASE,
)
_NO_PRODUCT = re.compile(r"convert|im2col|quantizelinear|reorder|nonlinear|bilinear", re.IGNORECASE)
_DEPTHWISE = re.compile(r"depthwise|dwconv|group_?conv|_dw_", re.IGNORECASE)
_DENSE = re.compile(r"gemm|inner_?product|fully_?\s?connected|linear|addmm", re.IGNORECASE)
PRODUCT = "product"
"""Convolutions and dense layers that could not be told apart."""


class Told(NamedTuple):
    """An operator as a profile names it."""

    name: str
    kind: str
    kernel: str

    @property
    def product(self) -> bool:
        """Whether it multiplies."""
        return bool(_PRODUCT.search(self.kind)) and not _NO_PRODUCT.search(self.kind)

    @property
    def depthwise(self) -> bool:
        """Whether the runtime calls it one that has groups."""
        return bool(_DEPTHWISE.search(f"{self.kind} {self.kernel}"))


class Assigned(NamedTuple):
    """Of each operator of a profile what it does; of what is left the sum."""

    kinds: tuple[str, ...]
    """A `protocols.WorkKind`, or `PRODUCT`; empty for what does not multiply."""
    macs: tuple[int | None, ...]
    """None where it does not multiply, or nobody can tell which operator it is."""
    together: dict[str, int | None]
    """Multiply-accumulates of all operators of a kind that have none of their own."""


def assign(told: Sequence[Told], works: Sequence[OpWork]) -> Assigned:
    """Find the work of each operator of a profile.

    Args:
        told: In the order in which they ran.
        works: Of the model file, in its order.
    """
    found: dict[int, OpWork] = {}
    free = dict(enumerate(works))
    by_name = {bare(name): place for place, one in free.items() for name in one.names}
    products = [place for place, one in enumerate(told) if one.product]
    for place in products:
        at = by_name.get(bare(told[place].name))
        if at in free:
            found[place] = free.pop(at)
    left = [place for place in products if place not in found]
    together: dict[str, int | None] = {}
    apart = any(told[place].depthwise for place in products)
    named: dict[int, str] = {}
    for kind in ("depthwise", PRODUCT) if apart else (PRODUCT,):
        thin = kind == "depthwise"
        mine = [place for place in left if told[place].depthwise == thin or not apart]
        rest = [one for one in free.values() if _thin(one) == thin or not apart]
        fits = (_fits(told[place], one) for place, one in zip(mine, rest, strict=False))
        if len(mine) == len(rest) and all(fits):
            found |= dict(zip(mine, rest, strict=True))
        elif mine:
            named |= dict.fromkeys(mine, kind)
            together[kind] = _sum(rest)
    kinds = {place: one.kind for place, one in found.items()} | named
    return Assigned(
        tuple(kinds.get(place, "") for place in range(len(told))),
        tuple(found[place].macs if place in found else None for place in range(len(told))),
        together,
    )


def bare(name: str) -> str:
    """A name without what runtimes put around it, however often."""
    before = ""
    while name != before:
        before, name = name, _AROUND.sub("", name)
    return name


def _thin(work: OpWork) -> bool:
    return work.kind in {"depthwise", "grouped"}


def _fits(told: Told, work: OpWork) -> bool:
    """Whether the kinds that both sides tell may be the same."""
    if _DENSE.search(told.kind):
        return work.kind in {"dense", "pointwise"}
    return True


def _sum(works: Sequence[OpWork]) -> int | None:
    """None where there is nothing to sum, or one of them is not known."""
    known = [one.macs for one in works if one.macs is not None]
    return sum(known) if known and len(known) == len(works) else None
