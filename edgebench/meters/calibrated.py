"""A model of this unit's power, fitted to a meter by ``edgebench devices calibrate``.

Read: how long each CPU was busy (/proc/stat, ticks of 10 ms) and at which frequency (cpufreq's
``stats/time_in_state`` in kHz and ticks, else ``scaling_cur_freq`` in kHz), by any user; derived:
the mean power in uW since the reading before, so the first reading gives none. It sees the CPUs
and nothing else, and beyond what it was fitted to it says nothing
(https://docs.kernel.org/cpu-freq/cpufreq-stats.html, proc_stat(5)).
"""

from __future__ import annotations

from pathlib import Path

from edgebench import power_model
from edgebench.errors import UsageError
from edgebench.metering import Channel
from edgebench.meters import activity
from edgebench.power_model import PowerModel
from edgebench.protocols import Probe, Readings

_UW_PER_W = 1_000_000
_REMEDY = "edgebench devices calibrate --meter NAME, with a meter at this device"
_UPDATE_MS = 100.0
"""Ten of the kernel's ticks: with fewer a reading is mostly rounding."""
EXCLUDES = (
    "whatever is not the CPUs' doing: void where an accelerator runs",
    "instructions that draw otherwise than those it was fitted to",
)


class Calibrated:
    """Power by what the CPUs do, as fitted on this very unit."""

    name = "calibrated"

    def __init__(self) -> None:
        self._root = Path("/")
        self._model: PowerModel | None = None
        self._clusters: tuple[activity.Cluster, ...] = ()
        self._before: activity.Look | None = None
        self._beyond = ""

    def probe(self, root: Path) -> Probe:
        """Look for a model of this unit in the data home."""
        self.close()
        found, reason = _model_of(power_model.machine_key(root))
        if found is None:
            return Probe(name=self.name, available=False, reason=reason, remedy=_REMEDY)
        clusters = activity.clusters(root)
        here = [sorted(cpu for domain in cluster for cpu in domain.cpus) for cluster in clusters]
        if here != [sorted(cluster.cpus) for cluster in found.clusters]:
            reason = "the CPUs are not those that the model was fitted to"
            return Probe(name=self.name, available=False, reason=reason, remedy=_REMEDY)
        self._root, self._model, self._clusters = root, found, clusters
        self._before = activity.look(root, clusters)
        return Probe(name=self.name, available=True, version=found.made_at_utc)

    @property
    def channels(self) -> tuple[Channel, ...]:
        """One: the model."""
        if self._model is None:
            return ()
        return (
            Channel(
                name="model",
                tier="model_calibrated",
                quantity="power_uw",
                covers=self._model.covers,
                excludes=(*EXCLUDES, *self._model.excludes),
                update_ms=_UPDATE_MS,
                fit_error_ratio=self._model.error_ratio,
            ),
        )

    def take_caveats(self) -> tuple[str, ...]:
        """What the device did that the model was not fitted to, since this was last asked."""
        beyond, self._beyond = self._beyond, ""
        return (f"the model says nothing of {beyond}",) if beyond else ()

    def read(self) -> Readings:
        """The mean power since the reading before; None for what the model was not fitted to."""
        if self._model is None:
            return ()
        before, now = self._before, activity.look(self._root, self._clusters)
        if now is None:
            return (None,)
        seen = activity.between(before, now, self._clusters) if before is not None else None
        if seen is None:
            self._before = before or now
            return (None,)
        self._before = now
        if beyond := power_model.beyond(self._model, seen):
            self._beyond = beyond
            return (None,)
        return ((now.t_ns, round(self._model.power_w(seen) * _UW_PER_W)),)

    def close(self) -> None:
        """Forget what was probed."""
        self._model, self._clusters, self._before, self._beyond = None, (), None, ""


def _model_of(machine: str) -> tuple[PowerModel | None, str]:
    """The newest model of a unit, and why there is none."""
    if not machine:
        return None, "this machine has no id that tells it from others"
    models = map(_read, sorted(power_model.folder().glob("*.toml")))
    mine = [model for model in models if model is not None and model.machine == machine]
    if not mine:
        return None, "no model was fitted on this unit"
    return max(mine, key=lambda model: model.made_at_utc), ""


def _read(path: Path) -> PowerModel | None:
    """A model; None where the file is none, which then is no unit's."""
    try:
        return power_model.read(path)
    except UsageError:
        return None
