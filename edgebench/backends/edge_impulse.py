"""Edge Impulse's ``.eim`` executables, through their socket (`eim_process.py`).

Reference: https://docs.edgeimpulse.com/tools/libraries/sdks/inference/linux. Written against the
vendor's public sources and an executable of ours; not verified against a build of the vendor's.
Latency is a client's: the model, its signal processing, JSON and the way through the socket.
"""

from __future__ import annotations

import math
import statistics
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgebench.backends.eim_process import Answer, EimProcess
from edgebench.errors import ModelRefusedError
from edgebench.protocols import Feeds, Probe, Settings, Tensor
from edgebench.records import PRECISIONS, Effective

_UNVERIFIED = "not verified against a vendor build"
_BESIDE = (
    "precision as the workload states it, it cannot be read back; parity after softmax; "
    "latency includes the socket"
)
_PROTOCOL = "hello 1"
_TIMEOUT_S, _LEAST_S = 30.0, 0.01
_TUNING = ("spinning", "denormals_as_zero", "arena", "memory_pattern")
"""What `Case.tuning` is about; the protocol has none of it."""
_OPTIONS = ("features", "shape", "transport", "timeout_s")
_CAMERA = 3
"""EI_CLASSIFIER_SENSOR_CAMERA, in ei_model_types.h of the vendor's SDK."""
_ENGINES = {1: "uTensor", 2: "TFLite (micro or EON)", 4: "TFLite", 6: "TensorRT", 9: "Akida"}
_CPU_ENGINES = (2, 4)
"""Engines that compute on the CPU where ``hello`` tells of no delegate."""
_BYTE = 255
_ROUNDING = 0.5
_TIMINGS = 4096
"""Replies whose timing is kept."""
_GRAY = 0x010101
_RGB = np.array([1 << 16, 1 << 8, 1], np.float32)

Kind = Literal["pixels", "values"]


class EdgeImpulse:
    """The backend ``edge-impulse``; precision and accelerator are what the file was built with."""

    name = "edge-impulse"
    formats: tuple[str, ...] = ("eim",)
    precisions: tuple[str, ...] = PRECISIONS

    def probe(self) -> Probe:
        """Always there: the file brings its runtime along."""
        return Probe(
            name=self.name,
            available=True,
            version=_PROTOCOL,
            formats=self.formats,
            precisions=self.precisions,
            reason=_UNVERIFIED,
        )

    def open(self, model: Path, settings: Settings) -> EdgeImpulseSession:
        """Start the executable and ask it what it is."""
        if settings.accelerator != "cpu":
            raise ModelRefusedError(
                f"an .eim runs where it was built to, not on {settings.accelerator!r}"
            )
        if settings.batch != 1:
            raise ModelRefusedError(f"an .eim takes one input at a time, not {settings.batch}")
        if unknown := sorted(set(settings.options) - set(_OPTIONS)):
            raise ModelRefusedError(
                f"edge-impulse has no option {unknown[0]!r} (known: {', '.join(_OPTIONS)})"
            )
        return EdgeImpulseSession(model, settings)


class EdgeImpulseSession:
    """One executable; inputs wait as features, numbers in its shared memory or as JSON."""

    caveats = (f"edge-impulse: {_UNVERIFIED}; {_BESIDE}",)

    def __init__(self, model: Path, settings: Settings) -> None:
        self._shared: NDArray[np.float32] | None = None
        options = settings.options
        self._process = EimProcess(model, _seconds(options.get("timeout_s", str(_TIMEOUT_S))))
        try:
            self._number = 1
            self._process.exchange(b'{"hello": 1, "id": 1}')
            self._hello = self._process.answer(1)
            # First of all: what has no name any more cannot be left behind.
            self._shared = self._share(options.get("transport"))
            self._model = _Model.of(self._hello, options)
            self._convert = _converter(self._model, settings)
            self._check_shared()
        except BaseException:
            self.close()
            raise
        shape = (1, *self._model.shape)
        self.inputs = (Tensor(name="features", shape=shape, dtype="float32", layout="NHWC"),)
        self.outputs = (
            Tensor(
                name="classification",
                shape=(1, len(self._model.labels)),
                dtype="float32",
                probabilities=True,
            ),
        )
        self._ring: list[NDArray[np.float32] | bytes] = []
        self._request = b""
        self._last: Answer | None = self._hello
        self._timing: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=_TIMINGS))

    @property
    def helpers(self) -> tuple[int, ...]:
        """The process that computes: its memory and CPU time are the session's."""
        return (self._process.pid,)

    def _share(self, transport: str | None) -> NDArray[np.float32] | None:
        """The executable's shared memory; None where it has none, or JSON is asked for."""
        if transport not in (None, "shm", "json"):
            raise ModelRefusedError(f"transport = {transport!r} is not one of shm, json")
        told = self._hello.features_shm
        if told is None and transport == "shm":
            raise ModelRefusedError("the .eim offers no shared memory", remedy="transport = 'json'")
        if told is None:
            return None
        if told.get("type") != "float32":
            raise ModelRefusedError(f"its shared memory holds {told.get('type')!r}, not float32")
        shared = self._process.share(str(told.get("name")), _count(told, "elements"))
        return None if transport == "json" else shared

    def _check_shared(self) -> None:
        held = self._model.features if self._shared is None else len(self._shared)
        if held != self._model.features:
            raise ModelRefusedError(
                f"its shared memory holds {held} numbers, its input has {self._model.features}"
            )

    def bind(self, ring: Sequence[Feeds]) -> None:
        """The ring as features, converted once."""
        self._ring = [self._prepared(feeds) for feeds in ring]

    def _prepared(self, feeds: Feeds) -> NDArray[np.float32] | bytes:
        features = self._convert(feeds[self.inputs[0].name])
        if self._shared is not None:
            return features
        if not np.isfinite(features).all():
            raise ModelRefusedError("the inputs are not all finite: JSON has no other numbers")
        return b'{"classify": ' + msgspec.json.encode(features.tolist())

    def stage(self, slot: int) -> None:
        """Write the slot where the executable reads it; and see that its last answer was one."""
        self._verify()
        self._put(self._ring[slot])

    def _put(self, prepared: NDArray[np.float32] | bytes) -> None:
        self._number += 1
        if self._shared is None:
            self._request = b'%s, "id": %d}' % (prepared, self._number)
        else:
            self._shared[...] = prepared
            self._request = b'{"classify_shm": {"elements": %d}, "id": %d}' % (
                self._model.features,
                self._number,
            )

    def feed(self, inputs: Feeds) -> None:
        """Fresh inputs as features."""
        self._verify()
        self._put(self._prepared(inputs))

    def invoke(self) -> None:
        """A request and its reply, which `read` reads."""
        self._last = None
        self._process.exchange(self._request)

    def _verify(self) -> Answer:
        """The reply to the last request; a failed inference may not pass for a quick one."""
        if self._last is None:
            self._last = self._process.answer(self._number)
            for name, value in self._last.timing.items():
                if isinstance(value, (int, float)):
                    self._timing[name].append(value)
        return self._last

    def read(self) -> dict[str, NDArray[Any]]:
        """Probabilities in the order of the model's labels."""
        found = self._verify().result.get("classification")
        if not isinstance(found, dict):
            raise ModelRefusedError("its answer has no classification")
        if missing := [label for label in self._model.labels if label not in found]:
            raise ModelRefusedError(f"its answer lacks the label {missing[0][:80]!r}")
        try:
            row = np.array([[found[label] for label in self._model.labels]], np.float32)
        except (TypeError, ValueError):
            raise ModelRefusedError(
                "its classification holds something else than numbers"
            ) from None
        return {self.outputs[0].name: row}

    def effective(self) -> Effective:
        """What ``hello`` tells; of precision and threads it tells nothing."""
        engine = self._model.engine
        told = self._hello.inferencing_engine
        properties = told.get("properties") if isinstance(told, dict) else None
        on_cpu = engine in _CPU_ENGINES and properties == []
        project = self._hello.project
        return Effective(
            backend_version=f"{_PROTOCOL}, deploy {project.get('deploy_version', 'unknown')}",
            accelerator="cpu" if on_cpu else None,
            tuning=dict.fromkeys(_TUNING, "unsettable"),
            words="; ".join(self._words(properties)),
        )

    def _words(self, properties: object) -> list[str]:
        engine, project = self._model.engine, self._hello.project
        count = max((len(seen) for seen in self._timing.values()), default=0)
        medians = {name: statistics.median(seen) for name, seen in sorted(self._timing.items())}
        words = [
            f"{project.get('owner')}/{project.get('name')}",
            f"engine {engine} {_ENGINES.get(engine or 0, '')}".rstrip(),
            f"delegates {properties if properties is not None else 'not told'}",
            "precision and threads as built, neither can be read back",
            f"features: {self._model.features} {self._model.kind}",
            "classify through " + ("JSON" if self._shared is None else "shared memory"),
        ]
        words += ["its anomaly score is ignored"] if self._model.has_anomaly else []
        if medians:
            told = " ".join(f"{name}={value:g}" for name, value in medians.items())
            words.append(f"the vendor's own timing (ms, or us by name), {count} replies: {told}")
        return [*words, "latency includes the socket", _UNVERIFIED]

    def close(self) -> None:
        """End the executable; nothing of it stays."""
        self._shared = None
        self._process.close()


class _Model(NamedTuple):
    """What ``hello`` says of the model, checked."""

    labels: tuple[str, ...]
    features: int
    shape: tuple[int, int, int]
    """Height, width, channels of the workload's inputs."""
    kind: Kind
    engine: int | None
    has_anomaly: bool

    @classmethod
    def of(cls, hello: Answer, options: dict[str, str]) -> _Model:
        told = hello.model_parameters
        kind = told.get("model_type", "classification")
        if kind != "classification":
            raise ModelRefusedError(
                f"an .eim for {str(kind)[:40]} is not supported, classification is"
            )
        labels = told.get("labels")
        if not isinstance(labels, list) or not labels:
            raise ModelRefusedError("the .eim names no labels: it classifies nothing")
        features = _count(told, "input_features_count")
        if not features:
            raise ModelRefusedError("the .eim does not tell how many features it takes")
        if (frames := _count(told, "image_input_frames")) > 1:
            raise ModelRefusedError(f"the .eim takes {frames} images at once, one is supported")
        shape = _shape(told, options.get("shape"))
        return cls(
            labels=tuple(map(str, labels)),
            features=features,
            shape=shape,
            kind=_kind(told, shape, features, options.get("features")),
            engine=_count(told, "inferencing_engine") or None,
            has_anomaly=bool(told.get("has_anomaly")),
        )


def _count(told: dict[str, Any], name: str) -> int:
    """A number of ``hello``; 0 where there is none."""
    value = told.get(name)
    return int(value) if isinstance(value, (int, float)) and math.isfinite(value) else 0


def _shape(told: dict[str, Any], stated: str | None) -> tuple[int, int, int]:
    """Height, width, channels: as the user states them, else as ``hello`` tells them."""
    if stated is None:
        names = ("image_input_height", "image_input_width", "image_channel_count")
        height, width, channels = (_count(told, name) for name in names)
    else:
        try:
            height, width, channels = (int(size) for size in stated.split(","))
        except ValueError:
            raise ModelRefusedError(f"shape = {stated!r} is not like '28,28,1'") from None
    if min(height, width, channels) <= 0:
        raise ModelRefusedError(
            "the .eim tells no image size",
            remedy="state the option shape = 'height,width,channels'",
        )
    return height, width, channels


def _kind(
    told: dict[str, Any], shape: tuple[int, int, int], features: int, stated: str | None
) -> Kind:
    """One feature a pixel, or one a value; the number of features has the last word."""
    height, width, channels = shape
    needs: dict[str, int] = {"pixels": height * width, "values": height * width * channels}
    if stated is None:
        camera = told.get("sensor") == _CAMERA or _count(told, "image_input_width") > 0
        stated = "pixels" if camera and features == needs["pixels"] else "values"
    if stated not in needs:
        raise ModelRefusedError(f"features = {stated!r} is not one of pixels, values")
    if needs[stated] != features:
        raise ModelRefusedError(
            f"the .eim takes {features} features, an input of {shape} has {needs[stated]} {stated}"
        )
    return "pixels" if stated == "pixels" else "values"


def _converter(model: _Model, settings: Settings) -> Callable[[NDArray[Any]], NDArray[np.float32]]:
    """From an input of the ring to features."""
    if model.kind == "values":
        return lambda image: np.array(image, np.float32).reshape(-1)
    if not settings.mean or not settings.std:
        raise ModelRefusedError("pixels need the workload's mean and std, which are not known")
    if model.shape[2] not in (1, 3):
        raise ModelRefusedError(f"an image of {model.shape[2]} channels is no picture")
    mean, std = np.asarray(settings.mean), np.asarray(settings.std)
    weights = np.float32(_GRAY) if model.shape[2] == 1 else _RGB

    def packed(image: NDArray[Any]) -> NDArray[np.float32]:
        pixels = np.asarray(image, np.float64).reshape(-1, model.shape[2]) * std + mean
        if pixels.min() < -_ROUNDING or pixels.max() > _BYTE + _ROUNDING:
            raise ModelRefusedError(
                f"the inputs are no pixels once mean and std are undone: {pixels.min():.4g} to "
                f"{pixels.max():.4g}"
            )
        whole = np.clip(np.rint(pixels), 0, _BYTE).astype(np.float32)
        features: NDArray[np.float32] = (whole * weights).sum(axis=1, dtype=np.float32)
        return features  # below 2^24: exact

    return packed


def _seconds(stated: str) -> float:
    try:
        seconds = float(stated)
    except ValueError:
        seconds = math.nan
    if not _LEAST_S <= seconds < math.inf:
        raise ModelRefusedError(f"timeout_s = {stated!r} is no number of seconds from {_LEAST_S}")
    return seconds
