"""A user's workload of ``.eim`` files, as the README tells to make one."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import standin_eim
import tomli_w

from edgebench import resources
from edgebench.protocols import Settings
from edgebench.specs import Workload, read_toml, sha256_of

NAME = "my_eim"


def standin(
    path: Path,
    workload_name: str = "mnist_cnn",
    precision: str = "fp32",
    **changes: Any,  # noqa: ANN401 - any of `standin_eim.write`
) -> Path:
    """A stand-in with a bundled workload's model behind it; there is no bf16 file, fp32 must do."""
    workload = resources.open_workload(workload_name)
    found = workload.model("tflite", precision) or workload.model("tflite", "fp32")
    assert found is not None
    model = workload.path_of(found)
    return standin_eim.write(path, model, **{"labels": workload.spec.labels, **changes})


def settings(workload_name: str = "mnist_cnn", **options: str) -> Settings:
    """As a worker opens a session."""
    pre = resources.open_workload(workload_name).spec
    return Settings(mean=pre.mean, std=pre.std, options=options)


def make(
    root: Path, workload_name: str = "mnist_cnn", *, name: str = NAME, **faults: str
) -> Workload:
    """A workload below ``root`` (for EDGEBENCH_PATH) with an ``.eim`` for each precision named.

    Args:
        root: Its folder is ``workloads/NAME`` in it.
        workload_name: The bundled workload whose models and inputs it has.
        name: Its own name.
        faults: Precision to what is wrong with its file; ``fp32=""`` is sound.
    """
    source = resources.open_workload(workload_name)
    folder = root / "workloads" / name
    folder.mkdir(parents=True)
    told = read_toml(source.folder / "workload.toml")
    for key in ("reference", "samples"):
        if key in told:
            shutil.copy(source.file(told[key]["path"]), folder)
    told |= {"name": name, "default": False, "models": []}
    told.pop("calibration", None)
    for precision, fault in faults.items():
        path = standin(folder / f"{precision}.eim", workload_name, precision, fault=fault)
        told["models"].append(
            {
                "path": path.name,
                "format": "eim",
                "precision": precision,
                "layout": "NHWC",
                "sha256": sha256_of(path),
                "size_byte": path.stat().st_size,
            }
        )
    (folder / "workload.toml").write_text(tomli_w.dumps(told), encoding="utf-8")
    return resources.open_workload(str(folder))
