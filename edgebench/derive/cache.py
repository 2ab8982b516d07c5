"""The derived models of this machine: a folder an entry, named by the hash of all that shaped it.

``EDGEBENCH_CACHE``, else ``$XDG_CACHE_HOME/edgebench``, holds ``derived/<key>/`` with one model
file and its ``manifest.json``. An entry is made beside its place and renamed into it, so it is
whole or absent; it may be copied to other machines, which then need no converter.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import msgspec

from edgebench.derive import folders
from edgebench.errors import UsageError
from edgebench.records import PRECISIONS, Precision
from edgebench.specs import ModelFormat, ModelSpec, Workload, sha256_of

MANIFEST = "manifest.json"
ON_RANDOM = "random inputs"
"""What a model was calibrated on (`Manifest.calibration`) of which nobody gave images."""
_KEY_DIGITS = 32


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What an entry holds, and how it came to be."""

    schema: Literal[1] = 1
    workload: str
    from_sha256: str
    """Of the workload's file that it was made from."""
    format: ModelFormat
    precision: Precision
    layout: Literal["NCHW", "NHWC"] = "NCHW"
    view: str = ""
    """As `view_of` has it; empty where any fits."""
    file: str
    sha256: str
    size_byte: int
    tools: dict[str, str]
    """Version by distribution."""
    settings: dict[str, str] = {}
    calibration: str = ""
    """Which images, and how many; empty where none were needed."""
    network: str = ""
    """Whether the converter could have reached one: ``blocked``, or why that is not known."""
    derived_at_utc: str
    edgebench_version: str

    @property
    def tool(self) -> str:
        """Tools and settings as one line."""
        tools = ", ".join(f"{name} {version}" for name, version in self.tools.items())
        how = [f"{key} {value}" for key, value in self.settings.items() if key != "calibration"]
        calibrated = [f"calibrated on {self.calibration}"] if self.calibration else []
        return "; ".join([tools, *how, *calibrated])

    @property
    def key(self) -> str:
        """The name of its entry: sha256 over all that shapes its file."""
        # Importers and packers of our own shape the file as well.
        makers = self.tools | {"edgebench": self.edgebench_version}
        what = [self.from_sha256, self.format, self.precision]
        parts = [*what, sorted(makers.items()), sorted(self.settings.items()), self.view]
        return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()[:_KEY_DIGITS]


def home() -> Path:
    """The folder of everything that can be made again."""
    if given := os.environ.get("EDGEBENCH_CACHE"):
        return Path(given).absolute()
    base = Path(os.environ.get("XDG_CACHE_HOME") or "")
    # The XDG specification: a relative path is not valid and is to be ignored.
    return (base if base.is_absolute() else Path.home() / ".cache") / "edgebench"


def view_of(workload: Workload) -> str:
    """What a workload says of its inputs, as a hash: sizes that its file leaves open, mean, std."""
    spec = workload.spec
    inputs = [(one.shape, one.dtype, one.image) for one in spec.inputs]
    return hashlib.sha256(msgspec.json.encode([inputs, spec.mean, spec.std])).hexdigest()


def read(key: str) -> tuple[Path, Manifest] | None:
    """The file and manifest of an entry; None where there is none, or it is damaged."""
    return read_folder(home() / "derived" / key)


def read_folder(folder: Path) -> tuple[Path, Manifest] | None:
    """As `read`, of a folder that may lie elsewhere."""
    try:
        manifest = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)
        path = folder / Path(manifest.file).name
        whole = path.stat().st_size == manifest.size_byte and sha256_of(path) == manifest.sha256
    except (OSError, msgspec.MsgspecError):
        return None
    return (path, manifest) if whole else None


def entries() -> Iterator[tuple[Path, Manifest]]:
    """Every whole entry: its file and its manifest."""
    folder = home() / "derived"
    if not folder.is_dir():
        return
    for entry in sorted(folder.iterdir()):
        if not entry.name.startswith(".") and (found := read_folder(entry)) is not None:
            yield found


def attach(workload: Workload) -> Workload:
    """The workload with every whole derived model of its present files; the newest one wins.

    What was made of a derived file is the workload's too. What was calibrated on random inputs,
    because a user took in the same file without images, is none of a workload that has better.
    """
    view = view_of(workload)
    better = workload.spec.calibration is not None or bool(workload.spec.recipe)
    left = [
        entry
        for entry in entries()
        if entry[1].view in ("", view) and not (better and entry[1].calibration == ON_RANDOM)
    ]
    sources = {model.sha256 for model in workload.spec.models}
    newest: dict[tuple[str, str], tuple[Path, Manifest]] = {}
    while found := [entry for entry in left if entry[1].from_sha256 in sources]:
        left = [entry for entry in left if entry not in found]
        for path, manifest in found:
            sources.add(manifest.sha256)
            cell = (manifest.format, manifest.precision)
            if cell not in newest or newest[cell][1].derived_at_utc < manifest.derived_at_utc:
                newest[cell] = (path, manifest)
    derived = [spec_of(path, manifest) for path, manifest in newest.values()]
    derived.sort(key=lambda model: (model.format, PRECISIONS.index(model.precision)))
    return msgspec.structs.replace(workload, derived=tuple(derived))


def spec_of(path: Path, manifest: Manifest) -> ModelSpec:
    """An entry as a model of its workload."""
    return ModelSpec(
        path=str(path),
        format=manifest.format,
        precision=manifest.precision,
        layout=manifest.layout,
        sha256=manifest.sha256,
        size_byte=manifest.size_byte,
        tool=manifest.tool,
    )


@contextlib.contextmanager
def _writing() -> Iterator[None]:
    """Whatever goes wrong with the cache's disk is the user's to mend."""
    try:
        yield
    except OSError as error:
        raise UsageError(
            f"cannot write the cache {home() / 'derived'}: {error.strerror}",
            remedy="set EDGEBENCH_CACHE to a folder of yours",
        ) from None


def start() -> Path:
    """An empty folder beside the entries, for one that is being made.

    Raises:
        UsageError: The cache cannot be written.
    """
    folder = home() / "derived"
    with _writing():
        return folders.start(folder)


def take(made: Path, target: Path) -> None:
    """Move a file that a converter made into a folder of ``start``.

    Raises:
        UsageError: The cache cannot be written, or is full.
    """
    with _writing():
        shutil.move(made, target)


def keep(folder: Path, manifest: Manifest) -> Path:
    """Put a finished folder into its place; one that another process put there first stays.

    Returns:
        The model's file.

    Raises:
        UsageError: The cache cannot be written, or is full.
    """
    place = home() / "derived" / manifest.key
    with _writing():
        (folder / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(manifest)))
        folders.settle(folder, place, lambda there: read_folder(there) is not None)
    return place / manifest.file
