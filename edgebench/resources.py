"""Where workloads, devices and templates lie.

User folders come first (``EDGEBENCH_PATH``, separated by ``:``), then the data home, where
workloads are built and unpacked and devices are added, then the data inside an installed package,
then the folders beside the package in a checkout: an editable install does not see the data that a
wheel carries, so both places are looked at.
"""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from edgebench.descriptors import read_device
from edgebench.errors import UsageError
from edgebench.specs import DeviceSpec, Workload, read_workload

_PACKAGE = Path(__file__).resolve().parent


def data_home(environ: Mapping[str, str] = os.environ, platform: str = sys.platform) -> Path:
    """``EDGEBENCH_DATA``, else the platform's folder for a program's data."""
    if environ.get("EDGEBENCH_DATA"):
        return Path(environ["EDGEBENCH_DATA"]).absolute()
    user = Path.home()
    if platform == "win32":
        return Path(environ.get("LOCALAPPDATA") or user / "AppData" / "Local") / "edgebench"
    if platform == "darwin":
        return user / "Library" / "Application Support" / "edgebench"
    base = Path(environ.get("XDG_DATA_HOME") or "")
    # The XDG specification: a relative path is not valid and is to be ignored.
    return (base if base.is_absolute() else user / ".local" / "share") / "edgebench"


def workload_home() -> Path:
    """Where workloads are built and unpacked, a folder each."""
    return data_home() / "workloads"


def device_home() -> Path:
    """Where a new device's descriptor goes: the user's first folder, else the data home."""
    return next(iter(_user_roots()), data_home()) / "devices"


def _user_roots() -> tuple[Path, ...]:
    given = os.environ.get("EDGEBENCH_PATH", "").split(os.pathsep)
    return tuple(Path(part) for part in given if part)


def roots() -> tuple[Path, ...]:
    """Folders that may hold ``workloads/``, ``devices/`` and ``reports/``, first match wins."""
    return (*_user_roots(), _PACKAGE / "_data", _PACKAGE.parent)


def _folders(kind: str) -> Iterator[Path]:
    for root in roots():
        folder = root / kind
        if folder.is_dir():
            yield folder


def _with_home(kind: str) -> list[Path]:
    """`roots` of a kind, the data home's behind the user's; they may not exist."""
    user = _user_roots()
    return [root / kind for root in (*user, data_home(), *roots()[len(user) :])]


def workload_places() -> dict[str, list[Path]]:
    """Every folder that describes a workload, by its name, in the order they are looked at."""
    places: dict[str, list[Path]] = {}
    for parent in _with_home("workloads"):
        for folder in sorted(parent.iterdir()) if parent.is_dir() else ():
            if (folder / "workload.toml").is_file() and not folder.name.startswith("."):
                places.setdefault(folder.name, []).append(folder)
    return dict(sorted(places.items()))


def workload_folders(*, built: bool = False) -> dict[str, Path]:
    """Workloads by folder name: the first that is built, else the first recipe.

    Args:
        built: Leave those out that are only recipes yet.
    """
    found = {}
    for name, folders in workload_places().items():
        # A name that lies in one place alone needs no look into its file.
        sole = len(folders) == 1 and not built
        best = folders[0] if sole else next(filter(is_built, folders), None)
        if best is not None or not built:
            found[name] = best or folders[0]
    return found


def is_built(folder: Path) -> bool:
    """Whether a workload's folder has more than its recipe; so has one whose file is damaged."""
    try:
        return read_workload(folder).is_built
    except UsageError:
        return True


def recipe_folder(name: str) -> Path:
    """Where a workload's recipe is read from: what it was made of before what was made.

    Raises:
        UsageError: No such workload.
    """
    folders = workload_places().get(name) or [open_workload(name).folder]
    return next((folder for folder in folders if folder.parent != workload_home()), folders[0])


def open_workload(name: str) -> Workload:
    """A workload by name, or by the path of its folder.

    Raises:
        UsageError: No such workload, or its files are not in order.
    """
    if os.sep in name or name.startswith("."):
        return read_workload(Path(name))
    folders = workload_folders()
    if name not in folders:
        raise UsageError(f"no workload named {name!r} (known: {', '.join(folders) or 'none'})")
    return read_workload(folders[name])


def open_built(name: str) -> Workload:
    """`open_workload` of one that can be measured.

    Raises:
        UsageError: As there, or it is only a recipe yet.
    """
    workload = open_workload(name)
    _ = workload.reference_path  # it has the words
    return workload


def scene_file() -> Path:
    """The photograph-like image that region e2e decodes unless it is given another.

    Raises:
        UsageError: The installation is damaged.
    """
    for folder in _folders("workloads"):
        if (folder / "_shared" / "scene.jpg").is_file():
            return folder / "_shared" / "scene.jpg"
    raise UsageError("workloads/_shared/scene.jpg is missing", remedy="reinstall edgebench")


def device_files() -> dict[str, Path]:
    """Device descriptors by file name; the first root that has a name wins."""
    found: dict[str, Path] = {}
    for parent in _with_home("devices"):
        for path in sorted(parent.glob("*.toml")):
            found.setdefault(path.stem, path)
    return dict(sorted(found.items()))


def open_device(name: str) -> DeviceSpec:
    """A device descriptor by name.

    Raises:
        UsageError: No such device, or its file is not in order.
    """
    files = device_files()
    if name not in files:
        close = difflib.get_close_matches(name, files)
        like = f"did you mean {' or '.join(close)}? " if close else ""
        raise UsageError(
            f"no device named {name!r}", remedy=f"{like}edgebench devices list names them all"
        )
    return read_device(files[name])


def open_devices() -> tuple[DeviceSpec, ...]:
    """Every device descriptor.

    Raises:
        UsageError: One of them is not in order.
    """
    return tuple(read_device(path) for path in device_files().values())


def template_folder() -> Path:
    """The folder of the HTML report's templates.

    Raises:
        UsageError: The installation is damaged.
    """
    for folder in _folders("reports/templates"):
        return folder
    raise UsageError("the report templates are missing", remedy="reinstall edgebench")
