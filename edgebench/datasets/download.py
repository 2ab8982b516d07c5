"""Downloads that can be cut: goes on where it stopped, and uses nothing whose sha256 is wrong."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from edgebench import __version__
from edgebench.errors import UsageError
from edgebench.specs import sha256_of

Report = Callable[[str, int, int], None]
"""Told a file's name, its bytes so far and its bytes in all."""

_TIMEOUT_S = 30.0
_TRIES = 5
_CHUNK_BYTE = 1 << 16
_NOT_SATISFIABLE = 416
_PARTIAL = 206
_TROUBLE = (OSError, http.client.HTTPException, ValueError)


class RemoteFile(NamedTuple):
    """A published file."""

    name: str
    addresses: tuple[str, ...]
    """Where it lies, tried in this order."""
    sha256: str
    size_byte: int


def fetch(file: RemoteFile, folder: Path, report: Report, timeout_s: float = _TIMEOUT_S) -> Path:
    """Download a file, or what is missing of it.

    Args:
        file: What to download.
        folder: Where to; ``NAME.part`` stays there when the download is cut.
        report: Told of the progress.
        timeout_s: Longest silence of the server.

    Returns:
        The file, its sha256 checked.

    Raises:
        UsageError: No address gave the file; the reason of each is told.
    """
    part = folder / f"{file.name}.part"
    reasons = []
    for address in file.addresses:
        reason = _from(address, file, part, report, timeout_s)
        if not reason:
            return part.replace(folder / file.name)
        reasons.append(f"{urllib.parse.urlsplit(address).netloc}: {reason}")
    raise UsageError(
        f"cannot download {file.name}: {'; '.join(reasons)}",
        remedy="the same command goes on where it stopped; or fetch the file elsewhere and use "
        "`edgebench data add`",
    )


def _from(address: str, file: RemoteFile, part: Path, report: Report, timeout_s: float) -> str:
    """Fill up the part from one address; give why it is not whole, or nothing."""
    reason = ""
    for _ in range(_TRIES):
        if _size(part) > file.size_byte:
            part.unlink()
        had = _size(part)
        if had < file.size_byte:
            reason = _transfer(address, file, part, report, timeout_s)
        if _size(part) == file.size_byte:
            if sha256_of(part) == file.sha256:
                return ""
            part.unlink()
            reason = "it has another file there (sha256)"
            if had == 0:
                return reason
        elif _size(part) == had:  # not a byte further: the next address may do better
            return reason
    return reason


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _transfer(address: str, file: RemoteFile, part: Path, report: Report, timeout_s: float) -> str:
    """One connection; give why it ended early, or nothing."""
    had = _size(part)
    headers = {"User-Agent": f"edgebench/{__version__}", "Accept-Encoding": "identity"}
    if had:
        headers["Range"] = f"bytes={had}-"
    request = urllib.request.Request(address, headers=headers)  # noqa: S310 - addresses are our own
    try:
        with urllib.request.urlopen(request, timeout=timeout_s) as answer:  # noqa: S310 - as above
            goes_on = answer.status == _PARTIAL and answer.headers.get(
                "Content-Range", ""
            ).startswith(f"bytes {had}-")
            return _receive(answer, file, part, report, goes_on=goes_on)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == _NOT_SATISFIABLE:
            part.unlink(missing_ok=True)
        return f"HTTP {error.code} {error.reason}"
    except urllib.error.URLError as error:
        return str(error.reason)
    except _TROUBLE as error:
        return str(error) or type(error).__name__


def _receive(
    answer: http.client.HTTPResponse, file: RemoteFile, part: Path, report: Report, *, goes_on: bool
) -> str:
    """Append what comes (or begin again, where the server cannot go on)."""
    with part.open("ab" if goes_on else "wb") as sink:
        done = sink.tell()
        while chunk := answer.read(_CHUNK_BYTE):
            done += len(chunk)
            if done > file.size_byte:
                break
            sink.write(chunk)
            report(file.name, done, file.size_byte)
    if done > file.size_byte:
        part.unlink()
        return f"it sends more than the {file.size_byte} byte the file has"
    return "" if done == file.size_byte else f"cut after {done} of {file.size_byte} byte"
