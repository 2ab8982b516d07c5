"""No network for this process and every process it starts: a seccomp filter (seccomp(2)).

Converters are other people's programs; some have been seen to install packages and to call home.
With the filter the kernel ends a process that asks for an internet socket, at once and whatever
library it asks through, so a conversion that ended well has asked for none.
"""

from __future__ import annotations

import ctypes
import platform
import struct
import sys
from typing import NamedTuple

_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP = 38, 22
_MODE_FILTER = 2
_ALLOW, _KILL_PROCESS = 0x7FFF0000, 0x80000000
_LOAD, _JUMP_IF_EQUAL, _JUMP_IF_AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_X32 = 0x40000000
"""From here on x86-64 numbers the system calls of its 32-bit twin, under its own name; no other
machine has calls with such numbers."""
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16
"""Offsets in struct seccomp_data; its arguments are 64 bit, low word first on both machines."""
_FAMILIES = (2, 10)
"""AF_INET, AF_INET6; sockets inside the machine (AF_UNIX, AF_NETLINK) are no network."""


class _Machine(NamedTuple):
    """How seccomp names a machine, and its number of socket(2)."""

    audit_arch: int
    socket: int


_MACHINES = {"x86_64": _Machine(0xC000003E, 41), "aarch64": _Machine(0xC00000B7, 198)}


class _Program(ctypes.Structure):
    """struct sock_fprog."""

    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def _filter(machine: _Machine) -> bytes:
    """The program: kill at socket(AF_INET or AF_INET6) and at system calls of another machine."""

    def step(code: int, value: int, yes: int = 0, no: int = 0) -> bytes:
        return struct.pack("<HBBI", code, yes, no, value)

    return b"".join(
        [
            step(_LOAD, _ARCHITECTURE),
            step(_JUMP_IF_EQUAL, machine.audit_arch, 0, 6),
            step(_LOAD, _NUMBER),
            step(_JUMP_IF_AT_LEAST, _X32, 4, 0),
            step(_JUMP_IF_EQUAL, machine.socket, 0, 4),
            step(_LOAD, _FIRST_ARGUMENT),
            step(_JUMP_IF_EQUAL, _FAMILIES[0], 1, 0),
            step(_JUMP_IF_EQUAL, _FAMILIES[1], 0, 1),
            step(_RETURN, _KILL_PROCESS),
            step(_RETURN, _ALLOW),
        ]
    )


def block_network() -> str:
    """Confine this process for good.

    Returns:
        ``blocked``, or why it could not be.
    """
    machine = _MACHINES.get(platform.machine())
    if sys.platform != "linux" or machine is None:
        return f"not blocked on {sys.platform} {platform.machine()}"
    libc = ctypes.CDLL(None, use_errno=True)
    code = _filter(machine)
    held = ctypes.create_string_buffer(code, len(code))
    program = _Program(len(code) // 8, ctypes.addressof(held))
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(
        _PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(program), 0, 0
    ):
        return f"not blocked: this kernel refuses a filter (errno {ctypes.get_errno()})"
    return "blocked"
