"""NVIDIA GPUs by NVML, the driver's own library: an energy counter, else the momentary power.

Read: ``nvmlDeviceGetTotalEnergyConsumption``, mJ since the driver was loaded (Volta and later),
else ``nvmlDeviceGetPowerUsage``, mW: a mean over the last second from Ampere on, except for A100.
Any user may read both. They hold the whole GPU board with its memory, and nothing of the host. A
Jetson's GPU is part of its module and has no counter here: see `edgebench.meters.jetson`.

The library is called by ctypes: a package for seven functions of the driver would have to be
installed beside it.

Source: https://docs.nvidia.com/deploy/nvml-api/group__nvmlDeviceQueries.html; how far the figures
hold: Yang et al. (2024), "Part-time Power Measurements", https://arxiv.org/abs/2312.02741.
"""

from __future__ import annotations

import ctypes
import time
from pathlib import Path
from typing import Any

import msgspec

from edgebench.metering import Channel
from edgebench.meters.files import read_text
from edgebench.protocols import Probe, Readings

_LIBRARY = "libnvidia-ml.so.1"
_SUCCESS = 0
_NAME_BYTE = 96
_UPDATE_MS = 100.0
"""Of the counter; the power's own mean is over a second."""
_MEAN_MS = 1000.0
_COUNTER_UJ, _POWER_UW = 1000, 1000
"""uJ of a mJ, uW of a mW."""
_EXCLUDES = ("cpu", "ram", "rest of the host")


class _Gpu(msgspec.Struct, frozen=True, kw_only=True):
    handle: ctypes.c_void_p
    counts: bool
    """Whether it has the energy counter."""


class Nvml:
    """Every NVIDIA GPU of this machine.

    Args:
        library: For tests: what stands for the driver's (`edgebench.testing.sensors.FakeNvml`).
    """

    name = "nvml"

    def __init__(self, library: Any = None) -> None:  # noqa: ANN401 - ctypes gives functions no type
        self._given = library
        self._library: Any = None
        self._gpus: tuple[_Gpu, ...] = ()
        self._channels: tuple[Channel, ...] = ()

    def probe(self, root: Path) -> Probe:
        """Load the library where it is this machine that is asked for, and list its GPUs."""
        self.close()
        if "nvidia,tegra" in (read_text(root / "proc/device-tree/compatible") or ""):
            return self._not("a Jetson's GPU is measured by its rails", "use the meter jetson")
        library = self._given
        if library is None and root != Path("/"):
            return self._not("the driver's library is not a file of another root", "")
        try:
            library = library or _driver()
        except OSError:
            return self._not(f"no NVIDIA driver: there is no {_LIBRARY}", "")
        if code := library.nvmlInit_v2():
            return self._not(f"NVML does not start: {_words(library, code)}", "run nvidia-smi")
        self._library = library
        found = [self._gpu(index) for index in range(_count(library))]
        told = [(gpu, name) for one in found if one is not None for gpu, name in (one,)]
        if not told:
            self.close()
            return self._not("no NVIDIA GPU tells its power", "run nvidia-smi -q -d POWER")
        self._gpus = tuple(gpu for gpu, _ in told)
        self._channels = tuple(_channel(index, name, gpu) for index, (gpu, name) in enumerate(told))
        return Probe(name=self.name, available=True, version=_version(library))

    def _not(self, reason: str, remedy: str) -> Probe:
        return Probe(name=self.name, available=False, reason=reason, remedy=remedy)

    def _gpu(self, index: int) -> tuple[_Gpu, str] | None:
        """A GPU and its name; None where it tells neither energy nor power."""
        handle = ctypes.c_void_p()
        if self._library.nvmlDeviceGetHandleByIndex_v2(index, ctypes.byref(handle)):
            return None
        text = ctypes.create_string_buffer(_NAME_BYTE)
        code = self._library.nvmlDeviceGetName(handle, text, _NAME_BYTE)
        name = text.value.decode("utf-8", "replace") if code == _SUCCESS else "GPU"
        for counts in (True, False):
            gpu = _Gpu(handle=handle, counts=counts)
            if self._value(gpu):  # a counter at 0 does not count, and no GPU draws nothing
                return gpu, name
        return None

    def _value(self, gpu: _Gpu) -> int | None:
        """The counter in uJ, or the power in uW; None where the driver refuses."""
        if gpu.counts:
            energy_mj = ctypes.c_ulonglong()
            call = self._library.nvmlDeviceGetTotalEnergyConsumption
            code = call(gpu.handle, ctypes.byref(energy_mj))
            return energy_mj.value * _COUNTER_UJ if code == _SUCCESS else None
        power_mw = ctypes.c_uint()
        code = self._library.nvmlDeviceGetPowerUsage(gpu.handle, ctypes.byref(power_mw))
        return power_mw.value * _POWER_UW if code == _SUCCESS else None

    @property
    def channels(self) -> tuple[Channel, ...]:
        """A channel a GPU."""
        return self._channels

    def read(self) -> Readings:
        """Every GPU's counter in uJ, or power in uW."""
        return tuple(self._reading(gpu) for gpu in self._gpus)

    def _reading(self, gpu: _Gpu) -> tuple[int, int] | None:
        value = self._value(gpu)
        return None if value is None else (time.perf_counter_ns(), value)

    def close(self) -> None:
        """Give NVML back; the driver counts on."""
        if self._library is not None:
            self._library.nvmlShutdown()
        self._library, self._gpus, self._channels = None, (), ()


def _channel(index: int, name: str, gpu: _Gpu) -> Channel:
    return Channel(
        name=f"{index}: {name}",
        tier="partial_measured",
        quantity="energy_uj" if gpu.counts else "power_uw",
        covers=("gpu",),
        excludes=_EXCLUDES,
        update_ms=_UPDATE_MS if gpu.counts else _MEAN_MS,
    )


def _driver() -> ctypes.CDLL:
    """The driver's library.

    Raises:
        OSError: There is none.
    """
    library = ctypes.CDLL(_LIBRARY)
    library.nvmlErrorString.restype = ctypes.c_char_p
    return library


def _count(library: Any) -> int:  # noqa: ANN401 - as above
    count = ctypes.c_uint()
    return count.value if library.nvmlDeviceGetCount_v2(ctypes.byref(count)) == _SUCCESS else 0


def _version(library: Any) -> str:  # noqa: ANN401 - as above
    text = ctypes.create_string_buffer(_NAME_BYTE)
    code = library.nvmlSystemGetDriverVersion(text, _NAME_BYTE)
    return text.value.decode("ascii", "replace") if code == _SUCCESS else ""


def _words(library: Any, code: int) -> str:  # noqa: ANN401 - as above
    return (library.nvmlErrorString(code) or b"").decode("ascii", "replace") or f"error {code}"
