"""The JavaScript that draws charts, as one text; made once and kept in the user's cache folder."""

from __future__ import annotations

import hashlib
import os
import tempfile
from importlib import metadata
from pathlib import Path

from edgebench.errors import UsageError

_PACKAGE = "vl-convert-python"
_SNIPPET = "window.vegaEmbed = vegaEmbed;"


def javascript(vega_lite: str) -> str:
    """Vega, Vega-Lite and Vega-Embed in one script that defines ``window.vegaEmbed``.

    Bundling takes seconds, so the result is kept in ``$XDG_CACHE_HOME/edgebench``; a folder that
    cannot be written costs only those seconds each time.

    Args:
        vega_lite: The Vega-Lite version that the charts are written in, e.g. ``6.4.1``.

    Raises:
        UsageError: vl-convert-python is not installed.
    """
    try:
        made_by = metadata.version(_PACKAGE)
    except metadata.PackageNotFoundError:
        raise UsageError(
            f"the HTML report needs {_PACKAGE}", remedy="pip install 'edgebench[report]'"
        ) from None
    cached = _cache_folder() / f"vega-{made_by}-{vega_lite}.js"
    script = _read(cached)
    if script is None:
        script = _make(vega_lite)
        _write(cached, script)
    return script


def _make(vega_lite: str) -> str:
    import vl_convert  # noqa: PLC0415 - 80 MB that the cache spares

    minor = ".".join(vega_lite.lstrip("v").split(".")[:2])
    try:
        return vl_convert.javascript_bundle(_SNIPPET, minor)
    except RuntimeError:  # altair is newer than vl-convert: the newest that it has comes closest
        return vl_convert.javascript_bundle(_SNIPPET)


def _cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG base directory specification: a relative path is to be ignored.
    root = Path(base) if Path(base).is_absolute() else Path.home() / ".cache"
    return root / "edgebench"


def _read(path: Path) -> str | None:
    """The cached script; None where it is missing or not what was written."""
    try:
        digest, _, script = path.read_bytes().partition(b"\n")
    except OSError:
        return None
    return script.decode() if digest.decode("latin-1") == _digest(script) else None


def _write(path: Path, script: str) -> None:
    """Keep the script: whole or not at all, whoever else writes it at the same time."""
    body = script.encode()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            file.write(f"{_digest(body)}\n".encode() + body)
    except OSError:
        return
    try:
        Path(file.name).replace(path)
    except OSError:
        Path(file.name).unlink(missing_ok=True)


def _digest(body: bytes) -> str:
    return f"// sha256 {hashlib.sha256(body).hexdigest()}"
