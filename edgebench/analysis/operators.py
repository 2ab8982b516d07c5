"""Which operators of a runtime's profile are which of a model file: what each of them multiplies.

By name where the runtime keeps the file's names, else by order where as many are left on both
sides, no kind speaks against it and no branch may have come before another. What neither tells
apart stays together, as one kind with the work of all of them.
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
_FLAT = frozenset({"dense", "pointwise"})
"""What may run as a product of matrices."""
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

    @property
    def dense(self) -> bool:
        """Whether the runtime calls it a product of matrices."""
        return bool(_DENSE.search(self.kind))


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
    kinds: dict[int, str] = {}
    together: dict[str, int | None] = {}
    apart = any(told[place].depthwise for place in products)
    for thin in (True, False) if apart else (False,):
        mine = [place for place in left if not apart or told[place].depthwise == thin]
        rest = [one for one in free.values() if not apart or _thin(one) == thin]
        for places, works_there in _in_order(told, mine, rest):
            alike = len({(one.kind, one.macs) for one in works_there}) == 1
            if alike and len(places) == len(works_there):
                found |= dict(zip(places, works_there, strict=True))
                continue
            same = {one.kind for one in works_there}
            kind = same.pop() if len(same) == 1 else "depthwise" if thin else PRODUCT
            kinds |= dict.fromkeys(places, kind)
            # More than the runtime tells of: some of them it left out.
            whole = len(works_there) <= len(places)
            together[kind] = _sum(works_there, together.get(kind, 0)) if whole else None
    kinds |= {place: one.kind for place, one in found.items()}
    return Assigned(
        tuple(kinds.get(place, "") for place in range(len(told))),
        tuple(found[place].macs if place in found else None for place in range(len(told))),
        together,
    )


def _in_order(
    told: Sequence[Told], places: Sequence[int], works: Sequence[OpWork]
) -> list[tuple[list[int], list[OpWork]]]:
    """Operators beside those of the file that they are, one by one or as few together as can be.

    An operator that other ones may run before or after has no place of its own: a runtime may have
    another order of branches than the file.
    """
    if not places or not works:  # where the file has no product left, they are parts of others
        return []
    whole = [(list(places), list(works))]
    if len(places) != len(works):
        return whole
    groups: list[tuple[list[int], list[OpWork]]] = []
    loose = False
    for place, work in zip(places, works, strict=True):
        if not (loose and not work.fixed):
            groups.append(([], []))
        groups[-1][0].append(place)
        groups[-1][1].append(work)
        loose = not work.fixed
    split = [part for group in groups for part in _by_kind(told, *group)]
    return split if all(_fit(told, *part) for part in split) else whole


def _by_kind(
    told: Sequence[Told], places: list[int], works: list[OpWork]
) -> list[tuple[list[int], list[OpWork]]]:
    """A group once more apart where the runtime tells as many dense ones as the file."""
    dense = [place for place in places if told[place].dense]
    flat = [one for one in works if one.kind in _FLAT]
    if len(dense) != len(flat) or len(dense) in {0, len(places)}:
        return [(places, works)]
    others = [one for one in works if one.kind not in _FLAT]
    return [(dense, flat), ([place for place in places if place not in dense], others)]


def _fit(told: Sequence[Told], places: Sequence[int], works: Sequence[OpWork]) -> bool:
    """Whether as many may be dense as the runtime says are."""
    dense = sum(told[place].dense for place in places)
    return dense <= sum(one.kind in _FLAT for one in works)


def bare(name: str) -> str:
    """A name without what runtimes put around it, however often."""
    before = ""
    while name != before:
        before, name = name, _AROUND.sub("", name)
    return name


def _thin(work: OpWork) -> bool:
    return work.kind in {"depthwise", "grouped"}


def _sum(works: Sequence[OpWork], so_far: int | None) -> int | None:
    """None where one of them is not known, or there is nothing to sum."""
    known = [one.macs for one in works if one.macs is not None]
    if so_far is None or len(known) != len(works) or not known:
        return None
    return so_far + sum(known)
