"""The options about a model of the user's, shared by `run` and `workloads new`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from edgebench.adopt.request import Request
from edgebench.cli.params import CommaList, flatten
from edgebench.errors import UsageError

_F = Callable[..., Any]

MODEL = click.option(
    "--model",
    "models",
    multiple=True,
    metavar="FILE",
    help="A model of your own: .onnx, .tflite, .keras, .pt2, .pt, OpenVINO .xml, ncnn .param, "
    ".mnn, .eim, or the folder of a SavedModel. It runs on every backend that reads it or that a "
    "converter reaches, in every precision that can be derived. Repeatable.",
)
ABOUT = (
    click.option(
        "--shape",
        multiple=True,
        type=CommaList(str, "[NAME:]3x224x224"),
        help="Sizes of an input that the --model leaves open, one sample, as its file has them.",
    ),
    click.option(
        "--layout",
        type=click.Choice(["NCHW", "NHWC"]),
        help="Where the --model has its channels, where the shape does not tell.",
    ),
    click.option(
        "--labels",
        metavar="FILE",
        help="Names of the --model's classes in the order of its output: one a line, or a JSON "
        "list. Then it is a classifier.",
    ),
    click.option(
        "--images",
        metavar="FOLDER",
        help="Images for the --model, to calibrate int8 on and to compare outputs for; with one "
        "folder a class in it also for top-1. Without it inputs are random.",
    ),
    click.option(
        "--mean",
        type=CommaList(float, "N"),
        help="Of the --model's pixels, which go from 0 to 255: one number, or one a channel "
        "(default: 0; 128 for int8 inputs).",
    ),
    click.option(
        "--std",
        type=CommaList(float, "N"),
        help="As --mean: an input is (pixel - mean) / std (default: 255; 1 for uint8 and int8 "
        "inputs).",
    ),
)


def about(command: _F) -> _F:
    """Add what is said of a model, in the order that --help shows."""
    for option in reversed(ABOUT):
        command = option(command)
    return command


def told(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options as keys of a `RunConfig`, paths from the root."""
    given = {name: options[name] for name in ("layout", "mean", "std")}
    given |= {name: _absolute(options[name]) for name in ("labels", "images")}
    given["models"] = tuple(str(_absolute(one)) for one in options.get("models") or ())
    given["shape"] = flatten(options["shape"])
    return given


def _absolute(path: str | None) -> str | None:
    return str(Path(path).absolute()) if path is not None else None


def request(model: str, about_it: Mapping[str, Any]) -> Request:
    """What is asked of a model: its path, and keys of a `RunConfig`."""
    labels, images = (about_it[name] for name in ("labels", "images"))
    return Request(
        model=Path(model),
        shapes=about_it["shape"],
        layout=about_it["layout"],
        labels=Path(labels) if labels else None,
        images=Path(images) if images else None,
        mean=about_it["mean"] or (),
        std=about_it["std"] or (),
    )


def check(models: tuple[str, ...], about_it: Mapping[str, Any]) -> None:
    """Refuse what is said of a model where there is none.

    Raises:
        UsageError: In one line.
    """
    names = ("shape", "layout", "labels", "images", "mean", "std")
    said = next((name for name in names if about_it[name]), None)
    if said is not None and not models:
        raise UsageError(f"--{said} is about a model of yours", remedy="name it with --model")
