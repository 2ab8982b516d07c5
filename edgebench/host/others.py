"""CPU time of other processes by name: who was at work beside a measurement."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from edgebench.host import process
from edgebench.host.cpu import ROOT
from edgebench.host.environment import ns_of_ticks

_KEPT = 5
"""Names in a record: the busiest ones."""
_PARENT, _SESSION, _USER, _SYSTEM, _CHILD_USER, _CHILD_SYSTEM, _START = 1, 3, 11, 12, 13, 14, 19
"""Fields of /proc/<pid>/stat after the name (proc(5))."""

Key = tuple[int, int]
"""Number and start of a process: a number alone may be another's by the second look."""


class Seen(NamedTuple):
    """One process at one moment."""

    key: Key
    name: str
    parent: int
    session: int
    cpu_ns: int
    ended_ns: int
    """Of its children that have ended, and of theirs."""


def parse_stat(data: bytes) -> Seen | None:
    """A line of /proc/<pid>/stat; None where it is none. A name may hold blanks and brackets."""
    number, bracket, rest = data.partition(b" (")
    name, closing, after = rest.rpartition(b") ")
    fields = after.split()
    if not (bracket and closing and number.isdigit() and len(fields) > _START):
        return None
    try:
        parent, session, user, system, children_user, children_system, start = (
            int(fields[i])
            for i in (_PARENT, _SESSION, _USER, _SYSTEM, _CHILD_USER, _CHILD_SYSTEM, _START)
        )
    except ValueError:
        return None
    return Seen(
        key=(int(number), start),
        name=name.decode("utf-8", "replace"),
        parent=parent,
        session=session,
        cpu_ns=ns_of_ticks(user + system),
        ended_ns=ns_of_ticks(children_user + children_system),
    )


class Others:
    """Everything that runs but this process, its session, its helpers, its parent and siblings.

    A worker leads a session of its own, and the parent's other children (a sampler, a live
    worker's partner) are edgebench's too. A look takes about 20 us a process, so it is never taken
    within a window.

    Args:
        root: Stands for ``/``.
    """

    def __init__(self, root: Path = ROOT) -> None:
        self._root = root
        self._before = self._look()

    def intruders(self) -> dict[str, int]:
        """CPU time in ns that others used since then, by name, the busiest first.

        Who began meanwhile is counted whole. Who ended meanwhile counts as its parent's, which has
        it on its books: a script may do all of its work in short programs.
        """
        used: Counter[str] = Counter()
        now = self._look()
        before: Counter[int] = Counter()
        for key, seen in self._before.items():
            if key not in now:  # from before it ended, and soon among what its parent's have used
                before[seen.parent] += seen.cpu_ns + seen.ended_ns
        for key, seen in now.items():
            earlier = self._before.get(key)
            cpu_ns, ended_ns = (earlier.cpu_ns, earlier.ended_ns) if earlier is not None else (0, 0)
            ended = max(0, seen.ended_ns - ended_ns - before[key[0]])
            used[seen.name] += seen.cpu_ns - cpu_ns + ended
        return {name: ns for name, ns in used.most_common(_KEPT) if ns > 0}

    def _look(self) -> dict[Key, Seen]:
        own, parent = os.getpid(), os.getppid()
        session = os.getsid(0)
        ours = {own, parent, *process.helpers}
        found = {}
        for name in _listed(self._root / "proc"):
            seen = parse_stat(_bytes(f"{self._root}/proc/{name}/stat"))
            if seen is None or seen.key[0] in ours:
                continue
            if parent != seen.parent and session != seen.session:
                found[seen.key] = seen
        return found


def _listed(folder: Path) -> list[str]:
    try:
        return [name for name in os.listdir(folder) if name.isdigit()]  # noqa: PTH208 - as below
    except OSError:
        return []


def _bytes(path: str) -> bytes:
    try:
        with open(path, "rb", buffering=0) as stream:  # noqa: PTH123 - one of hundreds a look
            return stream.read(1024)
    except OSError:  # it has ended
        return b""
