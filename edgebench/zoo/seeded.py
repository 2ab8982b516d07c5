"""From a recipe without training to a finished workload folder: seeded or published weights."""

from __future__ import annotations

import functools
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

from edgebench.errors import UsageError
from edgebench.zoo import efficientnet, files, manifest, networks, photographs, seeding, topologies
from edgebench.zoo.datasets import to_input
from edgebench.zoo.samples import pick_clearly

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    Say = Callable[[str], None]

CANDIDATE_CROPS = 64
_PUBLISHED = {"efficientnet_lite0": efficientnet.published_weights}
_LICENCE = "CC0-1.0 and public domain: see source"


def run(folder: Path, _data: Path | None, say: Say) -> None:
    """Fill a topology with weights, derive its files and write everything into its folder.

    Args:
        folder: Holds workload.toml with its recipe; gets models/, reference.npz, calibration.npz
            and the completed workload.toml.
        _data: Not needed: photographs come from a package.
        say: Gets one line a step.

    Raises:
        UsageError: The recipe cannot be used, or a package is missing.
    """
    document = manifest.read(folder)
    recipe = manifest.recipe_as(document, manifest.SeededRecipe)
    shape = tuple(document["input"]["shape"])
    means = document["preprocess"]
    prepare = functools.partial(to_input, mean=means["mean"], std=means["std"])
    keras.utils.set_random_seed(recipe.seed)
    tf.config.experimental.enable_op_determinism()
    crops = photographs.crops(recipe.calibration_samples, recipe.seed, shape[0])
    make = functools.partial(topologies.model, document["name"], shape, len(document["labels"]))
    weights = _weights(document, make(None), prepare(crops), recipe.seed)
    say(f"{document['weights']} weights, {len(crops)} photographs to calibrate on")

    def filled(batch: int | None) -> Any:  # noqa: ANN401 - a Keras model
        model = make(batch)
        model.set_weights(weights)
        return model

    files.export(folder, filled, prepare(crops), recipe.opset, say)
    chosen, answers = _reference(filled(None), recipe, shape[0], prepare)
    document |= files.counted(folder) | {
        "source_sha256": networks.source_sha256(weights),
        "reference": _table(folder, "reference.npz", inputs=chosen, outputs=answers),
        "calibration": _table(folder, "calibration.npz", images=crops),
        "models": files.ship(
            folder, _models(folder, recipe.opset, chosen, answers, say), recipe.ships
        ),
    }
    manifest.write(folder, document)


def _weights(
    document: dict[str, Any],
    model: Any,  # noqa: ANN401 - a Keras model
    inputs: NDArray[np.float32],
    number: int,
) -> list[NDArray[np.float32]]:
    kind, name = document["weights"], document["name"]
    if kind == "random":
        seeding.seed(model, inputs, number)
        return networks.weights_of(model)
    if kind == "published" and name in _PUBLISHED:
        return _PUBLISHED[name]()
    message = f"{name}: there are no {kind} weights to be had"
    raise UsageError(message, remedy='set weights = "random" in workload.toml')


def _reference(
    model: Any,  # noqa: ANN401 - a Keras model
    recipe: manifest.SeededRecipe,
    side_px: int,
    prepare: Callable[[NDArray[np.uint8]], NDArray[np.float32]],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Inputs of many answers; they are other crops than those that calibrated."""
    found = prepare(photographs.crops(CANDIDATE_CROPS, recipe.seed + 1, side_px))
    answers = np.asarray(model.predict(found, verbose=0, batch_size=8), dtype=np.float32)
    chosen = pick_clearly(answers, recipe.reference_samples)
    return found[chosen], answers[chosen]


def _models(
    folder: Path,
    opset: int,
    inputs: NDArray[np.float32],
    outputs: NDArray[np.float32],
    say: Say,
) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for path, fmt, precision in files.every(folder):
        cosine = files.hold(path, fmt, inputs, outputs)
        say(f"{path.name}: cosine with the source's answers {cosine:.4f} or more")
        if precision in {"fp32", "fp16"} and not cosine >= files.LEAST_COSINE:
            message = f"{path.name} answers otherwise than its source: cosine {cosine:.4f}"
            raise UsageError(message, remedy="take other versions of the converters")
        rows.append(files.row(path, fmt, precision, opset))
    return rows


def _table(folder: Path, name: str, **arrays: NDArray[Any]) -> dict[str, Any]:
    np.savez_compressed(folder / name, allow_pickle=False, **arrays)
    return {
        "path": name,
        "sha256": manifest.file_sha256(folder / name),
        "count": len(next(iter(arrays.values()))),
        "source": photographs.source(version("scikit-image")),
        "licence": _LICENCE,
    }
