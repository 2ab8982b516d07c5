"""MNN's file by the runtime's own converter and quantiser, through their compiled entry points.

Reference: https://mnn-docs.readthedocs.io/en/latest/tools/convert.html and .../tools/quant.html.
The package's console scripts install another package and send what was converted to its maker;
the module ``_tools`` beneath them does the work alone. Its quantiser aborts where it finds a fault.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np

from edgebench.derive import contract
from edgebench.derive.contract import Job
from edgebench.derive.feeds import Feeds
from edgebench.errors import ModelRefusedError
from edgebench.records import Precision
from edgebench.specs import ModelFormat, sha256_of

_METHOD, _WEIGHTS = "KL", "MAX_ABS"


class Mnn:
    """The format ``mnn``."""

    format: ModelFormat = "mnn"
    sources: tuple[ModelFormat, ...] = ("onnx",)
    precisions: tuple[Precision, ...] = ("fp32", "fp16", "int8")
    suffix = "mnn"
    calibrated: tuple[Precision, ...] = ("int8",)
    tools: Mapping[str, str] = MappingProxyType({"mnn": "'edgebench[mnn]'"})

    def settings(self, precision: Precision) -> Mapping[str, str]:
        """How weights are stored, and what finds the scales of int8."""
        if precision == "int8":
            return {"weights": f"int8, {_WEIGHTS}", "activations": f"int8, {_METHOD}"}
        return {"weights": "float16" if precision == "fp16" else "float32"}

    def convert(self, job: Job) -> None:
        """Write the file.

        Raises:
            ModelRefusedError: The converter says no.
        """
        target = Path(job.target)
        plain = contract.scratch(job) / "plain.mnn" if job.precision == "int8" else target
        # Imported here: the parent asks this module for names and versions only.
        import _tools  # noqa: PLC0415

        line = ["mnnconvert", "-f", "ONNX", "--modelFile", job.source, "--MNNModel", str(plain)]
        line += ["--bizCode", "edgebench", *(["--fp16"] if job.precision == "fp16" else [])]
        if not _tools.mnnconvert(line) or not plain.is_file():
            raise ModelRefusedError("MNN's converter refuses the model (its log says why)")
        if job.precision == "int8":
            config = _calibration(job, plain)
            if not _tools.mnnquant(["mnnquant", str(plain), str(target), str(config)]):
                raise ModelRefusedError("MNN's quantiser refuses the model (its log says why)")
        _settle_uuid(target, job)
        _load(target)


def _load(target: Path) -> None:
    """Let the runtime load and compute the file once; where it crashes, this process does.

    Raises:
        ModelRefusedError: It cannot.
    """
    import MNN  # noqa: PLC0415 - as above

    net = MNN.Interpreter(str(target))
    session = net.createSession({})
    # It gives an error's number, or nothing where all is well.
    if session is None or net.runSession(session):
        raise ModelRefusedError("MNN cannot run what its own tools made (its log says why)")


def _calibration(job: Job, plain: Path) -> Path:
    """Write the images as the quantiser reads them (a folder and a text file an image)."""
    import MNN  # noqa: PLC0415 - as above

    samples = Feeds(job)
    net = MNN.Interpreter(str(plain))
    outputs = list(net.getSessionOutputAll(net.createSession({})))
    folder = contract.scratch(job) / "calibration"
    for number, sample in enumerate(samples):
        here = folder / str(number)
        here.mkdir(parents=True)
        named = [{"name": name, "shape": list(array.shape)} for name, array in sample.items()]
        # Without the names of its outputs the quantiser crashes.
        listed = {"inputs": named, "outputs": outputs}
        (here / "input.json").write_text(json.dumps(listed), encoding="utf-8")
        for name, array in sample.items():
            np.savetxt(here / f"{name}.txt", array.reshape(-1), fmt="%.9g")
    config = {
        "input_type": "sequence",
        "path": f"{folder}/",
        "used_sample_num": len(samples),
        "batch_size": 1,
        "feature_quantize_method": _METHOD,
        "weight_quantize_method": _WEIGHTS,
        "quant_bits": 8,
        # Of pictures, which these are not; the quantiser wants them all the same.
        "format": "RGB",
        "mean": [0.0, 0.0, 0.0],
        "normal": [1.0, 1.0, 1.0],
        "width": 1,
        "height": 1,
    }
    path = (
        contract.scratch(job) / "config.json"
    )  # all that lies in the folder is taken for an image
    path.write_text(json.dumps(config), encoding="utf-8")
    return path


def _settle_uuid(path: Path, job: Job) -> None:
    """Give the file a name that its source decides: the converter draws one at random.

    With it the same source gives the same bytes on every machine.
    """
    import MNN  # noqa: PLC0415 - as above

    drawn = str(MNN.get_model_uuid(str(path))).encode()
    data = path.read_bytes()
    settled = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{sha256_of(Path(job.source))} {job.precision}"))
    if len(drawn) == len(settled) and data.count(drawn) == 1:
        path.write_bytes(data.replace(drawn, settled.encode()))
