"""Finding backends, meters, importers and exporters: entry points, loaded one at a time.

A name that holds a colon (``my_module:MyBackend``) is imported as it stands, so a plug-in can be
tried before it is packaged.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

import msgspec

from edgebench.errors import EdgebenchError, UsageError
from edgebench.protocols import Backend, Exporter, Importer, Meter, Probe, ProfilingBackend

BACKENDS = "edgebench.backends"
METERS = "edgebench.meters"
IMPORTERS = "edgebench.importers"
EXPORTERS = "edgebench.exporters"
_MEMBERS = ("name", "formats", "precisions", "probe", "open")
_METER_MEMBERS = ("name", "probe", "channels", "read", "close")
_IMPORTER_MEMBERS = ("name", "wants", "read")
_EXPORTER_MEMBERS = ("name", "suffix", "write")


def names(group: str) -> tuple[str, ...]:
    """The names registered in a group, sorted; nothing is imported."""
    return tuple(sorted({point.name for point in entry_points(group=group)}))


def _points(group: str, name: str) -> Iterator[EntryPoint]:
    yield from entry_points(group=group, name=name)
    if ":" in name:
        yield EntryPoint(name=name, value=name, group=group)


def load(group: str, name: str) -> Any:  # noqa: ANN401 - the group's contract tells the type
    """Import what a name stands for.

    Raises:
        UsageError: No such name, or two plug-ins have it.
        ImportError: Its module, or a package that module needs, is not installed.
    """
    points = {point.value: point for point in _points(group, name)}
    if len(points) > 1:  # which one came first would decide whose figures these are
        owners = " and ".join(sorted(point.dist.name for point in points.values() if point.dist))
        raise UsageError(f"{name!r} is registered by {owners}", remedy="uninstall one of them")
    point = next(iter(points.values()), None)
    if point is None:
        known = ", ".join(names(group)) or "none"
        kind = group.rpartition(".")[2].rstrip("s")
        raise UsageError(f"no {kind} named {name!r} (known: {known})")
    try:
        return point.load()
    except AttributeError as error:
        raise UsageError(f"{point.value}: {error}") from None


def open_backend(name: str) -> Backend:
    """The backend of a name, its framework imported.

    Raises:
        UsageError: No such name, or not a backend.
        ImportError: Its framework is not installed.
    """
    backend = _made(BACKENDS, name)
    if not isinstance(backend, Backend):
        raise _unfit(name, backend, "Backend", _MEMBERS)
    return backend


def open_meter(name: str) -> Meter:
    """The meter of a name, not probed yet.

    Raises:
        UsageError: No such name, or not a meter.
        ImportError: A library that it needs is not installed.
    """
    meter = _made(METERS, name)
    if not isinstance(meter, Meter):
        raise _unfit(name, meter, "Meter", _METER_MEMBERS)
    return meter


def open_importer(name: str) -> Importer:
    """The importer of a name.

    Raises:
        UsageError: No such name, or not an importer.
        ImportError: A library that it needs is not installed.
    """
    importer = _made(IMPORTERS, name)
    if not isinstance(importer, Importer):
        raise _unfit(name, importer, "Importer", _IMPORTER_MEMBERS)
    return importer


def open_exporter(name: str) -> Exporter:
    """The exporter of a name.

    Raises:
        UsageError: No such name, or not an exporter.
        ImportError: A library that it needs is not installed.
    """
    exporter = _made(EXPORTERS, name)
    if not isinstance(exporter, Exporter):
        raise _unfit(name, exporter, "Exporter", _EXPORTER_MEMBERS)
    return exporter


def _made(group: str, name: str) -> object:
    """An object of the class that a name stands for."""
    made = load(group, name)
    if not callable(made):
        raise UsageError(f"{name!r} is not a class but {made!r}", remedy="register MODULE:CLASS")
    return made()


def _unfit(name: str, made: object, contract: str, members: tuple[str, ...]) -> UsageError:
    lacking = ", ".join(member for member in members if not hasattr(made, member))
    return UsageError(
        f"{name!r} is not a {contract.lower()}: it has no {lacking}",
        remedy=f"see edgebench.protocols.{contract}",
    )


def probe_backend(name: str) -> Probe:
    """Whether a backend can be used in this interpreter; never raises for a missing one.

    The answer bears the name that was asked for, whatever a plug-in calls itself: by that name
    its cases are planned and opened.
    """
    try:
        backend = open_backend(name)
        can = isinstance(backend, ProfilingBackend)
        return msgspec.structs.replace(_sound(backend.probe()), name=name, profiles=can)
    except Exception as error:  # noqa: BLE001 - a broken runtime is one that is not available
        return _refused(BACKENDS, name, error)


def probe_meter(name: str, root: Path) -> Probe:
    """Whether a meter can be read here; never raises for a missing one, and leaves none open.

    Args:
        name: By which it is registered; the answer bears it.
        root: Stands for ``/``.
    """
    try:
        meter = open_meter(name)
        try:
            return msgspec.structs.replace(_sound(meter.probe(root)), name=name)
        finally:
            meter.close()
    except Exception as error:  # noqa: BLE001 - a broken meter is one that is not available
        return _refused(METERS, name, error)


def _refused(group: str, name: str, error: Exception) -> Probe:
    """The answer in place of one that an error kept from being given."""
    if isinstance(error, ImportError):
        # Any other ImportError has the name of what is there and lacks a library.
        absent = error.name if isinstance(error, ModuleNotFoundError) else None
        package = (absent or "").partition(".")[0]
        return Probe(
            name=name,
            available=False,
            reason=f"{package} is not installed" if package else str(error),
            remedy=_pip_line(group, name, package),
        )
    if isinstance(error, EdgebenchError):  # its words are for people already
        return Probe(name=name, available=False, reason=error.message, remedy=error.remedy)
    return Probe(name=name, available=False, reason=f"{type(error).__name__}: {error}")


def _sound(told: object) -> Probe:
    """What a plug-in tells of itself, if it can cross to the parent: no answer may cost another.

    Raises:
        UsageError: It is no `Probe`, or holds a value of a wrong type.
    """
    try:
        return msgspec.convert(msgspec.to_builtins(told), Probe)
    except (msgspec.ValidationError, TypeError) as error:
        raise UsageError(f"probe() gives no edgebench.protocols.Probe: {error}") from None


def install_extra(name: str, group: str = BACKENDS) -> str:
    """The extra that installs what a built-in backend or meter needs; empty for a third party's."""
    for point in _points(group, name):
        if point.dist is not None and point.dist.name == "edgebench":
            return f"edgebench[{name}]"
    return ""


def _pip_line(group: str, name: str, package: str) -> str:
    wanted = f"'{built_in}'" if (built_in := install_extra(name, group)) else package
    return f"pip install {wanted}" if wanted else ""
