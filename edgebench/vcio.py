"""Commands of a Raspberry Pi's firmware, asked as ``vcgencmd`` asks them, without a process each.

``/dev/vcio_gencmd`` takes nothing but these commands and is what Raspberry Pi OS of 2026 leaves to
group ``video``; before, ``/dev/vcio`` was, which now is root's and takes every request of a driver.

Source: https://github.com/raspberrypi/utils/blob/master/vcgencmd/vcgencmd.c; Raspberry Pi's kernel,
drivers/char/broadcom/vcio.c.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from pathlib import Path

Ioctl = Callable[[int, int, bytearray], object]
"""File, request, buffer that is read and written; raises OSError."""
NODES = ("dev/vcio_gencmd", "dev/vcio")
_TAG = 0x00030080
"""GET_GENCMD_RESULT."""
_TEXT_BYTE = 1024
_HEAD = struct.Struct("=6I")
"""Size, request (0), tag, room for the text, length (0), error (0); the text and 0 follow."""
_SIZE = _HEAD.size + _TEXT_BYTE + 4
_PROPERTY = 3 << 30 | struct.calcsize("P") << 16 | 100 << 8
"""``_IOWR(100, 0, char *)``."""
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)
"""Nobody waits for the writer of a pipe that stands in the device's place."""


def kernel(handle: int, request: int, buffer: bytearray) -> object:
    """The kernel's own ioctl(2).

    Raises:
        OSError: The file is no mailbox, or the kernel refuses.
    """
    import fcntl  # noqa: PLC0415 - Linux only; elsewhere the module must be importable

    return fcntl.ioctl(handle, request, buffer, True)


def open_mailbox(root: Path) -> int:
    """A file descriptor of the first mailbox that may be opened.

    Raises:
        PermissionError: There is one, and none may be opened.
        OSError: There is none.
    """
    commands_only, general = (root / name for name in NODES)
    try:
        return os.open(commands_only, _FLAGS)
    except PermissionError:
        if not general.exists():
            raise
    except OSError:  # an older kernel, or no Raspberry Pi's
        pass
    return os.open(general, _FLAGS)


def ask(handle: int, command: str, ioctl: Ioctl | None = None) -> str:
    """What ``vcgencmd COMMAND`` prints.

    Raises:
        OSError: The kernel or the firmware refused.
    """
    text = command.encode("ascii").ljust(_TEXT_BYTE + 4, b"\0")
    buffer = bytearray(_HEAD.pack(_SIZE, 0, _TAG, _TEXT_BYTE, 0, 0) + text)
    (ioctl or kernel)(handle, _PROPERTY, buffer)
    if error := _HEAD.unpack_from(buffer)[-1]:
        raise OSError(f"the firmware answers {command} with error {error}")
    return bytes(buffer[_HEAD.size :]).partition(b"\0")[0].decode("ascii", "replace")


def told(root: Path, command: str) -> str:
    """What the firmware says to a command, asked once; empty where nobody can be asked."""
    try:
        handle = open_mailbox(root)
    except OSError:
        return ""
    try:
        return ask(handle, command)
    except OSError:
        return ""
    finally:
        os.close(handle)
