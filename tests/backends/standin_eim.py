"""An executable that speaks an Edge Impulse ``.eim``'s protocol, a real TFLite model behind it.

`write` makes one: a Python script with a shebang, as a vendor's build is a program with an ELF
head. It answers as the vendor's public ``eim.cpp`` does: it counts braces to find the end of a
request, ends replies with a line feed and a NUL, and packs pixels as the vendor's image block
unpacks them. ``fault`` makes it fail in one of the ways that programs fail.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import mmap
import os
import secrets
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

GRAY = np.array([0.299, 0.587, 0.114])
"""Weights of red, green and blue in the vendor's image block."""
CAMERA, TFLITE_FULL = 3, 4


def write(path: Path, model: Path, **changes: object) -> Path:
    """An executable.

    Args:
        path: Where to.
        model: A TFLite model of (1, height, width, channels), float32.
        changes: ``labels`` (its classes), ``shm``, ``pixels``, ``fault``, or other members of
            ``model_parameters``.
    """
    told = {"model": str(model), "mark": mark(path), **changes}
    path.write_text(
        f"#!{sys.executable}\n"
        "import json, sys\n"
        f"sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "import standin_eim\n"
        f"standin_eim.main(json.loads({json.dumps(told)!r}), sys.argv[1])\n",
        encoding="utf-8",
    )
    path.chmod(0o755)
    return path


def mark(path: Path) -> str:
    """What the names of an executable's shared memory have in common."""
    return "shm-" + hashlib.sha256(str(path.absolute()).encode()).hexdigest()[:12]


class StandIn:
    """The model and its shared memory.

    Args:
        told: What `write` was given.
    """

    def __init__(self, told: dict[str, Any]) -> None:
        from ai_edge_litert.interpreter import Interpreter

        self.fault = told.pop("fault", "")
        self._pixels = told.pop("pixels", True)
        with_shm, name = told.pop("shm", True), told.pop("mark")
        self._interpreter = Interpreter(model_path=told.pop("model"), num_threads=1)
        self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._output = self._interpreter.get_output_details()[0]["index"]
        self._shape = tuple(map(int, self._interpreter.get_input_details()[0]["shape"]))
        _, height, width, channels = self._shape
        self.labels = list(told["labels"])
        self.features = height * width * (1 if self._pixels else channels)
        self.parameters = {
            "input_features_count": self.features,
            "sensor": CAMERA if self._pixels else -1,
            "frequency": 0,
            "interval_ms": 1,
            "axis_count": 1,
            "image_input_width": width if self._pixels else 0,
            "image_input_height": height if self._pixels else 0,
            "image_input_frames": 1 if self._pixels else 0,
            "image_channel_count": channels if self._pixels else 0,
            "image_resize_mode": "squash",
            "label_count": len(self.labels),
            "has_anomaly": 0,
            "has_object_tracking": False,
            "model_type": "classification",
            "slice_size": self.features // 4,
            "use_continuous_mode": False,
            "inferencing_engine": TFLITE_FULL,
            "thresholds": [],
            **told,
        }
        self.shm: Path | None = None
        if with_shm:
            self.shm = Path("/dev/shm") / f"{name}-{secrets.token_hex(6)}"  # noqa: S108 - shm_open(3)
            self.shm.write_bytes(bytes(4 * self.features))
            with self.shm.open("r+b") as file:
                self._shared = np.frombuffer(mmap.mmap(file.fileno(), 0), np.float32)

    def hello(self) -> dict[str, Any]:
        """What the model is."""
        reply: dict[str, Any] = {
            "success": True,
            "project": {"id": 1, "owner": "edgebench", "name": "stand-in", "deploy_version": 3},
            "model_parameters": self.parameters,
            "inferencing_engine": {"engine_type": TFLITE_FULL, "properties": []},
        }
        if self.shm is not None:
            reply["features_shm"] = {
                "name": f"/{self.shm.name}",
                "size_bytes": 4 * self.features,
                "type": "float32",
                "elements": self.features,
            }
        return reply

    def handle(self, request: dict[str, Any]) -> dict[str, Any]:
        """A reply, without its ``id``."""
        if "hello" in request:
            return self.hello()
        if "classify_shm" in request and self.shm is not None:
            count, features = request["classify_shm"].get("elements", -1), self._shared
        elif "classify" in request:
            count, features = len(request["classify"]), request["classify"]
        else:
            return {"success": False, "error": "Failed to handle message"}
        if count != self.features:
            words = f"Invalid number of features, expected {self.features} but got {count}"
            return {"success": False, "error": words}
        return self.classify(np.asarray(features, np.float32))

    def classify(self, features: NDArray[np.float32]) -> dict[str, Any]:
        """Scores, and how long signal processing and model took."""
        stamps = [time.perf_counter()]
        self._interpreter.set_tensor(self._input, self._unpacked(features))
        stamps.append(time.perf_counter())
        self._interpreter.invoke()
        scores = self._interpreter.get_tensor(self._output)[0].astype(np.float64)
        stamps.append(time.perf_counter())
        scores = np.exp(scores - scores.max())
        scores /= scores.sum()
        taken = [1e6 * (after - before) for before, after in itertools.pairwise(stamps)]
        found = dict(zip(self.labels, map(float, scores.astype(np.float32)), strict=True))
        return {
            "success": True,
            "result": {"classification": found, "anomaly": 0.0},
            "timing": {
                "dsp": int(taken[0] / 1e3),
                "classification": int(taken[1] / 1e3),
                "anomaly": 0,
                "json": 0,
                "stdin": 0,
                "dsp_us": int(taken[0]),
                "classification_us": int(taken[1]),
            },
        }

    def _unpacked(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """The model's input: shares of 255, of pixels or of plain values."""
        if not self._pixels:
            return features.reshape(self._shape)
        packed = features.astype(np.uint32)[:, None]
        colours = (packed >> np.array([16, 8, 0], np.uint32) & 0xFF).astype(np.float64) / 255
        if self._shape[3] == 1:
            colours = colours @ GRAY
        return colours.astype(np.float32).reshape(self._shape)

    def leave(self, *_: object) -> None:
        """Clean up and end."""
        if self.shm is not None:
            self.shm.unlink(missing_ok=True)
        os._exit(0)


def main(told: dict[str, Any], path: str) -> None:
    """Serve one client on a socket until it hangs up."""
    sys.stdout.write(f"listening for JSON messages on socket '{path}'\n")
    sys.stdout.flush()
    at_start(told.get("fault", ""))
    standin = StandIn(told)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, standin.leave)
    if standin.fault == "stubborn":
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    server.bind(path)
    server.listen(10)
    client, _ = server.accept()
    count = 0
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        for text in requests(client):
            request = json.loads(text)
            reply = {**standin.handle(request), "id": request.get("id")}
            count += 1
            client.sendall(answered(standin.fault, count, reply, client))
    if standin.fault == "stubborn":
        time.sleep(3600)
    standin.leave()


def requests(client: socket.socket) -> Iterator[bytes]:
    """Requests as they become complete: as many braces closed as opened."""
    text, opened = bytearray(), 0
    while data := client.recv(1 << 20):
        if not text and data.count(b"{") == data.count(b"}"):
            yield data
            continue
        for byte in data:
            text.append(byte)
            opened += (byte == ord("{")) - (byte == ord("}"))
            if opened == 0:
                yield bytes(text)
                text.clear()


def at_start(fault: str) -> None:
    """Faults before there is a socket."""
    if fault == "exits":
        sys.stderr.write("cannot load model: planted\n")
        sys.exit(3)
    if fault == "no socket":
        time.sleep(3600)


def packed(reply: dict[str, Any]) -> bytes:
    """A reply as the vendor's executable ends it."""
    return json.dumps(reply).encode() + b"\n\0"


def answered(fault: str, count: int, reply: dict[str, Any], client: socket.socket) -> bytes:
    """The bytes of reply number ``count``, or what the fault makes of them.

    The first inference is sound: it is later ones that fail.
    """
    if fault in AT_HELLO and count == 1:
        return AT_HELLO[fault]
    if fault in LATER and count > FIRST_INFERENCE:
        return LATER[fault](reply, client)
    return packed(reply)


def _fail(reply: dict[str, Any], _: socket.socket) -> bytes:
    error = "Classifying failed, error code was -5"
    return packed({"id": reply["id"], "success": False, "error": error})


def _lose_a_label(reply: dict[str, Any], _: socket.socket) -> bytes:
    reply["result"]["classification"].popitem()
    return packed(reply)


def _die(*_: object) -> bytes:
    sys.stderr.write("planted: about to die\n")
    sys.stderr.flush()
    os.kill(os.getpid(), signal.SIGSEGV)
    return b""


def _sleep(*_: object) -> bytes:
    time.sleep(3600)
    return b""


def _eat(*_: object) -> bytes:
    hoard = np.ones(1 << 26)  # 512 MiB, touched
    time.sleep(3600 + hoard[0])
    return b""


def _send_half(reply: dict[str, Any], client: socket.socket) -> bytes:
    whole = packed(reply)
    client.sendall(whole[: len(whole) // 2])
    return b""


def _send_pieces(reply: dict[str, Any], client: socket.socket) -> bytes:
    whole = packed(reply)
    for start in range(0, len(whole), 40):
        client.sendall(whole[start : start + 40])
        time.sleep(0.0005)
    return b""


def _send_half_and_die(reply: dict[str, Any], client: socket.socket) -> bytes:
    _send_half(reply, client)
    os._exit(4)


FIRST_INFERENCE = 2
"""Its number among the replies; the first of all is to ``hello``."""
AT_HELLO = {
    "garbage at hello": b"\x7fnot json\0",
    "hello fails": packed({"id": 1, "success": False, "error": "planted: no licence"}),
}
LATER: dict[str, Callable[[dict[str, Any], socket.socket], bytes]] = {
    "garbage": lambda *_: b"{garbage}\0",
    "fails": _fail,
    "no id": lambda *_: packed({"error": "planted: an exception"}),
    "wrong id": lambda reply, _: packed({**reply, "id": 1}),
    "no classification": lambda reply, _: packed({**reply, "result": {"bounding_boxes": []}}),
    "label missing": _lose_a_label,
    "dies": _die,
    "eats": _eat,
    "hangs": _sleep,
    "half a reply": _send_half,
    "half a reply, then death": _send_half_and_die,
    "in pieces": _send_pieces,
    "huge": lambda *_: b"{" + b" " * (64 << 20) + b"}\0",
}
