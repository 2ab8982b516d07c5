"""The door of the zoo: build a workload beside the old one, then swap the folders."""

from __future__ import annotations

import importlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from edgebench.errors import UsageError
from edgebench.zoo import manifest

if TYPE_CHECKING:
    from collections.abc import Callable

BUILD_REMEDY = "pip install 'edgebench[build]'"
_MODULES = {
    "classifier": "pipeline",
    "seeded": "seeded",
    "detector": "detector",
    "segmenter": "segmenter",
}


def build(name: str, data: Path | None, out: Path, say: Callable[[str], None]) -> None:
    """Make a bundled workload from its recipe and write its whole folder anew.

    The recipe is read from ``out/workload.toml``; its version is kept. The folder is replaced
    only when everything is done, so a build that fails or is interrupted changes nothing.

    Args:
        name: The workload; must be the one that the file names.
        data: The folder with the data set's file; None where the recipe needs none.
        out: The workload's folder.
        say: Gets one line a step.

    Raises:
        UsageError: The recipe, the data set or the installed packages do not allow it.
    """
    out = out.resolve()
    document = manifest.read(out)
    kind = manifest.kind_of(document)
    recipe = manifest.recipe_of(document) if kind == "classifier" else None
    if document.get("name") != name:
        message = f"{out / manifest.FILE_NAME} describes {document.get('name')!r}, not {name!r}"
        raise UsageError(message, remedy=f"give the folder of {name}")
    if recipe is not None and data is None:
        message = f"{name} is trained on the data set {recipe.dataset}, and no folder was given"
        raise UsageError(message, remedy="name the folder that holds it: --data FOLDER")
    _quieten()
    try:
        # Imported here: TensorFlow takes seconds, and only a build needs it.
        maker = importlib.import_module(f"edgebench.zoo.{_MODULES[kind]}")
    except ModuleNotFoundError as error:
        message = f"building a workload needs the package of {error.name}"
        raise UsageError(message, remedy=BUILD_REMEDY) from error
    # Beside the old folder: a rename must not cross file systems.
    scratch = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    try:
        fresh = scratch / "new"
        shutil.copytree(out, fresh, ignore=shutil.ignore_patterns("models", "*.npz"))
        maker.run(fresh, data, say)
        swap(fresh, out, scratch / "old")
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def swap(fresh: Path, out: Path, aside: Path) -> None:
    """Put a folder into the place of another, and the old one back if that fails.

    Args:
        fresh: The new folder, on the same file system.
        out: The folder to replace.
        aside: Where the old one goes; must not exist.

    Raises:
        OSError: A rename failed; ``out`` is then as it was.
    """
    out.rename(aside)
    try:
        fresh.rename(out)
    except OSError:
        aside.rename(out)
        raise


def _quieten() -> None:
    """Settle what the frameworks read from the environment when they are imported."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ["KERAS_BACKEND"] = "tensorflow"
    # A build is compared byte for byte: a graphics card would sum in another order.
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
