"""From an image file to an answer: the stages of region e2e, on OpenCV or else on Pillow.

Both libraries do the same work, so that what they made can be compared: every pixel of the file is
decoded to 8-bit colour (no reduced decoding, no rotation by EXIF), and resampling is bilinear at
half-pixel centres without antialiasing, as ``cv2.resize`` and ``tf.image.resize`` do by default
(``PIL.Image.resize`` would average over all pixels, which is another result and other work).
Colours are converted after resizing, where there are few pixels left.
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable
from io import BytesIO
from typing import Any, NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from edgebench.errors import ModelRefusedError
from edgebench.measure import answers, tensors
from edgebench.protocols import Feeds, Session
from edgebench.specs import PreprocessSpec
from edgebench.wire import LaunchRequest

Step = Callable[[Any], Any]
Image: TypeAlias = Any
"""Whatever a library likes best."""


class Library(Protocol):
    """Decodes and resamples."""

    words: str
    """Its name and version."""

    def decode(self, data: bytes) -> Image:
        """An image from a file's bytes."""

    def size(self, image: Image) -> tuple[int, int]:
        """Height and width in pixels."""

    def resize(self, image: Image, height: int, width: int) -> Image:
        """The image in another size."""

    def crop(self, image: Image, top: int, left: int, height: int, width: int) -> Image:
        """A part of the image."""

    def pixels(self, image: Image, *, gray: bool) -> NDArray[np.uint8]:
        """Its pixels: (height, width, 1) grey or (height, width, 3) RGB."""


class OpenCV:
    """Images are arrays (height, width, 3) in BGR, as OpenCV decodes them."""

    def __init__(self, threads: int) -> None:
        self._cv2 = cv2 = importlib.import_module("cv2")
        cv2.setNumThreads(threads)
        self._flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
        self.words = f"opencv {cv2.__version__}"

    def decode(self, data: bytes) -> Image:
        """See `Library`."""
        image = self._cv2.imdecode(np.frombuffer(data, np.uint8), self._flags)
        if image is None:
            raise ModelRefusedError("OpenCV cannot decode the image")
        return image

    def size(self, image: Image) -> tuple[int, int]:
        """See `Library`."""
        return int(image.shape[0]), int(image.shape[1])

    def resize(self, image: Image, height: int, width: int) -> Image:
        """See `Library`."""
        return self._cv2.resize(image, (width, height), interpolation=self._cv2.INTER_LINEAR)

    def crop(self, image: Image, top: int, left: int, height: int, width: int) -> Image:
        """See `Library`."""
        return image[top : top + height, left : left + width]

    def pixels(self, image: Image, *, gray: bool) -> NDArray[np.uint8]:
        """See `Library`."""
        code = self._cv2.COLOR_BGR2GRAY if gray else self._cv2.COLOR_BGR2RGB
        found: NDArray[np.uint8] = self._cv2.cvtColor(image, code)
        return found[..., np.newaxis] if gray else found


class Pillow:
    """Images are Pillow's own, in RGB; it works in one thread."""

    def __init__(self) -> None:
        self._image = importlib.import_module("PIL.Image")
        self.words = f"pillow {importlib.import_module('PIL').__version__}"

    def decode(self, data: bytes) -> Image:
        """See `Library`."""
        image = self._image.open(BytesIO(data))
        image.load()
        return image if image.mode == "RGB" else image.convert("RGB")

    def size(self, image: Image) -> tuple[int, int]:
        """See `Library`."""
        return image.height, image.width

    def resize(self, image: Image, height: int, width: int) -> Image:
        """See `Library`; an affine map takes the four neighbours of a point, as OpenCV does."""
        x, y = image.width / width, image.height / height
        affine, bilinear = self._image.Transform.AFFINE, self._image.Resampling.BILINEAR
        return image.transform((width, height), affine, (x, 0, 0, 0, y, 0), bilinear)

    def crop(self, image: Image, top: int, left: int, height: int, width: int) -> Image:
        """See `Library`."""
        return image.crop((left, top, left + width, top + height))

    def pixels(self, image: Image, *, gray: bool) -> NDArray[np.uint8]:
        """See `Library`."""
        found = np.asarray(image.convert("L") if gray else image)
        return found[..., np.newaxis] if gray else found


def library(threads: int) -> Library:
    """OpenCV where it is installed and can be imported, else Pillow.

    Raises:
        ModelRefusedError: Neither is there.
    """
    with contextlib.suppress(ImportError):
        return OpenCV(threads)
    with contextlib.suppress(ImportError):
        return Pillow()
    raise ModelRefusedError(
        "region e2e needs OpenCV or Pillow in this interpreter", remedy="pip install pillow"
    )


class Pipeline(NamedTuple):
    """The stages in the order they run, by name; the first takes a file's bytes."""

    steps: dict[str, Step]
    words: str
    """The library and its version."""


def build(request: LaunchRequest, session: Session, images: Library) -> Pipeline:
    """The stages of one iteration: ``case.batch`` images in, as many answers out.

    Raises:
        ModelRefusedError: The workload's preprocessing does not end in the model's input, or its
            outputs are not what the task needs.
    """
    batch = request.case.batch
    before = request.preprocess
    if before is None:
        raise ModelRefusedError("the request does not say how an image becomes an input")
    name, view, feeds = _input(session, request)
    height, width = view.shape[1:3] if before.crop == "center" else before.resize
    made = (batch, height, width, 1 if before.color == "gray" else 3)
    if view.shape != made:
        raise ModelRefusedError(f"preprocessing makes inputs of {made}, {name} takes {view.shape}")
    steps: dict[str, Step] = {
        "decode": lambda data: [images.decode(data) for _ in range(batch)],
        "resize": _resize(images, before),
    }
    if before.crop == "center":
        steps["crop"] = _crop(images, height, width)
    steps |= {
        "normalise": _normalise(images, before, view, feeds),
        "copy_in": session.feed,
        "invoke": lambda _: session.invoke(),
        "copy_out": lambda _: session.read(),
        "postprocess": answers.of(request, session),
    }
    return Pipeline(steps, images.words)


def _input(session: Session, request: LaunchRequest) -> tuple[str, NDArray[Any], Feeds]:
    """The input's name, its buffer seen as (batch, height, width, channels), and as feeds."""
    if len(session.inputs) != 1:
        raise ModelRefusedError(f"the model has {len(session.inputs)} inputs, one is supported")
    tensor, dtype = session.inputs[0], np.dtype(tensors.image_dtype(request))
    buffer = np.zeros((request.case.batch, *tensor.shape[1:]), dtype)
    if buffer.ndim != 4:  # noqa: PLR2004 - batch, height, width, channels
        raise ModelRefusedError(f"the model's input is {tensor.shape}, not an image")
    if not tensors.castable(dtype, tensor.dtype):
        raise ModelRefusedError(f"{tensor.name} takes {tensor.dtype}, the workload has {dtype}")
    channels_first = (tensor.layout or request.model_layout) == "NCHW"
    view = buffer.transpose(0, 2, 3, 1) if channels_first else buffer
    return tensor.name, view, {tensor.name: buffer}


def _resize(images: Library, before: PreprocessSpec) -> Step:
    high, wide = before.resize
    if before.crop == "none":
        return lambda found: [images.resize(image, high, wide) for image in found]

    def cover(found: list[Image]) -> list[Image]:
        made = []
        for image in found:
            height, width = images.size(image)
            scale = max(high / height, wide / width)
            sides = max(high, round(height * scale)), max(wide, round(width * scale))
            made.append(images.resize(image, *sides))
        return made

    return cover


def _crop(images: Library, high: int, wide: int) -> Step:
    def middle(found: list[Image]) -> list[Image]:
        made = []
        for image in found:
            height, width = images.size(image)
            top, left = (height - high) // 2, (width - wide) // 2
            made.append(images.crop(image, top, left, high, wide))
        return made

    return middle


def _normalise(images: Library, before: PreprocessSpec, view: NDArray[Any], feeds: Feeds) -> Step:
    """Colour, ``(pixel - mean) / std``, type and layout, written into the one input buffer."""
    mean, std = np.asarray(before.mean, np.float32), np.asarray(before.std, np.float32)
    gray = before.color == "gray"

    def into_buffer(found: list[Image]) -> Feeds:
        for image, place in zip(found, view, strict=True):
            np.subtract(images.pixels(image, gray=gray), mean, out=place)
            np.divide(place, std, out=place)
        return feeds

    def rounded(found: list[Image]) -> Feeds:
        for image, place in zip(found, view, strict=True):
            values = (images.pixels(image, gray=gray) - mean) / std
            place[...] = tensors.typed(values, view.dtype.name)
        return feeds

    return rounded if view.dtype.kind in "iu" else into_buffer
