"""The environment variables of a worker: what runtimes need, and nothing that might be a secret."""

from __future__ import annotations

import os
import random
from pathlib import Path

_PADDING_BYTE = 4096
_KEEP = frozenset(
    {
        *("PATH", "HOME", "LANG", "LANGUAGE", "TZ", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR"),
        *("LD_LIBRARY_PATH", "LD_PRELOAD", "PYTHONPATH", "VIRTUAL_ENV", "CONDA_PREFIX"),
        *("ADSP_LIBRARY_PATH", "INTEL_OPENVINO_DIR", "OCL_ICD_VENDORS"),
        *("VK_ICD_FILENAMES", "VK_DRIVER_FILES"),
    }
)
"""What runtimes and their drivers need; anything else may be a secret."""
_KEEP_PREFIXES = (
    "LC_",
    "CUDA_",
    "NVIDIA_",
    "EDGEBENCH_",
    "HAILO",
    "QNN_",
    "RKNN_",
    "KMP_",
    "OPENCV_",
)


def environment(threads: int, folder: Path) -> dict[str, str]:
    """A worker's environment: what runtimes need, no secrets, and a padding of random length.

    Temporary files, and what torch's compiler makes, lie in the worker's folder and go with it:
    a worker that is killed, and the C++ compiler that it started, clear nothing away.

    Program layout shifts with the size of the environment and speed with it (Mytkowicz et al.
    2009, "Producing wrong data without doing anything obviously wrong"); a random length turns
    that bias into spread between launches, where the interval sees it.
    """
    kept = {
        key: value
        for key, value in os.environ.items()
        if key in _KEEP or key.startswith(_KEEP_PREFIXES)
    }
    if "PYTHONPATH" in kept:  # workers start in an empty folder: relative entries would be lost
        parts = kept["PYTHONPATH"].split(os.pathsep)
        kept["PYTHONPATH"] = os.pathsep.join(str(Path(part).absolute()) for part in parts)
    pools = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
    kept |= dict.fromkeys(pools, str(threads))
    kept |= {"ORT_DISABLE_TELEMETRY": "1", "TF_CPP_MIN_LOG_LEVEL": "2"}
    temporary = folder / ".tmp"
    temporary.mkdir(exist_ok=True)
    kept |= {"TMPDIR": str(temporary), "TORCHINDUCTOR_CACHE_DIR": str(folder / ".inductor")}
    kept["EDGEBENCH_PADDING"] = "x" * random.randrange(_PADDING_BYTE)  # noqa: S311 - no secret
    return kept
