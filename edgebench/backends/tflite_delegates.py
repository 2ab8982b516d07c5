"""External delegates: shared libraries that drive an accelerator for LiteRT and tflite-runtime.

Reference: https://ai.google.dev/edge/litert/performance/implementing_delegate. An accelerator's
library is found by its well-known name, or is named by the option of the accelerator's own name.
"""

from __future__ import annotations

import ctypes
import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgebench.errors import ModelRefusedError

LIBRARIES = {
    # https://coral.ai/docs/edgetpu/tflite-python/
    "edgetpu": "libedgetpu.so.1",
    # NXP, "i.MX Machine Learning User's Guide": VeriSilicon (i.MX 8M Plus), Ethos-U (i.MX 93),
    # eIQ Neutron (i.MX 95)
    "vx": "libvx_delegate.so",
    "ethosu": "libethosu_delegate.so",
    "neutron": "libneutron_delegate.so",
    # https://arm-software.github.io/armnn/latest/md_delegate_2_delegate_quick_start_guide.html
    "armnn": "libarmnnDelegate.so",
    # https://docs.mesa3d.org/teflon.html
    "teflon": "libteflon.so",
    # Qualcomm, "AI Engine Direct Delegate"
    "qnn": "libQnnTFLiteDelegate.so",
}
"""Accelerators by name, and the library that a vendor's documentation has the user load."""
_ENTRY = ("tflite_plugin_create_delegate", "tflite_plugin_destroy_delegate")


def present() -> dict[str, Path]:
    """Accelerators whose library lies where libraries are looked for."""
    found: dict[str, Path] = {}
    for folder in folders():
        for name, library in LIBRARIES.items():
            path = folder / library
            if name not in found and path.is_file():
                found[name] = path
    return found


def folders() -> list[Path]:
    """Where libraries are looked for on Debian, Yocto and the like, in order."""
    mine = [Path(part) for part in os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep) if part]
    roots = [Path(root) for root in ("/usr/local/lib", "/lib", "/usr/lib")]
    several = f"{platform.machine()}-linux-gnu"
    both = [folder for root in roots for folder in (root / several, root)]
    # Debian's mesa-teflon-delegate has a folder of its own.
    return [*mine, *both, Path("/usr/lib64"), Path("/usr/lib/teflon")]


def load(runtime: Any, name: str, options: Mapping[str, str]) -> Any:  # noqa: ANN401 - untyped
    """A delegate of the runtime's own class.

    Args:
        runtime: The runtime's module ``interpreter``.
        name: Of the accelerator.
        options: ``NAME`` is the library's path where it has no well-known one; ``NAME.KEY`` is
            the delegate's own option ``KEY``.

    Raises:
        ModelRefusedError: No library, not a delegate, or it refuses, in its own words.
    """
    path = options.get(name) or present().get(name)
    if path is None:
        known = LIBRARIES.get(name)
        raise ModelRefusedError(
            f"there is no accelerator {name!r} here"
            + (f": {known} is not where libraries are looked for" if known else ""),
            remedy=f'options = {{ {name} = "/path/to/its/delegate.so" }}',
        )
    own = {key.partition(".")[2]: value for key, value in options.items() if "." in key}
    try:
        library = ctypes.CDLL(str(path))
        if missing := [entry for entry in _ENTRY if not hasattr(library, entry)]:
            raise ModelRefusedError(f"{path} is no TFLite delegate: it has no {missing[0]}")
        return runtime.load_delegate(str(path), own)
    except (OSError, ValueError) as error:
        words = " ".join(str(error).split()).removeprefix(f"Failed to load delegate from {path}")
        vague = os.sep in str(path) and not Path(path).is_absolute()
        raise ModelRefusedError(
            f"the delegate {path} cannot be loaded: {words.strip() or 'it gives no reason'}",
            remedy="name it by its whole path: a launch has a folder of its own" if vague else "",
        ) from error
