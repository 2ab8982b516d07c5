"""What a session answers: to each input its own, each time the same, and by `invoke` alone."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgebench.protocols import Feeds, Session

_LEAST_COSINE = 0.95
"""What an int8 model still keeps; edgebench's own gate is stricter, and by precision."""

Answer = Mapping[str, NDArray[Any]]


def require(met: bool, message: str) -> None:
    """Raise where the contract is not met.

    Raises:
        AssertionError: With the message.
    """
    if not met:
        raise AssertionError(message)


def answer(session: Session, slot: int) -> dict[str, NDArray[Any]]:
    """The outputs for a slot of the bound ring."""
    session.stage(slot)
    session.invoke()
    return session.read()


def same(one: Answer, other: Answer) -> bool:
    """Whether two answers are equal, bit by bit."""
    return one.keys() == other.keys() and all(np.array_equal(one[k], other[k]) for k in one)


def check_session(
    session: Session,
    ring: Sequence[Feeds],
    reference: Sequence[NDArray[Any] | Sequence[NDArray[Any]]],
) -> None:
    """Bind a ring, and hold every answer against the others; the ring is bound afterwards.

    Raises:
        AssertionError: The session breaks the contract.
    """
    given = [{name: np.array(array) for name, array in feeds.items()} for feeds in ring]
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        session.bind(ring)
        held = answer(session, 0)
        first = {name: array.copy() for name, array in held.items()}
        other = {name: array.copy() for name, array in answer(session, 1).items()}
        untouched = same(held, first)
        again = answer(session, 0)
    words = str(told[0].message) if told else ""
    require(not told, f"it warns while it is measured ({words}): mend or silence that in open()")
    _check_outputs(session, first)
    words = "read() must return copies: the next invoke() writes over the last answer"
    require(untouched, words)
    require(same(first, again), "slot 0 twice gives two answers: stage() must set the whole input")
    words = "two different inputs give the same answer: stage() has no effect"
    require(not same(first, other), words)
    _check_copies(session, first)
    _check_moment(session, other)
    _check_feed(session, ring, first, other)
    _check_binding(session, ring, first, other)
    _check_every_input(session, ring, first)
    kept = all(
        same(a, {k: np.asarray(v) for k, v in b.items()}) for a, b in zip(given, ring, strict=True)
    )
    require(kept, "bind(), stage() or invoke() writes into the arrays that bind() was given")
    for slot, right in enumerate(reference):
        wanted = [right] if isinstance(right, np.ndarray) else right
        for ours, one in zip(answer(session, slot).values(), wanted, strict=False):
            _check_right(ours, one)


def check_unmoved(session: Session) -> None:
    """See that `effective`, which was just called, has left the ring and the model as they were.

    Raises:
        AssertionError: Two inputs no longer have two answers.
    """
    moved = same(answer(session, 0), answer(session, 1))
    require(not moved, "effective() must leave the session as it was: use one of its own")


def _check_outputs(session: Session, first: Answer) -> None:
    declared = {tensor.name: tensor for tensor in session.outputs}
    words = f"read() gives {', '.join(first)}, declared are {', '.join(declared)}"
    require(first.keys() == declared.keys(), words)
    for name, array in first.items():
        finite = bool(np.isfinite(np.asarray(array, np.float64)).all())
        require(finite, f"{name} holds NaN or infinity")
        shape, dtype = declared[name].shape, np.dtype(declared[name].dtype)
        require(array.shape == shape, f"{name} has the shape {array.shape}, declared is {shape}")
        require(array.dtype == dtype, f"{name} is {array.dtype}, declared is {dtype}")


def _check_copies(session: Session, first: Answer) -> None:
    for array in answer(session, 0).values():
        array[...] = 0
    words = "read() must return copies: writing into one answer spoils the next"
    require(same(session.read(), first), words)


def _check_moment(session: Session, other: Answer) -> None:
    """The work lies inside ``invoke``, where the time is taken."""
    answer(session, 0)
    session.stage(1)
    # The former answer may be gone: a runtime may put inputs where outputs were.
    early = same(session.read(), other)
    require(not early, "stage() or read() computes the answer: all work belongs into invoke()")


def _check_feed(session: Session, ring: Sequence[Feeds], first: Answer, other: Answer) -> None:
    """Fresh inputs in another dtype and order, written over before ``invoke``; then the ring."""
    answer(session, 1)
    fresh = {name: np.asfortranarray(array, np.float64) for name, array in ring[0].items()}
    session.feed(fresh)
    for array in fresh.values():
        array[...] = 0
    session.invoke()
    words = "feed() of slot 0's inputs gives another answer than stage(0): copy and convert them"
    require(same(session.read(), first), words)
    session.feed(ring[1])
    kept = same(answer(session, 0), first) and same(answer(session, 1), other)
    require(kept, "feed() must leave the ring as it is")


def _check_binding(session: Session, ring: Sequence[Feeds], first: Answer, other: Answer) -> None:
    """Sessions are bound anew: accuracy binds every batch, the full ring follows a ring of one."""
    session.bind([ring[1], ring[0]])
    words = "a second bind() must replace the ring: slot 0 still has its former input"
    require(same(answer(session, 0), other) and same(answer(session, 1), first), words)
    session.bind(ring[:1])
    require(same(answer(session, 0), first), "bind() of a ring of one gives another answer")
    session.bind(ring)
    require(same(answer(session, 1), other), "bind() of a larger ring gives another answer")


def _check_every_input(session: Session, ring: Sequence[Feeds], first: Answer) -> None:
    """Each of several inputs changes the answer: none is left as it was, or given to another."""
    for name in ring[0] if len(ring[0]) > 1 else ():
        mixed = {**ring[0], name: ring[1][name]}
        session.bind([mixed, ring[0]])
        words = f"another {name} gives the same answer: stage() must set every input"
        require(not same(answer(session, 0), first), words)
        session.feed(mixed)
        session.invoke()
        words = f"another {name} gives the same answer: feed() must set every input"
        require(not same(session.read(), first), words)
    session.bind(ring)


def distance(one: NDArray[Any], other: NDArray[Any]) -> float:
    """The largest difference of two elements."""
    return float(np.abs(one.astype(np.float64) - other.astype(np.float64)).max())


def _check_right(ours: NDArray[Any], right: NDArray[Any]) -> None:
    require(ours.shape == right.shape, f"answers are {ours.shape}, the reference {right.shape}")
    for mine, wanted in zip(ours.reshape(len(ours), -1), right.reshape(len(ours), -1), strict=True):
        a, b = mine.astype(np.float64), wanted.astype(np.float64)
        cosine = float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b) or 1.0))
        words = f"wrong answers: cosine {cosine:.3f} to the reference (layout? normalisation?)"
        require(cosine >= _LEAST_COSINE, words)
