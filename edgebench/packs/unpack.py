"""Unpack a pack: everything is written aside and checked before anything becomes visible."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from edgebench import resources
from edgebench.derive import cache, folders
from edgebench.derive.contract import CONVERTERS
from edgebench.errors import UsageError
from edgebench.packs import contract, opened, toml_depth
from edgebench.packs.contract import PackedFolder
from edgebench.packs.opened import Opened
from edgebench.specs import Workload, read_workload, sha256_of
from edgebench.units import mib_from_byte

_TOML = "workload.toml"
_SPARE_BYTE = 16 << 20


class Unpacked(NamedTuple):
    """What became of one folder of a pack."""

    folder: PackedFolder
    place: Path
    state: Literal["unpacked", "already there"]


class _Ready(NamedTuple):
    """A folder that is written and checked, but not in its place yet."""

    folder: PackedFolder
    written: Path


def unpack(path: Path, into: Path | None = None, *, replace: bool = False) -> list[Unpacked]:
    """Bring a pack's workloads, and its derived models, to where runs find them.

    Args:
        path: The pack.
        into: Folder that gets a folder a workload; the data home's unless told.
        replace: Whether a workload may take the place of another of its name, or hide it.

    Raises:
        UsageError: It is no pack, or damaged, or hostile; a workload's name is taken by another
            one; or the disk is full. Nothing has changed then.
    """
    parent = resources.workload_home() if into is None else into
    with opened.open_pack(path) as pack, contextlib.ExitStack() as stack:
        places = {one: _place(one, parent) for one in pack.manifest.folders}
        known = resources.workload_folders(built=True) if into is None else {}
        there = {one: _there(one, place, known) for one, place in places.items()}
        _check_hidden(places, there, known, replace=replace)
        fresh = [one for one, same in there.items() if same is None]
        _check_room(fresh, parent)
        with opened.writing(parent):
            aside = stack.enter_context(folders.scratch(parent)) if fresh else parent
        ready = [_Ready(one, _written(pack, one, aside, stack)) for one in fresh]
        _check_kinship(pack, ready, places, there)
        for one in sorted(ready, key=lambda one: one.folder.kind):  # the workloads last
            _publish(one, places[one.folder], aside)
        return [
            Unpacked(one, there[one] or place, "already there" if there[one] else "unpacked")
            for one, place in places.items()
        ]


def _place(folder: PackedFolder, parent: Path) -> Path:
    return (parent if folder.kind == "workloads" else cache.home() / "derived") / folder.name


def _there(folder: PackedFolder, place: Path, known: dict[str, Path]) -> Path | None:
    """Where the very same is whole already; None where it is not."""
    if folder.kind == "derived":
        return place if cache.read(folder.name) is not None else None
    toml = next((file for file in folder.files if file.path == _TOML), None)
    for candidate in (place, known.get(folder.name)):
        if toml is None or candidate is None or not (candidate / _TOML).is_file():
            continue
        # The file names the sha256 of every other one.
        with contextlib.suppress(UsageError):
            same = sha256_of(candidate / _TOML) == toml.sha256
            if same and not read_workload(candidate).problems():
                return candidate
    return None


def _check_hidden(
    places: dict[PackedFolder, Path],
    there: dict[PackedFolder, Path | None],
    known: dict[str, Path],
    *,
    replace: bool,
) -> None:
    """Refuse to put a workload where another one of its name is, or before it, unless told to."""
    for folder, place in places.items():
        if folder.kind != "workloads" or there[folder] or replace:
            continue
        other = place if place.exists() else known.get(folder.name)
        if other is not None:
            version = f" version {folder.version}" if folder.version else ""
            raise UsageError(
                f"the pack's {folder.name}{version} is another one than {other}",
                remedy="take the pack's: --replace; or keep both: --into FOLDER",
            )


def _check_room(fresh: Sequence[PackedFolder], parent: Path) -> None:
    for kind, home in (("workloads", parent), ("derived", cache.home())):
        needed_byte = sum(folder.size_byte for folder in fresh if folder.kind == kind)
        there = next(folder for folder in (home, *home.absolute().parents) if folder.is_dir())
        free_byte = shutil.disk_usage(there).free - _SPARE_BYTE
        if needed_byte and needed_byte > free_byte:
            raise UsageError(
                f"the pack's {kind} need {mib_from_byte(needed_byte):.0f} MiB, "
                f"{mib_from_byte(max(0, free_byte)):.0f} MiB are free in {there}",
                remedy="make room, or choose folders with EDGEBENCH_DATA and EDGEBENCH_CACHE",
            )


def _written(pack: Opened, folder: PackedFolder, aside: Path, stack: contextlib.ExitStack) -> Path:
    """Write a folder aside and check that it is what its own description says."""
    if folder.kind == "workloads":
        written = aside / "new" / folder.name
        opened.extract(pack, folder, written)
        _check_workload(folder, written)
    else:
        # Beside the cache's entries, which may lie on another disk.
        written = cache.start()
        stack.callback(shutil.rmtree, written, ignore_errors=True)
        opened.extract(pack, folder, written)
        _check_entry(folder, written)
    return written


def _check_workload(folder: PackedFolder, written: Path) -> None:
    """Refuse a workload that its own file does not describe.

    Raises:
        ValueError: In what it differs.
    """
    sizes = {file.path: file.size_byte for file in folder.files}
    if sizes.get(_TOML, 0) > contract.LARGEST_TOML_BYTE:
        raise ValueError(f"the {_TOML} of {folder.name} has {sizes[_TOML]:,} byte")
    try:
        toml_depth.check((written / _TOML).read_text(encoding="utf-8", errors="replace"))
        workload = read_workload(written)
        problems = workload.problems()
    except UsageError as error:
        raise ValueError(str(error).replace(f"{written}", folder.name)) from None
    spec = workload.spec
    if (spec.name, spec.version) != (folder.name, folder.version):
        told = f"{spec.name} version {spec.version}"
        raise ValueError(f"{folder.name} version {folder.version} calls itself {told}")
    if problems or not workload.is_built:
        raise ValueError(f"{folder.name}: {problems[0] if problems else 'is only a recipe'}")
    if extra := sorted(sizes.keys() - {_TOML, *_named(workload)}):
        raise ValueError(f"{folder.name}: its {_TOML} does not name {extra[0]}")
    if programs := [m.path for m in spec.models if m.format in contract.PROGRAMS]:
        raise ValueError(f"{folder.name}: {programs[0]} is a program")
    _check_words(folder.name, msgspec.to_builtins(spec))


def _named(workload: Workload) -> Iterator[str]:
    spec = workload.spec
    yield from (one.path for one in (spec.reference, spec.samples, spec.calibration) if one)
    yield from (model.path for model in spec.models)


def _check_entry(folder: PackedFolder, written: Path) -> None:
    """Refuse a derived model that its manifest does not describe, or that nothing here makes.

    Raises:
        ValueError: In what it differs.
    """
    sizes = {file.path: file.size_byte for file in folder.files}
    if sizes.get(cache.MANIFEST, 0) > contract.LARGEST_TOML_BYTE:
        raise ValueError(f"the {cache.MANIFEST} of {folder.name} is too large")
    found = cache.read_folder(written)
    if found is None:
        raise ValueError(f"{folder.name}: its {cache.MANIFEST} names another file")
    path, manifest = found
    if sizes.keys() != {path.name, cache.MANIFEST}:
        raise ValueError(f"{folder.name}: its {cache.MANIFEST} does not name all its files")
    if manifest.key != folder.name:
        # Whoever derives looks a model up by that name: it could be another workload's.
        raise ValueError(f"{folder.name}: its {cache.MANIFEST} makes its name {manifest.key}")
    if manifest.format not in CONVERTERS:
        raise ValueError(f"{folder.name}: nothing derives {manifest.format} files")
    _check_words(folder.name, msgspec.to_builtins(manifest))


def _check_words(name: str, value: object) -> None:
    """Refuse words that would steer a terminal wherever they are told.

    Raises:
        ValueError: There are some.
    """
    if isinstance(value, str) and not value.replace("\n", "").isprintable():
        raise ValueError(f"{name}: {value[:80]!r} is no plain text")
    if isinstance(value, dict):
        for key, one in value.items():
            _check_words(name, key)
            _check_words(name, one)
    elif isinstance(value, list | tuple):
        for one in value:
            _check_words(name, one)


def _check_kinship(
    pack: Opened,
    ready: Sequence[_Ready],
    places: dict[PackedFolder, Path],
    there: dict[PackedFolder, Path | None],
) -> None:
    """Refuse a derived model of a workload that the pack does not hold: it would run with others.

    Raises:
        ValueError: There is one.
    """
    written = {one.folder: one.written for one in ready}
    sources: set[str] = set()
    for folder in pack.manifest.folders:
        if folder.kind == "workloads":
            lies = written.get(folder) or there[folder] or places[folder]
            sources |= {model.sha256 for model in read_workload(lies).spec.models}
    entries = {
        folder: cache.read_folder(written.get(folder) or places[folder])
        for folder in pack.manifest.folders
        if folder.kind == "derived"
    }
    while kin := [
        (folder, found[1])
        for folder, found in entries.items()
        if found is not None and found[1].from_sha256 in sources
    ]:
        for folder, manifest in kin:
            sources.add(manifest.sha256)
            del entries[folder]
    if entries:
        raise ValueError(f"{next(iter(entries)).name} is derived of no workload in it")


def _publish(one: _Ready, place: Path, aside: Path) -> None:
    if one.folder.kind == "workloads":
        with opened.writing(place.parent):
            folders.put(one.written, place, aside / f"old-{one.folder.name}")
    elif (found := cache.read_folder(one.written)) is not None:
        cache.keep(one.written, found[1])
