"""Finding backends, meters, importers and exporters: entry points, loaded one at a time.

A name that holds a colon (``my_module:MyBackend``) is imported as it stands, so a plug-in can be
tried before it is packaged.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import msgspec

from edgebench.errors import EdgebenchError, UsageError
from edgebench.protocols import Backend, Probe, ProfilingBackend

BACKENDS = "edgebench.backends"
METERS = "edgebench.meters"
_MEMBERS = ("name", "formats", "precisions", "probe", "open")


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
    made = load(BACKENDS, name)
    if not callable(made):
        raise UsageError(f"{name!r} is not a class but {made!r}", remedy="register MODULE:CLASS")
    backend = made()
    if not isinstance(backend, Backend):
        lacking = ", ".join(member for member in _MEMBERS if not hasattr(backend, member))
        raise UsageError(
            f"{name!r} is not a backend: it has no {lacking}",
            remedy="see edgebench.protocols.Backend",
        )
    return backend


def probe_backend(name: str) -> Probe:
    """Whether a backend can be used in this interpreter; never raises for a missing one.

    The answer bears the name that was asked for, whatever a plug-in calls itself: by that name
    its cases are planned and opened.
    """
    try:
        backend = open_backend(name)
        can = isinstance(backend, ProfilingBackend)
        return msgspec.structs.replace(_sound(backend.probe()), name=name, profiles=can)
    except ImportError as error:
        # Any other ImportError has the name of what is there and lacks a library.
        absent = error.name if isinstance(error, ModuleNotFoundError) else None
        package = (absent or "").partition(".")[0]
        return Probe(
            name=name,
            available=False,
            reason=f"{package} is not installed" if package else str(error),
            remedy=_pip_line(name, package),
        )
    except EdgebenchError as error:  # its words are for people already
        return Probe(name=name, available=False, reason=error.message, remedy=error.remedy)
    except Exception as error:  # noqa: BLE001 - a broken runtime is one that is not available
        return Probe(name=name, available=False, reason=f"{type(error).__name__}: {error}")


def _sound(told: object) -> Probe:
    """What a backend tells of itself, if it can cross to the parent: no answer may cost another.

    Raises:
        UsageError: It is no `Probe`, or holds a value of a wrong type.
    """
    try:
        return msgspec.convert(msgspec.to_builtins(told), Probe)
    except (msgspec.ValidationError, TypeError) as error:
        raise UsageError(f"probe() gives no edgebench.protocols.Probe: {error}") from None


def install_extra(name: str) -> str:
    """The extra that installs a built-in backend's framework; empty for a third party's."""
    for point in _points(BACKENDS, name):
        if point.dist is not None and point.dist.name == "edgebench":
            return f"edgebench[{name}]"
    return ""


def _pip_line(name: str, package: str) -> str:
    wanted = f"'{built_in}'" if (built_in := install_extra(name)) else package
    return f"pip install {wanted}" if wanted else ""
