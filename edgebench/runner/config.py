"""What the user asked for: options of the command line or keys of a TOML file, checked."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Literal

import msgspec

from edgebench.errors import UsageError
from edgebench.records import PRECISIONS, Engine, Precision, Region, Scenario, Tuning
from edgebench.runner.labelled import AccuracyChoice
from edgebench.sampling import RATE_HZ
from edgebench.specs import read_toml_as

PresetName = Literal["quick", "standard", "thorough"]


class Preset(msgspec.Struct, frozen=True, kw_only=True):
    """How long and how often to measure."""

    name: PresetName
    min_launches: int
    max_launches: int
    measure_s: float
    warmup_s: float
    warmup_max_s: float = 10.0
    measure_max_s: float | None = None
    """A launch that has not reached its target in ``measure_s`` goes on up to here."""
    launch_target_ratio: float | None = None
    """Half-width of the median's interval inside a launch at which it may stop."""
    target_ratio: float | None = None
    """Half-width of the median's interval at which a case needs no more launches."""
    cooldown_max_s: float | None = None
    """Longest wait before a block until the device is as cool as at the start; None: no wait."""
    budget_s: float | None = None
    """Seconds for the whole run, spent where intervals are widest."""
    aim_s: float | None = None
    """Seconds that a run of everything installed tries to keep to; see `durations.aimed`."""
    power_s: float | None = None
    """Window of the power pass, where a meter measures; None: no such pass."""
    idle_s: float = 10.0
    """Idle baseline of the power pass: the model loaded, nothing at work."""
    power_launches: int = 3
    """The first so many launches of a case have a power pass: their spread is the interval."""


_COOLDOWN_MAX_S = 120.0
_TARGET_RATIO = 0.02
_POWER_S = 30.0
"""So long that a sensor of 1 Hz has 30 values."""
_FASTEST_HZ = 1000.0
LEAST_READINGS = 10
"""With fewer a window has no figure (`edgebench.analysis.energy`)."""
NO_METER = "none"
"""Instead of meters: no power pass."""
_BUDGET_MIN_LAUNCHES, _BUDGET_MAX_LAUNCHES = 3, 100
PRESETS: dict[PresetName, Preset] = {
    "quick": Preset(
        name="quick", min_launches=3, max_launches=3, measure_s=0.3, warmup_s=0.05, aim_s=50.0
    ),
    "standard": Preset(
        name="standard",
        min_launches=6,
        max_launches=6,
        measure_s=2.0,
        warmup_s=0.5,
        cooldown_max_s=_COOLDOWN_MAX_S,
        power_s=_POWER_S,
    ),
    "thorough": Preset(
        name="thorough",
        min_launches=6,
        max_launches=20,
        measure_s=2.0,
        measure_max_s=10.0,
        warmup_s=0.5,
        launch_target_ratio=_TARGET_RATIO,
        target_ratio=_TARGET_RATIO,
        cooldown_max_s=_COOLDOWN_MAX_S,
        power_s=_POWER_S,
        power_launches=6,
    ),
}


class BackendConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[backends.NAME]`` of a configuration file."""

    python: str | None = None
    """Interpreter of another environment that has this backend and edgebench installed."""
    formats: tuple[str, ...] = ()
    """Model formats to run, each as cases of its own; else the first that the workload has."""
    accelerators: tuple[str, ...] = ()
    """Instead of the run's, for this backend."""
    options: dict[str, str] | tuple[dict[str, str], ...] = {}
    """The runtime's own options; several tables are cases of their own each."""

    @property
    def variants(self) -> tuple[dict[str, str], ...]:
        """The options of each case."""
        return (self.options,) if isinstance(self.options, dict) else self.options or ({},)

    @property
    def shared_options(self) -> dict[str, str]:
        """Options that hold for every case of this backend."""
        return self.options if isinstance(self.options, dict) else {}


class RunConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything `edgebench run` can be told; empty tuples mean "the default selection".

    Keys of a file are the long options' names; ``[backends.NAME]`` holds a backend's settings.
    """

    workloads: tuple[str, ...] = msgspec.field(default=(), name="workload")
    models: tuple[str, ...] = msgspec.field(default=(), name="model")
    """Model files of the user's; the next six keys are about them (`edgebench.adopt`)."""
    shape: tuple[str, ...] = ()
    layout: Literal["NCHW", "NHWC"] | None = None
    labels: str | None = None
    images: str | None = None
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    taken: dict[str, str] = {}
    """What became of the models when the run began, by name: for `--resume`, never given."""
    backends_named: tuple[str, ...] = msgspec.field(default=(), name="backend")
    precisions: tuple[Precision, ...] = msgspec.field(default=(), name="precision")
    accelerators: tuple[str, ...] = msgspec.field(default=(), name="accelerator")
    threads: tuple[int, ...] = ()
    batch: tuple[int, ...] = ()
    streams: tuple[int, ...] = ()
    scenario: tuple[Scenario, ...] = ()
    region: tuple[Region, ...] = ()
    engine: Engine = "edgebench"
    tuning: Tuning = "native"
    rate_hz: float | None = None
    bound_ms: float | None = None
    minutes: float | None = None
    image: str | None = None
    preset: PresetName = "quick"
    target_ratio: float | None = None
    budget_s: float | None = None
    output: str = "edgebench-results"
    device_name: str | None = None
    seed: int | None = None
    timeout_s: float = 60.0
    memory_limit_mib: int | None = None
    accuracy: AccuracyChoice = "samples"
    meters: tuple[str, ...] = msgspec.field(default=(), name="meter")
    """Meters to read; empty takes the best tier that can be read here, ``none`` takes none."""
    power_s: float | None = None
    """Instead of the preset's window of the power pass."""
    power_rate_hz: float = RATE_HZ
    """How often meters are read, unless their sensors have no new value so often."""
    power_csv: str | None = None
    """What an external meter logs: a file that grows while it runs, or comes later."""
    power_csv_offset_s: float = 0.0
    """Added to the log's times: how far the logger's clock is behind this machine's."""
    power_csv_columns: tuple[str, ...] = ()
    """The log's columns, by name or number: time and W, or time, V and A; empty: by their names."""
    power_command: str | None = None
    """A program that prints the power in W, a number a line, for as long as it runs."""
    power_covers: Literal["wall", "board"] = "wall"
    """What an external meter stands at: the plug, or the board's own input."""
    require_valid: bool = False
    """Whether cells that are not valid count as failed (exit code 3)."""
    backends: dict[str, BackendConfig] = {}


def preset(config: RunConfig) -> Preset:
    """How long and how often to measure: the preset, changed by target and budget.

    A budget begins with 3 launches of every case and ends when it is spent, or when every case
    has reached the target; how long one launch takes stays the preset's. So does what was named:
    only a run of everything installed has an aim of its own.

    Raises:
        UsageError: A target for a preset that measures for a fixed time.
    """
    chosen = _with_power(PRESETS[config.preset], config)
    if _names_something(config):
        chosen = msgspec.structs.replace(chosen, aim_s=None)
    target_ratio = config.target_ratio or chosen.target_ratio
    if config.budget_s is not None:
        return msgspec.structs.replace(
            chosen,
            budget_s=config.budget_s,
            aim_s=None,
            min_launches=min(chosen.min_launches, _BUDGET_MIN_LAUNCHES),
            max_launches=_BUDGET_MAX_LAUNCHES,
            target_ratio=target_ratio or _TARGET_RATIO,
            launch_target_ratio=chosen.launch_target_ratio and target_ratio,
        )
    if config.target_ratio is None:
        return chosen
    if chosen.target_ratio is None:
        raise UsageError(
            f"--target: --{chosen.name} measures for a fixed time",
            remedy="add --thorough, or a --budget",
        )
    return msgspec.structs.replace(
        chosen, target_ratio=target_ratio, launch_target_ratio=target_ratio
    )


def _with_power(chosen: Preset, config: RunConfig) -> Preset:
    """With a power pass where one was asked for, by its length or by a meter; or with none."""
    if NO_METER in config.meters:
        return msgspec.structs.replace(chosen, power_s=None)
    if not any((config.power_s, config.meters, config.power_csv, config.power_command)):
        return chosen
    seconds = config.power_s or chosen.power_s or _POWER_S
    idle_s = min(chosen.idle_s, seconds)
    return msgspec.structs.replace(chosen, power_s=seconds, idle_s=idle_s, aim_s=None)


def _names_something(config: RunConfig) -> bool:
    """Whether the user chose what to measure, or asked for what takes its own time."""
    chosen = (config.workloads, config.models, config.backends_named, config.precisions)
    return any((*chosen, config.scenario, config.region)) or config.accuracy == "full"


def method(preset: Preset) -> dict[str, float | int | str]:
    """A preset as manifests hold it."""
    return {k: v for k, v in msgspec.to_builtins(preset).items() if v is not None}


def read_config(path: Path) -> RunConfig:
    """A configuration file.

    Raises:
        UsageError: It cannot be read, or a key is unknown or of the wrong type.
    """
    try:
        config = read_toml_as(path, RunConfig)
    except UsageError as error:
        if "].options" not in error.message:
            raise
        text = 'an option\'s value is text: options = { NAME = "1" }'
        raise UsageError(error.message, remedy=text) from None
    backends = {name: _with_python(one, path.parent) for name, one in config.backends.items()}
    beside = {
        name: str((path.parent / value).absolute())
        for name in ("labels", "images", "power_csv")
        if (value := getattr(config, name)) is not None
    }
    models = tuple(str((path.parent / model).absolute()) for model in config.models)
    return msgspec.structs.replace(config, backends=backends, models=models, **beside)


def _with_python(backend: BackendConfig, folder: Path) -> BackendConfig:
    """A relative interpreter lies relative to the file that names it; links stay (a venv's do)."""
    python = backend.python
    if python is None or os.sep not in python:
        return backend
    return msgspec.structs.replace(backend, python=str((folder / python).absolute()))


def check(config: RunConfig, usable_cpus: int) -> None:
    """Refuse numbers that cannot be measured.

    Raises:
        UsageError: In one line that says how to mend it.
    """
    if bad := [n for n in config.threads if not 1 <= n <= usable_cpus]:
        raise UsageError(
            f"--threads {bad[0]}: this process may use {usable_cpus} CPU(s)",
            remedy=f"choose 1 to {usable_cpus}; affinity and cgroup quota count",
        )
    if bad := [n for n in config.batch if not 1 <= n <= 4096]:  # noqa: PLR2004 - sanity
        raise UsageError(f"--batch {bad[0]}: choose 1 to 4096")
    if not (math.isfinite(config.timeout_s) and config.timeout_s > 0):
        raise UsageError(f"--timeout {config.timeout_s:g}: must be a number of seconds above 0")
    if config.power_s is not None and not (math.isfinite(config.power_s) and config.power_s > 0):
        raise UsageError(f"--power-window {config.power_s:g}: must be a number of seconds above 0")
    if not 0 < config.power_rate_hz <= _FASTEST_HZ:
        raise UsageError(
            f"--power-rate {config.power_rate_hz:g}: choose above 0 to {_FASTEST_HZ:g} Hz"
        )
    if NO_METER in config.meters and len(config.meters) > 1:
        raise UsageError("--meter none excludes every other", remedy="leave one of them out")
    if config.memory_limit_mib is not None and config.memory_limit_mib <= 0:
        raise UsageError(f"--memory-limit {config.memory_limit_mib}: must be above 0 MiB")
    if config.target_ratio is not None and not 0 < config.target_ratio < 1:
        raise UsageError(f"--target {config.target_ratio:g}: must be above 0 and below 1 (100 %)")
    if config.budget_s is not None and not (math.isfinite(config.budget_s) and config.budget_s > 0):
        raise UsageError(f"--budget {config.budget_s:g}: must be above 0 s")
    _check_readings(config, preset(config))


def _check_readings(config: RunConfig, chosen: Preset) -> None:
    """Refuse a power pass that would be refused for its few readings when it is over.

    How many an external log will hold, it alone knows.
    """
    only_log = config.power_csv is not None and not (config.meters or config.power_command)
    if chosen.power_s is None or only_log:
        return
    readings = int(chosen.power_s * config.power_rate_hz)
    if readings < LEAST_READINGS:
        raise UsageError(
            f"--power-window {chosen.power_s:g} s holds {readings} readings at "
            f"{config.power_rate_hz:g} Hz, {LEAST_READINGS} are needed",
            remedy="lengthen it, or raise --power-rate",
        )


def dump_config(config: RunConfig) -> str:
    """The configuration as TOML that `read_config` reads back to the same."""
    plain = msgspec.to_builtins(config)
    tables: dict[str, dict[str, object]] = plain.pop("backends")
    lines = [f"{key} = {_toml(value)}" for key, value in plain.items() if value is not None]
    for name, table in tables.items():
        lines += ["", f"[backends.{_json(name)}]"]
        lines += [f"{key} = {_toml(value)}" for key, value in table.items() if value is not None]
    return "\n".join(lines) + "\n"


def _toml(value: object) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_json(k)} = {_toml(v)}" for k, v in value.items()) + " }"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    return _json(value)  # TOML's basic strings, numbers and booleans are JSON's


def _json(value: object) -> str:
    """JSON that is TOML too: TOML has no surrogate escapes and wants DEL escaped."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def ordered_precisions(wanted: tuple[Precision, ...]) -> tuple[Precision, ...]:
    """The wanted precisions (all if none), in the order they are always shown in."""
    return tuple(p for p in PRECISIONS if p in wanted or not wanted)
