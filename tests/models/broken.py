"""Model files that are broken or made to harm: each a function that writes one and gives its path.

They are made of the bundled models' bytes, or written byte by byte with onnx.proto's field numbers.
"""

from __future__ import annotations

import json
import pickle
import random
import struct
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

from edgebench import resources

FLOAT, STRING = 1, 8
LARGE = 1 << 40
OUTSIDE = "outside.bin"
"""A file above the model's folder, which nothing may read into an answer or write."""
PWNED = "pwned"
"""A file above the model's folder that a model's code would make."""
Make = Callable[[Path], Path]
OPSET = 13


def bundled(name: str) -> bytes:
    return resources.open_workload("mnist_cnn").file(f"models/{name}").read_bytes()


# onnx.proto


def varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    made = bytearray()
    while value >= 0x80:
        made.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*made, value])


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def message(field: int, *content: bytes) -> bytes:
    whole = b"".join(content)
    return varint(field << 3 | 2) + varint(len(whole)) + whole


def words(field: int, value: str) -> bytes:
    return message(field, value.encode())


def node(kind: str, inputs: str, outputs: str, *attributes: bytes, domain: str = "") -> bytes:
    """A node of a graph; ``attributes`` as `attribute` makes them."""
    body = b"".join(words(1, one) for one in inputs.split())
    body += b"".join(words(2, one) for one in outputs.split()) + words(4, kind)
    return message(1, body, *attributes, words(7, domain) if domain else b"")


def attribute(
    name: str, *, graph: bytes = b"", held: bytes = b"", ints: Sequence[int] = ()
) -> bytes:
    if graph:
        return message(5, words(1, name), message(6, graph), number(20, 5))
    if held:  # a tensor, as a graph has it
        return message(5, words(1, name), held, number(20, 4))
    return message(5, words(1, name), *(number(8, one) for one in ints), number(20, 7))


def value(field: int, name: str, sizes: Sequence[int], kind: int = FLOAT) -> bytes:
    """An input (11) or output (12) of a graph."""
    dims = b"".join(message(1, number(1, size)) for size in sizes)
    return message(field, words(1, name), message(2, message(1, number(1, kind), message(2, dims))))


def tensor(name: str, sizes: Sequence[int], raw: bytes, *, kind: int = FLOAT) -> bytes:
    """A weight of a graph."""
    dims = b"".join(number(1, size) for size in sizes)
    return message(5, dims, number(2, kind), words(8, name), message(9, raw))


def external(name: str, sizes: Sequence[int], file: str, length: int) -> bytes:
    """A weight that lies in another file."""
    dims = b"".join(number(1, size) for size in sizes)
    where = {"location": file, "offset": "0", "length": str(length)}
    pairs = b"".join(message(13, words(1, key), words(2, told)) for key, told in where.items())
    return message(5, dims, number(2, FLOAT), words(8, name), pairs, number(14, 1))


def model(*graph: bytes, opset: int = OPSET) -> bytes:
    return (
        number(1, 8)
        + message(7, words(2, "g"), *graph)
        + message(8, words(1, ""), number(2, opset))
    )


VECTOR = value(11, "x", [1, 4]), value(12, "y", [1, 4])


def graph_file(name: str, *graph: bytes, opset: int = OPSET) -> Make:
    return content(f"{name}.onnx", model(*graph, opset=opset))


def weight_file(name: str, weight: bytes) -> Make:
    """A model that adds one weight to its input."""
    return graph_file(name, node("Add", "x w", "y"), *VECTOR, weight)


def content(name: str, data: bytes) -> Make:
    def make(folder: Path) -> Path:
        (folder / name).write_bytes(data)
        return folder / name

    return make


def cut(name: str, share: float) -> Make:
    """The first part of a bundled model."""
    data = bundled(name)
    stem, suffix = name.split(".")
    size = len(data) - 1 if share == 1 else int(len(data) * share)
    return content(f"{stem}_{share:g}.{suffix}", data[:size])


def edited(name: str, file: str, at: int, data: bytes) -> Make:
    """A bundled model with some of its bytes replaced."""
    whole = bytearray(bundled(file))
    whole[at : at + len(data)] = data
    return content(name, bytes(whole))


def noise(name: str, head: bytes = b"") -> Make:
    return content(name, head + random.Random(1).randbytes(5000))  # noqa: S311 - no secret


def zipped(name: str, **members: bytes) -> Make:
    def make(folder: Path) -> Path:
        with zipfile.ZipFile(folder / name, "w", zipfile.ZIP_DEFLATED) as archive:
            for member, data in members.items():
                archive.writestr(member, data)
        return folder / name

    return make


def nested(depth: int) -> bytes:
    """Branches within branches, each of which every reader enters by a call."""
    graph = words(2, "g")
    for _ in range(depth):
        graph = words(2, "g") + node("If", "x", "y", attribute("then_branch", graph=graph))
    return number(1, 8) + message(7, graph, *VECTOR) + message(8, words(1, ""), number(2, OPSET))


def endless() -> bytes:
    """A loop of 2^62 rounds."""
    body = node("Identity", "go", "still") + node("Add", "s s", "next")
    body += words(2, "b") + value(11, "i", [], 7) + value(11, "go", [], 9) + value(11, "s", [1, 4])
    body += value(12, "still", [], 9) + value(12, "next", [1, 4])
    loop = node("Loop", "n yes x", "y", attribute("body", graph=body))
    n = tensor("n", [], struct.pack("<q", 1 << 62), kind=7)
    return model(loop, *VECTOR, n, tensor("yes", [], b"\1", kind=9))


class Bomb:
    """What a pickle would do to whoever loads it; ``place`` is filled in when it is made."""

    place = ""

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return exec, (f"open({self.place!r}, 'w').close()",)


def pickled(folder: Path) -> Path:
    """A .pt2 whose parts are pickles that make a file."""
    Bomb.place = str(folder.parent / PWNED)
    data = pickle.dumps(Bomb(), protocol=2)
    with zipfile.ZipFile(folder / "pickled.pt2", "w") as archive:
        for name in ("data.pkl", "constants.pkl", "data/weights/model.pt"):
            archive.writestr(f"pickled/{name}", data)
        archive.writestr("pickled/version", b"3\n")
        archive.writestr("pickled/archive_format", b"pt2")
        archive.writestr("pickled/byteorder", b"little")
    return folder / "pickled.pt2"


def lambda_layer(folder: Path) -> Path:
    """A .keras whose layer is Python code."""
    code = {"class_name": "__lambda__", "config": {"code": "4wEAAAA=", "defaults": None}}
    layers = [
        {"class_name": "InputLayer", "config": {"batch_shape": [None, 4], "name": "x"}},
        {"class_name": "Lambda", "config": {"name": "l", "function": code}},
    ]
    config = {
        "module": "keras",
        "class_name": "Sequential",
        "config": {"name": "s", "layers": layers},
        "registered_name": None,
    }
    return zipped(
        "lambda.keras",
        **{"metadata.json": b"{}", "config.json": json.dumps(config).encode()},
    )(folder)


def folder_named(name: str) -> Make:
    def make(folder: Path) -> Path:
        (folder / name).mkdir()
        return folder / name

    return make


def saved_model(name: str, data: bytes) -> Make:
    def make(folder: Path) -> Path:
        (folder / name / "variables").mkdir(parents=True)
        (folder / name / "saved_model.pb").write_bytes(data)
        return folder / name

    return make


def dangling(folder: Path) -> Path:
    (folder / "dangling.onnx").symlink_to(folder / "nowhere.onnx")
    return folder / "dangling.onnx"


def pipe(folder: Path) -> Path:
    import os

    os.mkfifo(folder / "pipe.onnx")
    return folder / "pipe.onnx"


def unreadable(folder: Path) -> Path:
    """Root may read it all the same, and then it is a text file."""
    path = content("unreadable.onnx", b"nobody may read this\n")(folder)
    path.chmod(0)
    return path


def pair(name: str, first: bytes, second: bytes, suffix: str = ".bin") -> Make:
    def make(folder: Path) -> Path:
        path = content(name, first)(folder)
        path.with_suffix(suffix).write_bytes(second)
        return path

    return make


def another_program(folder: Path) -> Path:
    path = content("true.eim", Path("/bin/true").read_bytes())(folder)
    path.chmod(0o755)
    return path


def short(folder: Path) -> Path:
    (folder / "short.bin").write_bytes(b"1234")
    return weight_file("short", external("w", [1, 4], "short.bin", 16))(folder)


def absent(folder: Path) -> Path:
    return folder / "absent.onnx"


NAN = struct.pack("<4f", *[float("nan")] * 4)
ONES = struct.pack("<4f", 1, 1, 1, 1)
PARAM = b"7767517\n2 2\nInput in 0 1 in 0=4\nInnerProduct fc 1 1 in out 0=4 1=1 2=16\n"
ENTITIES = b"".join(b'<!ENTITY %c "%s">' % (97 + n, b"&%c;" % (96 + n) * 10) for n in range(1, 26))
LAUGHS = b"""<?xml version="1.0"?><!DOCTYPE n [<!ENTITY a "ha">%s]>
<net name="&z;" version="11"></net>"""
BROKEN: dict[str, Make] = {
    "onnx cut at 10 %": cut("fp32.onnx", 0.1),
    "onnx cut at 60 %": cut("fp32.onnx", 0.6),
    "onnx less its last byte": cut("fp32.onnx", 1),
    "tflite cut at 10 %": cut("fp32.tflite", 0.1),
    "tflite cut at 60 %": cut("fp32.tflite", 0.6),
    "tflite less its last byte": cut("fp32.tflite", 1),
    "opset 99": graph_file("opset", node("Relu", "x", "y"), *VECTOR, opset=99),
    "unknown operator": graph_file("operator", node("Sigmoids", "x", "y"), *VECTOR),
    "unknown domain": graph_file("domain", node("Relu", "x", "y", domain="evil"), *VECTOR),
    "wrong inputs of an operator": graph_file("arity", node("Conv", "x", "y"), *VECTOR),
    "missing external data": weight_file("missing", external("w", [1, 4], "w.bin", 16)),
    "external data that climb": weight_file("climb", external("w", [1, 4], f"../{OUTSIDE}", 16)),
    "external data, absolute": weight_file("rooted", external("w", [1, 4], "/etc/passwd", 16)),
    "external data too short": short,
    "empty .onnx": content("empty.onnx", b""),
    "empty .tflite": content("empty.tflite", b""),
    "text as .onnx": content("text.onnx", b"hello\n"),
    "text as .tflite": content("text.tflite", b"hello, this is a text and no model\n"),
    "text as .mnn": content("text.mnn", b"hello\n"),
    "html as .onnx": content("page.onnx", b"<!DOCTYPE html><html>404</html>"),
    "noise as .onnx": noise("noise.onnx"),
    "noise as .tflite": noise("noise.tflite"),
    "noise behind TFL3": noise("noise_head.tflite", struct.pack("<I4s", 8, b"TFL3")),
    "noise as .mnn": noise("noise.mnn"),
    "zeros as .mnn": content("zeros.mnn", bytes(4096)),
    "noise as .pt2": noise("noise.pt2", b"PK\3\4"),
    "noise as .keras": noise("noise.keras", b"PK\3\4"),
    "huge weight": weight_file("weight", tensor("w", [LARGE], b"")),
    "huge input": graph_file(
        "input", node("Relu", "x", "y"), value(11, "x", [1, LARGE]), value(12, "y", [1, LARGE])
    ),
    "sizes whose product wraps": graph_file(
        "wraps",
        node("Relu", "x", "y"),
        value(11, "x", [1, 1 << 32, 1 << 32]),
        value(12, "y", [1, 1 << 32, 1 << 32]),
    ),
    "huge activation": graph_file(
        "expand",
        node("Expand", "x w", "y"),
        value(11, "x", [1]),
        value(12, "y", [LARGE]),
        tensor("w", [1], struct.pack("<q", LARGE), kind=7),
    ),
    "negative size of a weight": weight_file("negative", tensor("w", [-4], ONES)),
    "negative size of an input": graph_file(
        "minus", node("Relu", "x", "y"), value(11, "x", [1, -4]), value(12, "y", [1, -4])
    ),
    "input of no numbers": graph_file(
        "none", node("Relu", "x", "y"), value(11, "x", [1, 0]), value(12, "y", [1, 0])
    ),
    "input of words": graph_file(
        "strings",
        node("Identity", "x", "y"),
        value(11, "x", [1], STRING),
        value(12, "y", [1], STRING),
    ),
    "no inputs": graph_file("inputs", node("Relu", "w", "y"), VECTOR[1], tensor("w", [1, 4], ONES)),
    "no outputs": graph_file("outputs", node("Relu", "x", "y"), VECTOR[0]),
    "no nodes": graph_file("nodes", *VECTOR),
    "no graph": content("graph.onnx", number(1, 8)),
    "weight of another length": weight_file("length", tensor("w", [1, 4], ONES[:9])),
    "cycle": graph_file(
        "cycle", node("Add", "x b", "a"), node("Relu", "a", "b"), node("Relu", "a", "y"), *VECTOR
    ),
    "branches 5,000 deep": content("deep.onnx", nested(5000)),
    "loop without end": content("endless.onnx", endless()),
    "weights that are NaN": weight_file("nan", tensor("w", [1, 4], NAN)),
    "escape in a name": graph_file(
        "escape", node("Rel\x1b[2J", "x", "y"), value(11, "x", [1, 4]), value(12, "y", [1, 4])
    ),
    "tflite: bad root": edited("root.tflite", "fp32.tflite", 0, b"\xff\xff\xff\x7f"),
    "tflite: root into itself": edited("itself.tflite", "fp32.tflite", 0, b"\4\0\0\0"),
    "tflite: another identifier": edited("identifier.tflite", "fp32.tflite", 4, b"TFL9"),
    "tflite: wild offsets": edited("offsets.tflite", "fp32.tflite", 24, b"\xf0\xff\xff\x7f" * 40),
    "folder named .onnx": folder_named("folder.onnx"),
    "xml without its bin": content("alone.xml", b"<net name='a' version='11'></net>"),
    "xml without a network": pair("nothing.xml", b"<net name='a' version='11'></net>", b""),
    "xml cut off": pair("cut.xml", b"<net name='a' version='11'><layers>", b""),
    "xml of entities": pair("laughs.xml", LAUGHS % ENTITIES, b""),
    "param without its bin": content("alone.param", PARAM),
    "param with a short bin": pair("short.param", PARAM, b"\0\0"),
    "param of 10^9 layers": pair("many.param", b"7767517\n1000000000 1000000000\n", b""),
    "empty folder": folder_named("empty_saved_model"),
    "SavedModel without bytes": saved_model("no_bytes", b""),
    "SavedModel of noise": saved_model("noisy", random.Random(2).randbytes(999)),  # noqa: S311 - as above
    "keras: zip cut": content("cut.keras", b"PK\3\4" + bytes(30)),
    "keras: no model": zipped("nothing.keras", **{"metadata.json": b"{}"}),
    "keras: code in a layer": lambda_layer,
    "pt2: no model": zipped("nothing.pt2", **{"archive/version": b"1"}),
    "pt2: pickles that act": pickled,
    "eim: another program": another_program,
    "eim: not executable": content("closed.eim", b"\x7fELF" + bytes(60)),
    "eim: text": content("text.eim", b"#!/bin/sh\necho hello\n"),
    "dangling link": dangling,
    "pipe": pipe,
    "unreadable": unreadable,
    "absent": absent,
    "blanks and escapes in the file's name": content("a b\x1b[2J\n.onnx", b"hello"),
}  # fmt: skip
