"""From a model's path to a workload: a folder in the cache, written whole or not at all.

``$EDGEBENCH_CACHE/models/<key>/`` is a workload as any other. Its key is a hash of the model's
files, of what the user said of them, of the runtime that answers for it and of this edgebench, so
the same wish finds it again.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

import msgspec

from edgebench import __version__
from edgebench.adopt import build, declared, describe, files, images, labels, shapes
from edgebench.adopt.describe import Runtimes
from edgebench.adopt.files import Found
from edgebench.adopt.request import Request, check
from edgebench.derive import cache, folders
from edgebench.errors import UsageError
from edgebench.runner.config import BackendConfig
from edgebench.specs import Workload, read_workload

_KEY_DIGITS = 32


def take_all(
    wanted: Sequence[Request],
    runtimes: Runtimes,
    reserved: Collection[str] = (),
    say: Callable[[str], None] = lambda _: None,
) -> list[Workload]:
    """Every model as a workload with a name of its own.

    Args:
        wanted: Models and what is said of them; a file that is named twice is taken once.
        runtimes: To ask what they take.
        reserved: Names that other workloads have.
        say: Told what takes time, a line each.

    Raises:
        UsageError: One of them is no model, or cannot be run here.
    """
    found: dict[Path, tuple[Request, Found]] = {}
    for request in wanted:
        check(request)
        one = files.find(request.model)
        found.setdefault(one.path.resolve(), (request, one))
    used = set(reserved)
    taken = []
    for request, one in _with_own_shapes(list(found.values())):
        name = _name(one, used)
        used.add(name)
        taken.append(take(request, one, name, runtimes, say))
    return taken


def _with_own_shapes(
    wanted: Sequence[tuple[Request, Found]],
) -> Iterator[tuple[Request, Found]]:
    """Each model with the shapes that are not for an input of another one alone."""
    names = [{one.name for one in declared.inputs(found)} for _, found in wanted]
    every = set().union(*names)
    for (request, found), own in zip(wanted, names, strict=True):
        others = every - own if own else set()  # a format that tells no names may have any
        kept = [text for text in request.shapes if not others & {*shapes.parse([text])}]
        yield msgspec.structs.replace(request, shapes=tuple(kept)), found


def take_one(
    request: Request, name: str, runtimes: Runtimes, place: Path, say: Callable[[str], None]
) -> Workload:
    """A model as a workload in a folder of the caller's, which is not there yet.

    Raises:
        UsageError: It is no model, cannot be run here, or the folder cannot be written.
    """
    check(request)
    found = files.find(request.model)
    declared.check(found, request)
    _make(request, found, name, runtimes, place=place, say=say)
    return read_workload(place)


def take(
    request: Request, found: Found, name: str, runtimes: Runtimes, say: Callable[[str], None]
) -> Workload:
    """A model as a workload of that name: from the cache, or made now.

    Raises:
        UsageError: It cannot be run here, or the cache cannot be written.
    """
    declared.check(found, request)
    place = cache.home() / "models" / key_of(request, found, name, runtimes)
    if not _is_whole(place):
        _make(request, found, name, runtimes, place=place, say=say)
    return read_workload(place)


def _is_whole(place: Path) -> bool:
    try:
        return not read_workload(place).problems()
    except UsageError:
        return False


def _make(
    request: Request,
    found: Found,
    name: str,
    runtimes: Runtimes,
    *,
    place: Path,
    say: Callable[[str], None],
) -> None:
    """Write a workload beside its place, then rename it into it."""
    say(f"taking in {found.path.name} ...")
    try:
        with folders.scratch(place.parent) as work:
            fresh, scratch = work / "new", work / "scratch"
            (fresh / "models").mkdir(parents=True)
            scratch.mkdir()
            build.write(request, found, name, runtimes, folder=fresh, scratch=scratch)
            folders.settle(fresh, place, _is_whole)
    except OSError as error:
        raise _fault_of(error, found, place) from None


def _fault_of(error: OSError, found: Found, place: Path) -> UsageError:
    """Whose fault it is: the model's files, or the disk that is written to."""
    why = error.strerror or str(error)
    if error.filename is not None and Path(os.fsdecode(error.filename)) in found.parts:
        return UsageError(f"--model {error.filename}: cannot be read: {why}")
    return UsageError(
        f"cannot write the cache {place.parent}: {why}",
        remedy="make room, or set EDGEBENCH_CACHE to a folder of yours",
    )


def key_of(request: Request, found: Found, name: str, runtimes: Runtimes) -> str:
    """The name of an entry: sha256 over all that shapes it, the runtime that answers among it."""
    first = next(describe.able(found.format, runtimes), None)
    settings = runtimes.backends.get(first.name, BackendConfig()) if first else BackendConfig()
    parts = {
        "runtime": [first.name, first.version] if first else [],
        "options": sorted(settings.shared_options.items()),
        "files": found.sha256,
        "format": found.format,
        "name": name,
        "edgebench": __version__,
        "shapes": sorted(request.shapes),
        "layout": request.layout,
        "labels": labels.read(request.labels) if request.labels else None,
        "images": images.find(request.images).fingerprint if request.images else None,
        "mean": request.mean,
        "std": request.std,
    }
    return hashlib.sha256(msgspec.json.encode(parts, order="sorted")).hexdigest()[:_KEY_DIGITS]


def _name(found: Found, used: Collection[str]) -> str:
    """The file's stem; where another workload has that name its format, its hash, or a number."""
    stem = files.slug(found.path)
    more = (found.format, found.sha256[:8], *map(str, range(2, len(used) + 3)))
    return next(name for name in (stem, *(f"{stem}-{one}" for one in more)) if name not in used)
