"""Scenes of handwritten digits scattered over photographs, with their boxes and masks.

There is no free set of labelled scenes as small as this benchmark needs; these can be made afresh
from a seed, in any number. No two digits of a scene overlap, so a pixel has one class.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from edgebench.errors import UsageError
from edgebench.zoo.splits import image_names

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_INK = 127
"""Grey level above which a digit's pixel belongs to its mask."""
_LUMA = np.array([0.299, 0.587, 0.114])
_LEAST_CONTRAST = 80.0
"""Grey levels between a digit's colour and what it covers."""
_TRIES = 20
_STRETCH = (0.8, 1.25)
"""Of a digit's width."""
_WIDEST_CROP = 3.0
"""Sides of a crop of a photograph, in sides of the scene."""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """What every scene is like.

    Attributes:
        side_px: Height and width of a scene.
        digits: Fewest and most digits that are tried; fewer stay where there is no room.
        height_px: Least and greatest height of a digit's ink.
    """

    side_px: int
    digits: tuple[int, int]
    height_px: tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class Scenes:
    """Labelled scenes.

    Attributes:
        images: uint8, (n, side, side, 3), RGB.
        boxes: float32, (n, m, 4): top, left, bottom, right of a digit's ink as shares of the side.
        classes: int64, (n, m): the digit; -1 where there is no box.
        masks: uint8, (n, side, side): 0 is background, 1 + digit is ink.
        used: int64, (n, m): place of the digit's image in what was drawn from; -1 as in classes.
    """

    images: NDArray[np.uint8]
    boxes: NDArray[np.float32]
    classes: NDArray[np.int64]
    masks: NDArray[np.uint8]
    used: NDArray[np.int64]

    def inputs(self) -> NDArray[np.float32]:
        """What a model takes: pixels from 0 to 1."""
        return self.images.astype(np.float32) / np.float32(255)


def scatter(  # noqa: PLR0917 - what, of what, on what, how
    count: int,
    digits: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    backdrops: Sequence[NDArray[np.uint8]],
    layout: Layout,
    seed: int | Sequence[int],
) -> Scenes:
    """Compose scenes; the same seed and library versions give the same ones.

    Args:
        count: How many.
        digits: uint8, (d, height, width, 1), light ink on black.
        labels: (d,), 0 to 9.
        backdrops: uint8, (height, width, 3) each, no side below that of a scene.
        layout: What they are like.
        seed: Of every draw.

    Returns:
        The scenes, each with at least one digit.
    """
    generator = np.random.default_rng(seed)
    side, most = layout.side_px, layout.digits[1]
    scenes = Scenes(
        images=np.empty((count, side, side, 3), np.uint8),
        boxes=np.zeros((count, most, 4), np.float32),
        classes=np.full((count, most), -1, np.int64),
        masks=np.zeros((count, side, side), np.uint8),
        used=np.full((count, most), -1, np.int64),
    )
    for n in range(count):
        canvas = _backdrop(backdrops, side, generator)
        taken = np.zeros((side, side), bool)
        found = 0
        for _ in range(int(generator.integers(layout.digits[0], most + 1))):
            drawn = int(generator.integers(len(digits)))
            ink = _sized(digits[drawn, ..., 0], layout, generator)
            place = _room(taken, ink.shape, generator)
            if place is None:
                continue
            taken[place] = True
            _paint(canvas[place], ink, generator)
            mask = ink > _INK
            scenes.masks[n][place][mask] = 1 + labels[drawn]
            scenes.boxes[n, found] = _box(mask, place, side)
            scenes.classes[n, found], scenes.used[n, found] = labels[drawn], drawn
            found += 1
        scenes.images[n] = canvas.round().astype(np.uint8)
    return scenes


def must_be_held_out(digits: NDArray[np.uint8], held_out: frozenset[str]) -> None:
    """Stop a build that would train on what it ships as unseen.

    Args:
        digits: uint8, (d, height, width, 1), what scenes to train on are drawn from.
        held_out: ``image_sha256`` of every digit that must not be used.

    Raises:
        UsageError: Some are used.
    """
    if count := len(image_names(digits) & held_out):
        message = f"{count} shipped digits are among those to train on"
        raise UsageError(message, remedy="report this as a fault of edgebench")


def _backdrop(
    backdrops: Sequence[NDArray[np.uint8]], side: int, generator: np.random.Generator
) -> NDArray[np.float64]:
    """A square of random place and size out of a random photograph, shrunk, perhaps mirrored."""
    picture = backdrops[int(generator.integers(len(backdrops)))]
    rows, columns = picture.shape[:2]
    wide = min(rows, columns, int(side * _WIDEST_CROP))
    cut = int(generator.integers(side, wide + 1))
    top = int(generator.integers(rows - cut + 1))
    left = int(generator.integers(columns - cut + 1))
    square = Image.fromarray(picture[top : top + cut, left : left + cut])
    small = np.asarray(square.resize((side, side), Image.Resampling.BOX), dtype=np.float64)
    return small[:, ::-1].copy() if generator.random() < 0.5 else small.copy()  # noqa: PLR2004 - half


def _sized(
    digit: NDArray[np.uint8], layout: Layout, generator: np.random.Generator
) -> NDArray[np.uint8]:
    """A digit's ink alone, of random height (all scales alike) and stretch, as dark as it gets."""
    rows, columns = np.flatnonzero(digit.any(axis=1)), np.flatnonzero(digit.any(axis=0))
    ink = Image.fromarray(digit[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])
    low, high = np.log(layout.height_px)
    height = round(float(np.exp(generator.uniform(low, high))))
    stretch = generator.uniform(*_STRETCH)
    width = max(2, round(ink.width * height / ink.height * stretch))
    sized = ink.resize((min(width, layout.side_px), height), Image.Resampling.BILINEAR)
    grey = np.asarray(sized, dtype=np.float64)
    darkest: NDArray[np.uint8] = (grey * (255.0 / grey.max())).astype(np.uint8)
    return darkest


def _room(
    taken: NDArray[np.bool_], size: tuple[int, ...], generator: np.random.Generator
) -> tuple[slice, slice] | None:
    """A place that nothing covers yet; None where none was found."""
    for _ in range(_TRIES):
        top, left = (
            int(generator.integers(whole - part + 1))
            for whole, part in zip(taken.shape, size, strict=True)
        )
        place = slice(top, top + size[0]), slice(left, left + size[1])
        if not taken[place].any():
            return place
    return None


def _paint(
    canvas: NDArray[np.float64], ink: NDArray[np.uint8], generator: np.random.Generator
) -> None:
    """Lay ink over a part of a scene, in a random colour that stands out from it."""
    under = float(canvas.mean(axis=(0, 1)) @ _LUMA)
    # Black or white, whichever is farther, where no draw stands out.
    colour = np.full(3, 0.0 if under > _INK else 255.0)
    for _ in range(_TRIES):
        drawn = generator.uniform(0.0, 255.0, 3)
        if abs(float(drawn @ _LUMA) - under) >= _LEAST_CONTRAST:
            colour = drawn
            break
    share = ink[..., np.newaxis] / 255.0
    canvas *= 1.0 - share
    canvas += share * colour


def _box(
    mask: NDArray[np.bool_], place: tuple[slice, slice], side: int
) -> tuple[float, float, float, float]:
    """Edges of a mask, as shares of the side."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    top, left = int(place[0].start), int(place[1].start)
    edges = (top + rows[0], left + columns[0], top + rows[-1] + 1, left + columns[-1] + 1)
    a, b, c, d = (float(edge) / side for edge in edges)
    return a, b, c, d
