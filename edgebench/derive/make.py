"""From a wish (workload, format, precision) to an entry of the cache."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from datetime import datetime, timezone
from pathlib import Path
from typing import Literal

import msgspec

from edgebench import __version__
from edgebench.derive import cache, child, contract
from edgebench.derive.cache import Manifest
from edgebench.derive.calibration import Images
from edgebench.derive.contract import Converter, Job
from edgebench.errors import EdgebenchError, UsageError
from edgebench.records import Precision
from edgebench.specs import ModelFormat, ModelSpec, Workload, sha256_of

TIMEOUT_S = 600.0
_LAYOUTS: dict[ModelFormat, Literal["NHWC"]] = {"tflite": "NHWC", "savedmodel": "NHWC"}
"""Of images in formats that have them channels last."""
_KEEP = ("PATH", "LANG", "LD_LIBRARY_PATH", "PYTHONPATH", "VIRTUAL_ENV")
_LAST_WORDS = 300


class NotDerivedError(EdgebenchError):
    """A converter could not make a file; the message is in its own words."""


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """A derived model that lies in the cache."""

    path: Path
    manifest: Manifest
    fresh: bool
    """Whether it was made now."""


def derive(
    workload: Workload,
    converter: Converter,
    precision: Precision,
    *,
    images: Images | None = None,
    timeout_s: float = TIMEOUT_S,
) -> Made:
    """A workload's model in a converter's format: from the cache, or made now.

    Args:
        workload: One of its fp32 files, shipped or derived, is what it is made from.
        converter: Of the format.
        precision: One of the converter's.
        images: To calibrate on, where the precision needs that.
        timeout_s: After so long the converter is ended.

    Raises:
        UsageError: The converter is not installed, the workload has nothing to make it from, or
            the cache cannot be written, or is full.
        NotDerivedError: The converter failed, crashed or did not end.
    """
    source = source_of(workload, converter)
    if source is None:
        formats = " or ".join(converter.sources)
        raise UsageError(f"{workload.spec.name} has no fp32 {formats} file to derive from")
    contract.versions(converter)
    used = _used(workload, converter, precision, images)
    described = _described(workload, source, converter, precision, used)
    if (found := cache.read(described.key)) is not None:
        return Made(path=found[0], manifest=found[1], fresh=False)
    return _kept(_job(workload, source, converter, precision, used), described, timeout_s)


def _described(
    workload: Workload,
    source: ModelSpec,
    converter: Converter,
    precision: Precision,
    images: Images | None,
) -> Manifest:
    """What is known of a file before it is made."""
    settings = dict(converter.settings(precision))
    if images:
        settings["calibration"] = images.sha256
    return Manifest(
        workload=workload.spec.name,
        from_sha256=source.sha256,
        format=converter.format,
        precision=precision,
        layout=_LAYOUTS.get(converter.format, "NCHW"),
        view=cache.view_of(workload),
        tools=contract.versions(converter),
        settings=settings,
        calibration=images.words if images else "",
        file=f"model.{converter.suffix}",
        sha256="",
        size_byte=0,
        derived_at_utc="",
        edgebench_version=__version__,
    )


def _kept(job: Job, described: Manifest, timeout_s: float) -> Made:
    """Make the file and put it into the cache; what only it can tell is filled in."""
    folder = cache.start()
    try:
        target = folder / described.file
        network = convert(job, target, timeout_s)
        manifest = msgspec.structs.replace(
            described,
            network=network,
            sha256=sha256_of(target),
            size_byte=target.stat().st_size,
            derived_at_utc=datetime.now(timezone.utc).isoformat(timespec="microseconds"),
        )
        return Made(path=cache.keep(folder, manifest), manifest=manifest, fresh=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)  # where it was kept, it has another name now


def _used(
    workload: Workload, converter: Converter, precision: Precision, images: Images | None
) -> Images | None:
    """The images, where the precision needs some."""
    if precision not in converter.calibrated:
        return None
    if images is None:
        raise NotDerivedError(
            f"{workload.spec.name} ships no calibration images for {precision}",
            remedy="name its data set, or the folder of it, with --data",
        )
    return images


def source_of(workload: Workload, converter: Converter) -> ModelSpec | None:
    """The best of a workload's fp32 files that a converter takes."""
    found = (workload.model(fmt, "fp32") for fmt in converter.sources)
    return next((model for model in found if model is not None), None)


def _job(
    workload: Workload,
    source: ModelSpec,
    converter: Converter,
    precision: Precision,
    images: Images | None,
) -> Job:
    spec, kind = workload.spec, type(converter)
    return Job(
        parent_pid=os.getpid(),
        converter=f"{kind.__module__}:{kind.__qualname__}",
        source=str(workload.path_of(source)),
        source_format=source.format,
        layout=source.layout,
        precision=precision,
        inputs=spec.inputs,
        reference=str(workload.reference_path) if spec.reference else None,
        calibration=str(images.path) if images else None,
        mean=spec.mean,
        std=spec.std,
    )


def convert(job: Job, target: Path, timeout_s: float) -> str:
    """Let a child write ``target``; what it says of its network.

    Raises:
        NotDerivedError: It did not.
    """
    with tempfile.TemporaryDirectory(prefix="edgebench-derive-") as name:
        folder = Path(name)
        out = folder / "out"
        out.mkdir()
        here = msgspec.structs.replace(job, target=str(out / target.name))
        fault, log = _run(here, folder, timeout_s)
        reply = _reply(folder)
        if not fault and reply is None:
            fault = f"it ended without an answer: {log}"
        elif not fault and reply is not None:
            fault = reply.fault
        if not fault and not (out / target.name).is_file():
            fault = f"it wrote no file: {log}"
        if fault or reply is None:
            raise NotDerivedError(f"the converter failed: {fault}")
        cache.take(out / target.name, target)
        return reply.network


def _reply(folder: Path) -> child.Reply | None:
    try:
        return msgspec.json.decode((folder / child.REPLY).read_bytes(), type=child.Reply)
    except (OSError, msgspec.MsgspecError):
        return None


def _run(job: Job, folder: Path, timeout_s: float) -> tuple[str, str]:
    """``(fault, last words)`` of a child; it and all it started are gone afterwards."""
    home, temporary = folder / "home", folder / "tmp"
    home.mkdir()
    temporary.mkdir()
    kept = {name: os.environ[name] for name in _KEEP if name in os.environ}
    # Whatever a converter wants to leave in a home, or among temporary files, goes with the folder.
    own = {"HOME": str(home), "XDG_CACHE_HOME": str(home), "TMPDIR": str(temporary)}
    # onnxruntime would call its maker, and be ended for it.
    environment = kept | own | {"OMP_NUM_THREADS": "1", "ORT_DISABLE_TELEMETRY": "1"}
    with (folder / "log").open("w+b") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "edgebench.derive.child"],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=home,  # `-m` puts it first on sys.path: nothing may lie there
            start_new_session=True,
        )
        try:
            process.communicate(msgspec.json.encode(job), timeout=timeout_s)
            fault = _fault_of(process.returncode)
        except subprocess.TimeoutExpired:
            fault = f"no end after {timeout_s:g} s"
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        log.seek(0)
        lines = log.read().decode("utf-8", "replace").strip().splitlines()
    words = lines[-1].strip()[-_LAST_WORDS:] if lines else "it said nothing"
    return (f"{fault}: {words}" if fault else ""), words


def _fault_of(code: int) -> str:
    if code == -signal.SIGSYS:
        return "ended because it asked for a network"
    if code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return f"exit code {code}" if code else ""
