"""The contract finds every backend that breaks it and says what to mend: one fault each."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from edgebench.backends.onnxruntime_ import OnnxRuntime, OnnxRuntimeSession
from edgebench.errors import ModelRefusedError, UsageError
from edgebench.protocols import Feeds, Settings
from edgebench.testing import Bundled, NullBackend, bundled, check_backend

Spoil = Callable[[OnnxRuntimeSession, Settings], None]


class Spoiled(OnnxRuntime):
    """A good backend whose sessions have one fault."""

    def __init__(self, spoil: Spoil) -> None:
        self.spoil = spoil

    def open(self, model: Path, settings: Settings) -> OnnxRuntimeSession:
        session = super().open(model, settings)
        self.spoil(session, settings)
        return session


def replaced(name: str, by: Callable[..., Any]) -> Spoil:
    """A session with another method: ``by(session, the true method, its arguments)``."""

    def spoil(session: OnnxRuntimeSession, _: Settings) -> None:
        if name == "invoke":  # it is there once a ring is bound
            bind = session.bind

            def bound(ring: Sequence[Feeds]) -> None:
                bind(ring)
                session.invoke = functools.partial(by, session, session.invoke)

            session.bind = bound  # type: ignore[method-assign]
        else:
            setattr(session, name, functools.partial(by, session, getattr(session, name)))

    return spoil


def told(**changes: object) -> Spoil:
    """A session that tells something else of what ran."""
    return replaced("effective", lambda _, true: msgspec.structs.replace(true(), **changes))


def declared(what: str, **changes: object) -> Spoil:
    """A session that declares another input or output."""

    def spoil(session: OnnxRuntimeSession, _: Settings) -> None:
        (tensor,) = getattr(session, what)
        setattr(session, what, (msgspec.structs.replace(tensor, **changes),))

    return spoil


def _computes_in_stage(session: OnnxRuntimeSession, settings: Settings) -> None:
    replaced("stage", lambda one, true, slot: (true(slot), one.true_invoke()))(session, settings)
    bind = session.bind

    def bound(ring: Sequence[Feeds]) -> None:
        bind(ring)
        session.true_invoke = session.invoke  # type: ignore[attr-defined]
        session.invoke = lambda: None

    session.bind = bound  # type: ignore[method-assign]


def _into_the_ring(session: OnnxRuntimeSession, _: object, inputs: Feeds) -> None:
    session._ring[0] = [np.array(inputs["input"], np.float32)]
    session.stage(0)


def _binds_once(session: OnnxRuntimeSession, true: Callable[..., None], ring: object) -> None:
    if not session._ring:
        true(ring)


def _spoils_the_given(_: object, true: Callable[..., None], ring: Sequence[Feeds]) -> None:
    true(ring)
    ring[0]["input"][0, 0, 0, 0] += 1e-9


def _warns(_: object, true: Callable[[], None]) -> None:
    warnings.warn("slow path", stacklevel=1)
    true()


def _tells_and_forgets(session: OnnxRuntimeSession, true: Callable[[], Any]) -> object:
    found = true()
    session.bind([session.ring_seen[0]] * 2)  # type: ignore[attr-defined]
    return found


def _effective_spoils(session: OnnxRuntimeSession, settings: Settings) -> None:
    def seen(one: Any, true: Callable[..., None], ring: Sequence[Feeds]) -> None:  # noqa: ANN401
        one.ring_seen = ring
        true(ring)

    replaced("bind", seen)(session, settings)
    replaced("effective", _tells_and_forgets)(session, settings)


def _views(session: OnnxRuntimeSession, true: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Writes every answer into one and the same array."""
    found = true()
    held = session.__dict__.setdefault("held", found)
    for name, array in found.items():
        held[name][...] = array
    return dict(held)


def _computes_in_read(session: OnnxRuntimeSession, settings: Settings) -> None:
    """An ``invoke`` that only remembers: the work is done when somebody asks."""
    bind, read = session.bind, session.read

    def bound(ring: Sequence[Feeds]) -> None:
        bind(ring)
        session.true_invoke, session.invoke = session.invoke, lambda: None  # type: ignore[attr-defined]

    def late() -> dict[str, Any]:
        session.true_invoke()  # type: ignore[attr-defined]
        return read()

    del settings
    session.bind, session.read = bound, late  # type: ignore[method-assign]


def answering(by: Callable[[Any], Any], *, batch: int = 1) -> Spoil:
    """A session with other answers, from some batch on."""

    def spoil(session: OnnxRuntimeSession, settings: Settings) -> None:
        if settings.batch >= batch:
            changed = replaced("read", lambda _, true: {k: by(v) for k, v in true().items()})
            changed(session, settings)

    return spoil


def _drifts(session: OnnxRuntimeSession, true: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    calls = session.__dict__["calls"] = session.__dict__.get("calls", 0) + 1
    return {name: array + np.float32(calls) for name, array in true().items()}


FAULTS: dict[str, tuple[Spoil, str]] = {
    "stage is stuck": (replaced("stage", lambda _, true, __: true(0)), "stage() has no effect"),
    "stage computes": (_computes_in_stage, "belongs into invoke"),
    "read computes": (_computes_in_read, "belongs into invoke"),
    "answers drift": (replaced("read", _drifts), "two answers"),
    "NaN": (answering(lambda array: array * np.nan), "NaN"),
    "views": (replaced("read", _views), "copies"),
    "another name": (
        replaced("read", lambda _, true: dict(zip("x", true().values(), strict=True))),
        "read() gives x, declared are",
    ),
    "another dtype": (answering(lambda array: array.astype(float)), "is float64, declared is"),
    "another shape": (answering(lambda array: array[0]), "shape (10,), declared is (1, 10)"),
    "no such dtype": (declared("outputs", dtype="f33"), "no numpy dtype"),
    "no layout": (declared("inputs", layout="HWC"), "layout 'HWC'"),
    "open shape": (declared("inputs", shape=(1, 1, 0, 28)), "every size must be known"),
    "wrong type": (declared("inputs", shape="28"), "wrong type"),
    "other batch": (declared("inputs", shape=(2, 1, 28, 28)), "batch 2, asked 1"),
    "no tensor": (lambda session, _: setattr(session, "outputs", ({"name": "x"},)), "Tensor"),
    "no outputs": (lambda session, _: setattr(session, "outputs", ()), "inputs and outputs"),
    "does not feed": (replaced("feed", lambda *_: None), "another answer than stage"),
    "feeds its ring": (replaced("feed", _into_the_ring), "leave the ring"),
    "binds once": (replaced("bind", _binds_once), "second bind"),
    "writes into what was given": (replaced("bind", _spoils_the_given), "writes into the arrays"),
    "warns": (replaced("invoke", _warns), "warns while it is measured (slow path)"),
    "effective spoils": (_effective_spoils, "leave the session as it was"),
    "no words": (told(words=""), "quote the runtime"),
    "no version": (told(backend_version=None), "the version that ran"),
    "no precision": (told(precision="float32"), "precision 'float32'"),
    "no accelerator": (told(accelerator="gpu"), "accelerator 'gpu'"),
    "no share": (told(accelerator_ops_ratio=7.0), "7.0 is no share"),
    "too many threads": (told(threads=4), "4 threads, asked 1"),
    "threads as words": (told(threads="one"), "wrong type"),
    "claims bf16": (told(precision="bf16"), "claims bf16"),
    "nothing told": (replaced("effective", lambda *_: {}), "edgebench.records.Effective"),
    "batches mixed up": (answering(lambda array: array[::-1], batch=2), "another one's answer"),
    "batches cut": (answering(lambda array: array[:1], batch=2), "answers (1, 10), not (2, 10)"),
}


@pytest.fixture(scope="module")
def good() -> Bundled:
    return bundled(OnnxRuntime())


def fresh(good: Bundled) -> Bundled:
    """With arrays of its own: a fault may write into them."""
    ring = [{name: array.copy() for name, array in feeds.items()} for feeds in good.ring]
    return good._replace(ring=ring)


@contextmanager
def found(words: str) -> Iterator[None]:
    """The contract is broken, and that is how it is said."""
    with pytest.raises(AssertionError) as caught:
        yield
    assert words in str(caught.value)


def test_a_backend_without_a_fault_passes(good: Bundled) -> None:
    check_backend(Spoiled(lambda *_: None), *good)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_session_with_a_fault_is_found(good: Bundled, fault: str) -> None:
    spoil, words = FAULTS[fault]
    with found(words):
        check_backend(Spoiled(spoil), *fresh(good))


def probing(**changes: object) -> OnnxRuntime:
    """A backend that tells something else of itself."""
    backend = OnnxRuntime()
    backend.probe = lambda: msgspec.structs.replace(OnnxRuntime().probe(), **changes)  # type: ignore[method-assign]
    return backend


class TorchVersion(str):
    """As `torch.__version__` is one."""

    __slots__ = ()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"available": False, "reason": "no driver"}, "cannot be used here: no driver"),
        ({"version": ""}, "the runtime's version"),
        ({"version": 7}, "wrong type"),
        ({"version": TorchVersion("2.13")}, "wrong type"),  # a str that msgspec does not send
        ({"precisions": ("fp32", "float16")}, "unknown precision float16"),
        ({"precisions": ()}, "must name a precision"),
        ({"serves": {"bf16": "fp32"}}, "bf16 is served"),
        ({"formats": ("pt",)}, "no model comes as pt"),
        ({"formats": ()}, "must name a format"),
        ({"accelerators": ()}, "must name an accelerator"),
    ],
)
def test_a_probe_with_a_fault_is_found(
    good: Bundled, changes: dict[str, object], words: str
) -> None:
    with found(words):
        check_backend(probing(**changes), *good)


class Shared(OnnxRuntime):
    """One session for all, or one whose closing closes all."""

    def __init__(self, *, whole: bool) -> None:
        self.whole, self.open_ones = whole, list[OnnxRuntimeSession]()

    def open(self, model: Path, settings: Settings) -> OnnxRuntimeSession:
        if self.whole and self.open_ones:
            return self.open_ones[0]
        session = super().open(model, settings)
        self.open_ones.append(session)
        if not self.whole:
            session.close = self.close_all  # type: ignore[method-assign]
        return session

    def close_all(self) -> None:
        for session in self.open_ones:
            session.invoke = lambda: (_ for _ in ()).throw(RuntimeError("closed"))


@pytest.mark.parametrize(("whole", "words"), [(True, "share an input"), (False, "breaks another")])
def test_sessions_that_are_not_their_own_are_found(
    good: Bundled, *, whole: bool, words: str
) -> None:
    with found(words):
        check_backend(Shared(whole=whole), *good)


class Lenient(OnnxRuntime):
    """Takes any accelerator for the CPU, or any file for its model, or refuses without a word."""

    def __init__(self, model: Path | None = None, *, silent: bool = False) -> None:
        self.model, self.silent = model, silent

    def open(self, model: Path, settings: Settings) -> OnnxRuntimeSession:
        if settings.accelerator != "cpu" and (self.model or self.silent):
            raise ModelRefusedError("" if self.silent else "it has only a cpu")
        return super().open(
            self.model or model, msgspec.structs.replace(settings, accelerator="cpu")
        )


def test_what_should_be_refused_and_is_not_is_found(good: Bundled) -> None:
    with found("accelerator that is not there"):
        check_backend(Lenient(), *good)
    with found("why it refuses"):
        check_backend(Lenient(silent=True), *good)
    with found("a file that is no model"):
        check_backend(Lenient(good.model), *good)


def test_wrong_answers_are_found(good: Bundled) -> None:
    wrong = good._replace(reference=[*good.reference][::-1])
    with found("wrong answers: cosine"):
        check_backend(OnnxRuntime(), *wrong)


def test_a_backend_that_ignores_its_input_is_found(good: Bundled) -> None:
    ring = [{"input": np.full((1, 28, 28, 1), n, np.float32)} for n in range(2)]
    with found("stage() has no effect"):
        check_backend(NullBackend(), good.model, ring)


def test_what_the_caller_got_wrong_is_said_too(good: Bundled) -> None:
    for ring, words in (
        (good.ring[:1], "a ring of two"),
        ([{"pixels": one["input"]} for one in good.ring], "no input 'input'"),
        ([{"input": one["input"][0]} for one in good.ring], "the ring has (1, 28, 28)"),
    ):
        with found(words):
            check_backend(OnnxRuntime(), good.model, ring)
    with found("has no name, formats, precisions, probe, open"):
        check_backend(object(), *good)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="has no fp32 model as ncnn"):
        bundled(probing(formats=("ncnn",)))


def test_a_runtime_that_refuses_a_larger_batch_keeps_the_contract(good: Bundled) -> None:
    def refuses(_: object, settings: Settings) -> None:
        if settings.batch > 1:
            raise ModelRefusedError("a batch of 1 only")

    check_backend(Spoiled(refuses), *good)


def test_a_probe_of_another_kind_is_found(good: Bundled) -> None:
    backend = OnnxRuntime()
    backend.probe = lambda: True  # type: ignore[assignment,method-assign,return-value]
    with found("edgebench.protocols.Probe"):
        check_backend(backend, *good)
