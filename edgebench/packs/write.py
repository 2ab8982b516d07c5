"""Make a pack: the same workloads give the same bytes."""

from __future__ import annotations

import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from edgebench import __version__, resources
from edgebench.derive import cache
from edgebench.errors import UsageError
from edgebench.packs import contract
from edgebench.packs.contract import MANIFEST, PROGRAMS, Manifest, PackedFolder
from edgebench.specs import Workload, sha256_of

_DATE = (1980, 1, 1, 0, 0, 0)
"""The first that a zip can hold."""
_CHUNK_BYTE = 1 << 20


class _Source(NamedTuple):
    """A folder to pack, and where its files lie."""

    folder: PackedFolder
    root: Path


def pack(names: Sequence[str], path: Path, *, derived: bool = False) -> Manifest:
    """Write workloads into one file, which is there whole or not at all.

    Args:
        names: Workloads, each once.
        path: The file; one that is there is replaced.
        derived: Take along the derived models that the cache has of them.

    Raises:
        UsageError: A workload is unknown, not built or damaged, nothing is derived of any, or the
            file cannot be written.
    """
    workloads = [cache.attach(resources.open_built(name)) for name in dict.fromkeys(names)]
    sources = [_workload(workload) for workload in workloads]
    if derived:
        entries = {entry.root: entry for workload in workloads for entry in _derived(workload)}
        if not entries:
            chosen = " ".join(workload.spec.name for workload in workloads)
            remedy = f"edgebench workloads derive {chosen}"
            raise UsageError("no model is derived of what is to be packed", remedy=remedy)
        sources += [entries[root] for root in sorted(entries)]
    manifest = Manifest(
        edgebench_version=__version__, folders=tuple(source.folder for source in sources)
    )
    if len({(one.kind, one.name) for one in manifest.folders}) != len(manifest.folders):
        raise UsageError("two of the workloads have the same name", remedy="pack them apart")
    try:
        _write(path, manifest, sources)
    except OSError as error:
        message = f"cannot write {path}: {error.strerror}"
        raise UsageError(message, remedy="choose another place with -o") from None
    return manifest


def _workload(workload: Workload) -> _Source:
    """The files that a workload names; what else lies in its folder is nobody's."""
    spec = workload.spec
    if problems := workload.problems():
        raise UsageError(f"workload {spec.name}: {problems[0]}", remedy="reinstall or rebuild it")
    if programs := [model.path for model in spec.models if model.format in PROGRAMS]:
        message = f"workload {spec.name}: {programs[0]} is a program, which no pack carries"
        raise UsageError(message, remedy="copy its folder by hand")
    others = [one.path for one in (spec.reference, spec.samples, spec.calibration) if one]
    paths = ["workload.toml", *others, *(model.path for model in spec.models)]
    return _source(workload.folder, "workloads", spec.name, paths, version=spec.version)


def _derived(workload: Workload) -> Iterator[_Source]:
    """Derived models, and those that they were made of: a run finds them by their descent."""
    own = {model.sha256 for model in workload.spec.models}
    entries = list(cache.entries())
    paths = {model.path for model in workload.derived}
    parents = {manifest.sha256: (path, manifest) for path, manifest in entries}
    left = [entry for entry in entries if str(entry[0]) in paths]
    while left:
        file, manifest = left.pop()
        yield _source(file.parent, "derived", file.parent.name, [cache.MANIFEST, file.name])
        if manifest.from_sha256 not in own:
            left.append(parents[manifest.from_sha256])


def _source(
    root: Path, kind: str, name: str, paths: Sequence[str], version: int | None = None
) -> _Source:
    files = [
        {"path": one, "size_byte": (root / one).stat().st_size, "sha256": sha256_of(root / one)}
        for one in dict.fromkeys(paths)
    ]
    about = {"kind": kind, "name": name, "version": version, "files": files}
    folder = msgspec.convert(about, PackedFolder)
    try:
        contract.check_names(folder)
    except ValueError as error:
        raise UsageError(f"cannot pack {name}: {error}", remedy="rename it") from None
    return _Source(folder, root)


def _write(path: Path, manifest: Manifest, sources: Sequence[_Source]) -> None:
    handle, part = tempfile.mkstemp(prefix=".part-", suffix=".zip", dir=path.resolve().parent)
    try:
        with os.fdopen(handle, "wb") as file, zipfile.ZipFile(file, "w") as archive:
            about = msgspec.json.format(msgspec.json.encode(manifest))
            archive.writestr(zipfile.ZipInfo(MANIFEST, _DATE), about)
            for source in sources:
                for one in source.folder.files:
                    info = zipfile.ZipInfo(source.folder.member(one), _DATE)
                    info.file_size = one.size_byte
                    with (source.root / one.path).open("rb") as data, archive.open(info, "w") as to:
                        shutil.copyfileobj(data, to, _CHUNK_BYTE)
        umask = os.umask(0)
        os.umask(umask)
        Path(part).chmod(0o666 & ~umask)  # mkstemp's file is its owner's alone
        Path(part).replace(path)
    finally:
        Path(part).unlink(missing_ok=True)
