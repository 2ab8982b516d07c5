"""A CNN of 2.4 G multiply-accumulates with seeded weights, derived by the zoo's own exporters.

Needs the extra [build]. It answers nothing sensible: only its arithmetic counts.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

SIDE = 128
CLASSES = 10
IMAGES = 16
OPSET = 17
FILTERS = ((32, 64), (128, 128), (256, 256), (256, 256))
"""Of the 3x3 convolutions; each group ends in a pooling to half the size."""


def build(folder: Path) -> None:
    """Write a workload: onnx and tflite in every precision, and reference outputs."""
    import keras

    from edgebench.zoo import export_onnx, export_tflite, flatten, networks

    models = folder / "models"
    models.mkdir(parents=True)
    images = np.random.default_rng(1).random((IMAGES, SIDE, SIDE, 3), dtype=np.float32)

    def make(batch: int | None) -> Any:  # noqa: ANN401 - a Keras model
        keras.utils.clear_session()
        keras.utils.set_random_seed(1)
        blocks: list[Any] = []
        for group in FILTERS:
            blocks += [
                keras.layers.Conv2D(
                    filters, 3, padding="same", activation="relu", kernel_initializer="he_normal"
                )
                for filters in group
            ]
            blocks.append(keras.layers.MaxPooling2D(2))
        blocks += [flatten.FlattenAnyBatch(), keras.layers.Dense(CLASSES, name="logits")]
        shape = (SIDE, SIDE, 3)
        return keras.Sequential([keras.Input(shape, batch_size=batch, name="input"), *blocks])

    export_onnx.export(make(None), images, models, OPSET)
    export_tflite.export(make(1), images, models)
    model = make(None)
    np.savez_compressed(
        folder / "reference.npz", inputs=images, outputs=np.asarray(model(images), np.float32)
    )
    _describe(
        folder, networks.source_sha256(networks.weights_of(model)), networks.count_macs(model)
    )


def _describe(folder: Path, source_sha256: str, macs: int) -> None:
    from edgebench.zoo import export_onnx, manifest

    reference = folder / "reference.npz"
    rows = [
        {
            "path": f"models/{precision}.{fmt}",
            "format": fmt,
            "precision": precision,
            "layout": layout,
            "sha256": manifest.file_sha256(folder / "models" / f"{precision}.{fmt}"),
            "size_byte": (folder / "models" / f"{precision}.{fmt}").stat().st_size,
        }
        for fmt, layout in (("onnx", "NCHW"), ("tflite", "NHWC"))
        for precision in export_onnx.PRECISIONS
    ]
    document: dict[str, Any] = {
        "schema": 1,
        "name": "large_cnn",
        "version": 1,
        "task": "classification",
        "labels": [str(label) for label in range(CLASSES)],
        "macs": macs,
        "source_sha256": source_sha256,
        "input": {"name": "input", "shape": [SIDE, SIDE, 3], "dtype": "float32"},
        "preprocess": {"resize": [SIDE, SIDE], "mean": [0.0] * 3, "std": [255.0] * 3},
        "reference": {
            "path": reference.name,
            "sha256": manifest.file_sha256(reference),
            "count": IMAGES,
        },
        "models": rows,
    }
    manifest.write(folder, document)


if __name__ == "__main__":
    build(Path(sys.argv[1]))
