"""The contract of a backend as a check that its author runs: each part guards a figure."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, get_args

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgebench import resources
from edgebench.errors import ModelRefusedError, UsageError
from edgebench.protocols import Backend, Feeds, Probe, Session, Settings, Tensor
from edgebench.records import PRECISIONS, Effective, Precision
from edgebench.specs import ModelFormat
from edgebench.testing import answers
from edgebench.testing.answers import answer, require, same

_NOWHERE = "no-such-accelerator"
_MEMBERS = ("name", "formats", "precisions", "probe", "open")
_SLOTS = 4
_IMAGE_RANK = 4
_LAYOUTS = {"", "NCHW", "NHWC"}


class Bundled(NamedTuple):
    """A bundled model as `check_backend` takes it."""

    model: Path
    ring: Sequence[Feeds]
    settings: Settings
    reference: Sequence[NDArray[np.float32]]
    """The fp32 answer to each of the ring's inputs."""


def bundled(
    backend: Backend, precision: Precision = "fp32", workload: str = "mnist_cnn", batch: int = 1
) -> Bundled:
    """A bundled model in the first format that a backend reads, with inputs and right answers.

    Raises:
        UsageError: No bundled model comes in such a format and precision, or the workload has
            several inputs or outputs.
        ModelRefusedError: The backend cannot open it.
    """
    chosen, probe = resources.open_workload(workload), backend.probe()
    of_file = probe.serves.get(precision, precision)
    found = (chosen.model(fmt, of_file) for fmt in probe.formats or backend.formats)
    model = next((model for model in found if model is not None), None)
    if model is None:
        raise UsageError(
            f"{workload} has no {of_file} model as {' or '.join(probe.formats)}",
            remedy="call check_backend with a model and inputs of your own",
        )
    if len(chosen.spec.inputs) > 1 or len(chosen.spec.outputs) > 1:
        raise UsageError(
            f"{workload} has several inputs or outputs",
            remedy="call check_backend with a model and inputs of your own",
        )
    settings = Settings(precision=precision, batch=batch)
    session = backend.open(chosen.path_of(model), settings)
    tensor = session.inputs[0]
    session.close()
    with np.load(chosen.reference_path, allow_pickle=False) as stored:
        inputs, outputs = (stored[key].astype(np.float32) for key in ("inputs", "outputs"))
    if (tensor.layout or model.layout) == "NCHW":
        inputs = inputs.transpose(0, 3, 1, 2)
    whole = range(0, len(inputs) // batch * batch, batch)[:_SLOTS]
    slots = [slice(first, first + batch) for first in whole]
    ring = [{tensor.name: np.ascontiguousarray(inputs[one], tensor.dtype)} for one in slots]
    return Bundled(chosen.path_of(model), ring, settings, [outputs[one] for one in slots])


def check_backend(
    backend: Backend,
    model: Path,
    ring: Sequence[Feeds],
    settings: Settings | None = None,
    reference: Sequence[NDArray[Any] | Sequence[NDArray[Any]]] = (),
) -> None:
    """Hold a backend against the contract of `edgebench.protocols`, as every built-in one is.

    In the tests of a plug-in::

        from edgebench.testing import bundled, check_backend
        from my_package import MyBackend


        def test_my_backend_keeps_the_contract() -> None:
            check_backend(MyBackend(), *bundled(MyBackend()))

    Args:
        backend: To be checked.
        model: A model file it should run.
        ring: At least two different inputs, as ``bind`` takes them.
        settings: How to open the model.
        reference: The right answer to each of the ring's inputs: an array for the first output, or
            one for each, in the session's order. Nothing: not compared.

    Raises:
        AssertionError: It breaks the contract; the message says which part, and how to mend it.
    """
    settings = settings or Settings()
    probe = _check_probe(backend)
    session = backend.open(model, settings)
    try:
        _check_tensors(session, ring, settings)
        answers.check_session(session, ring, reference)
        _check_effective(session.effective(), probe, settings)
        answers.check_unmoved(session)
        _check_another(backend, model, settings, session, ring)
        alone = [list(answer(session, slot).values()) for slot in (0, 1)]
    finally:
        session.close()
    _check_closed(session)
    _check_batch(backend, model, settings, ring, alone)
    _check_claims(backend, model, settings, ring, probe)
    _check_refusals(backend, model, settings)


def _check_closed(session: Session) -> None:
    """A launch that fails closes what may be closed already."""
    try:
        session.close()
    except Exception as error:  # noqa: BLE001 - whatever it raises, it should not
        raise AssertionError(f"close() a second time must do nothing, not {error!r}") from None


def _check_probe(backend: Backend) -> Probe:
    lacking = [name for name in _MEMBERS if not hasattr(backend, name)]
    require(not lacking, f"it has no {', '.join(lacking)}: see edgebench.protocols.Backend")
    probe = backend.probe()
    require(isinstance(probe, Probe), "probe() must return an edgebench.protocols.Probe")
    _check_types(probe, "probe()")
    words = f"{probe.reason}: {probe.remedy}"
    require(probe.available, f"it cannot be used here: {words}")
    require(bool(probe.version), "probe() must tell the runtime's version")
    unknown = sorted({*probe.precisions, *probe.serves, *probe.serves.values()} - {*PRECISIONS})
    require(not unknown, f"probe(): unknown precision {', '.join(unknown)}, known are {PRECISIONS}")
    require(bool(probe.precisions), "probe() must name a precision")
    lost = sorted({*probe.serves} - {*probe.precisions})
    require(not lost, f"probe(): {', '.join(lost)} is served and no precision of its own")
    known = get_args(ModelFormat)
    unknown = sorted({*probe.formats} - {*known})
    require(not unknown, f"probe(): no model comes as {', '.join(unknown)}, only as {known}")
    require(bool(probe.formats), "probe() must name a format, the best first")
    require(bool(probe.accelerators), "probe() must name an accelerator, be it cpu")
    return probe


def _check_types(struct: msgspec.Struct, what: str) -> None:
    """What crosses from the worker is checked there too, and lost where it is of a wrong type."""
    try:
        msgspec.convert(msgspec.to_builtins(struct), type(struct))
    except (msgspec.ValidationError, TypeError) as error:
        raise AssertionError(f"{what} holds a value of the wrong type: {error}") from None


def _check_refusals(backend: Backend, model: Path, settings: Settings) -> None:
    """What cannot be done is refused by ``open``, in words: silence would be measured."""
    elsewhere = msgspec.structs.replace(settings, accelerator=_NOWHERE)
    try:
        backend.open(model, elsewhere).close()
    except ModelRefusedError as error:
        require(bool(str(error)), "open() must say why it refuses, in the runtime's own words")
    else:
        raise AssertionError(
            "open() must raise ModelRefusedError for an accelerator that is not there"
        )
    with tempfile.TemporaryDirectory(prefix="edgebench-contract-") as folder:
        garbage = Path(folder) / f"garbage{model.suffix}"
        garbage.write_bytes(b"This is no model. " * 64)
        try:
            backend.open(garbage, settings).close()
        except Exception:  # noqa: BLE001 - whatever the runtime raises becomes the cell's reason
            return
    raise AssertionError("open() must raise for a file that is no model")


def _check_tensors(session: Session, ring: Sequence[Feeds], settings: Settings) -> None:
    require(len(ring) > 1, "check_backend needs a ring of two different inputs or more")
    require(bool(session.inputs and session.outputs), "a session must tell inputs and outputs")
    for tensor in (*session.inputs, *session.outputs):
        words = f"inputs and outputs are edgebench.protocols.Tensor, not {type(tensor).__name__}"
        require(isinstance(tensor, Tensor), words)
        what = f"tensor {tensor.name!r}"
        _check_types(tensor, what)
        sound = all(size > 0 for size in tensor.shape)
        require(sound, f"{what}: shape {tensor.shape}; every size must be known by then")
        require(tensor.layout in _LAYOUTS, f"{what}: layout {tensor.layout!r} is none")
        try:
            np.dtype(tensor.dtype)
        except TypeError:
            raise AssertionError(f"{what}: {tensor.dtype!r} is no numpy dtype") from None
    for tensor in session.inputs:
        batch = tensor.shape[0] if tensor.shape else None
        # One sample may have no batch, but for an image.
        single = settings.batch == 1 and len(tensor.shape) != _IMAGE_RANK
        sound = single or batch == settings.batch
        require(sound, f"{tensor.name}: batch {batch}, asked {settings.batch}")
        for feeds in ring:
            require(tensor.name in feeds, f"the ring has no input {tensor.name!r}")
            shape = np.shape(feeds[tensor.name])
            require(shape == tensor.shape, f"the ring has {shape} for {tensor.name} {tensor.shape}")


def _check_effective(effective: Effective, probe: Probe, settings: Settings) -> None:
    require(isinstance(effective, Effective), "effective() must return edgebench.records.Effective")
    _check_types(effective, "effective()")
    require(bool(effective.words), "effective() must quote the runtime")
    require(bool(effective.backend_version), "effective() must tell the version that ran")
    precision, accelerator = effective.precision, effective.accelerator
    known = precision is None or precision in PRECISIONS
    require(known, f"effective(): precision {precision!r}; None where it cannot be read back")
    known = accelerator is None or accelerator in {*probe.accelerators, "cpu"}
    require(known, f"effective(): accelerator {accelerator!r} is not among probe()'s")
    share = effective.accelerator_ops_ratio
    require(share is None or 0 <= share <= 1, f"effective(): {share} is no share of operators")
    threads = effective.threads
    sound = threads is None or 1 <= threads <= settings.threads
    require(sound, f"effective(): {threads} threads, asked {settings.threads}; None if not told")


def _check_another(
    backend: Backend, model: Path, settings: Settings, session: Session, ring: Sequence[Feeds]
) -> None:
    """Two sessions of one model at once, as streams are: neither hears of the other."""
    first, other = answer(session, 0), answer(session, 1)
    another = backend.open(model, settings)
    try:
        another.bind([ring[1], ring[0]])
        session.stage(0)
        theirs = answer(another, 0)
        session.invoke()
        words = "two sessions of one model share an input: every open() needs buffers of its own"
        require(same(session.read(), first) and same(theirs, other), words)
    finally:
        another.close()
    try:
        alone = same(answer(session, 0), first)
    except Exception:  # noqa: BLE001 - whatever it raises, it no longer runs
        alone = False
    require(alone, "close() of one session breaks another one of the same model")


def _check_batch(
    backend: Backend,
    model: Path,
    settings: Settings,
    ring: Sequence[Feeds],
    alone: Sequence[Sequence[NDArray[Any]]],
) -> None:
    """Twice the batch, where the runtime can: each half of the answer belongs to its input."""
    try:
        session = backend.open(model, msgspec.structs.replace(settings, batch=2 * settings.batch))
    except ModelRefusedError:  # it says so: the cell is skipped, and nothing is wrong
        return
    try:
        session.bind([{name: np.concatenate([ring[0][name], ring[1][name]]) for name in ring[0]}])
        together = list(answer(session, 0).values())
    finally:
        session.close()
    for whole, single in zip(together, alone[0], strict=True):
        shape = (2 * single.shape[0], *single.shape[1:]) if single.shape else None
        words = f"a batch twice as large answers {whole.shape}, not {shape}: refuse it in open()"
        require(whole.shape == shape, words)
    halves = zip(*(np.split(whole, 2) for whole in together), strict=True)
    for half, (ours, other) in zip(halves, (alone, alone[::-1]), strict=True):
        # Not equal: a dynamically quantised model takes its scale over the whole batch.
        near, far = (
            sum(answers.distance(a, b) for a, b in zip(half, one, strict=True))
            for one in (ours, other)
        )
        require(near < far, "in a larger batch an input has another one's answer")


def _check_claims(
    backend: Backend, model: Path, settings: Settings, ring: Sequence[Feeds], probe: Probe
) -> None:
    """A precision that it does not have is refused, or at least not claimed to have run."""
    for precision in PRECISIONS:
        if precision in probe.precisions:
            continue
        try:
            session = backend.open(model, msgspec.structs.replace(settings, precision=precision))
        except ModelRefusedError:
            continue
        try:
            session.bind(ring)
            answer(session, 0)
            claimed = session.effective().precision
        finally:
            session.close()
        words = f"effective() claims {precision}, which probe() does not have: read it back or None"
        require(claimed != precision, words)
