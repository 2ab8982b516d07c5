"""``devices/*.toml``: read and checked, held against a machine, and begun for a new one."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

import msgspec

from edgebench.errors import UsageError
from edgebench.machine import DeviceFacts
from edgebench.specs import NAME, DeviceMatch, DeviceSpec, FactSpec, read_toml_as

FACT_UNITS = ("w", "usd", "tops", "degc", "mhz", "mib", "cores")
"""Last words of a fact's key that is a figure."""
_KINDS = ("compatible", "dmi", "cpu_model")
"""What a board is recognised by, the surest first."""
_YEARS = range(2000, 2100)
_DETECTED = re.compile(r"detected by edgebench \S+ on \d{4}-\d\d-\d\d")
_BYTE_PER_MIB = 1 << 20
_MHZ_TOLERANCE_RATIO = 0.02
"""A nominal 2400 MHz is a table's 2352 or 2400."""
_CORES = ("Cortex-", "Neoverse-", "Carmel", "Denver")
"""How names of cores begin; x86's CPUs say what they are sold as instead."""
_MEM_SHARE = 0.75
"""What Linux has of the memory that is fitted, at the least: firmware and GPU take their part
first, a fifth of 512 MiB. The next smaller size that boards are sold with is two thirds or less."""
_OPEN = {
    "soc": "the chip",
    "cpu": "how many cores of which type: 4 x Cortex-A76",
    "cpu_mhz": "the highest clock of the fastest cores",
    "mem_mib": "memory; mem_min_mib and mem_max_mib where it is sold in several sizes",
    "npu_tops": "or gpu_tops, tpu_tops; the note says of what: INT8, dense or sparse",
    "idle_w": "the whole device at the wall, at rest",
    "load_w": "the whole device at the wall, every core busy",
    "peak_w": "the most that anybody measured",
    "limit_degc": "from where on it slows itself down",
    "price_usd": "of the board; the note says of which memory",
}
"""What is asked of a descriptor's author where the machine does not tell it itself."""


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """What a machine says of itself beside what its descriptor says."""

    key: str
    here: float | str
    told: float | str | None
    """None where the descriptor does not tell it."""
    note: str = ""
    """The descriptor's, on what it tells."""
    same: bool | None
    """None where there is nothing to compare it with."""


def read_device(path: Path) -> DeviceSpec:
    """A device descriptor.

    Raises:
        UsageError: The file is missing or wrong, in one line that names the key.
    """
    spec = read_toml_as(path, DeviceSpec)
    if not NAME.fullmatch(spec.name) or spec.name != path.stem:
        raise UsageError(f"{path}: name {spec.name!r} must be the file's name, {NAME.pattern}")
    if spec.match == DeviceMatch():
        raise UsageError(f"{path}: match is empty: nothing could be recognised by it")
    keys = [fact.key for fact in spec.facts]
    for fact in spec.facts:
        if keys.count(fact.key) > 1:
            raise UsageError(f"{path}: {fact.key} is told twice")
        if fault := _fault_of(fact):
            raise UsageError(f"{path}: {fact.key} {fault}")
    for source in [fact.source for fact in spec.facts] + [rail.source for rail in spec.rails]:
        if not source.startswith("https://") and not _DETECTED.fullmatch(source):
            raise UsageError(f"{path}: source {source[:60]!r} is no https address")
    envelope = spec.envelope_w()
    if envelope and envelope[0] > envelope[1]:
        raise UsageError(f"{path}: idle_w is above load_w")
    return spec


def _fault_of(fact: FactSpec) -> str:
    """What is wrong with a fact, after its key; empty where nothing is."""
    unit = fact.key.rpartition("_")[2]
    if not isinstance(fact.value, str):
        if unit not in FACT_UNITS:
            return f"is a figure without a unit as its last word, one of {', '.join(FACT_UNITS)}"
        if not 0 <= fact.value < float("inf"):
            return f"is {fact.value}: a figure is 0 or more"
        if unit == "tops" and not fact.note:
            return "needs a note that says of what: INT8 or INT4, dense or sparse"
    return f"has the year {fact.year}, which is none" if fact.year not in _YEARS else ""


def shared_matches(devices: Sequence[DeviceSpec]) -> dict[str, str]:
    """Devices that another one's match fits too, and which: a board must be one device."""
    owners: dict[tuple[str, str], str] = {}
    found = {}
    for device in devices:
        for kind, texts in msgspec.structs.asdict(device.match).items():
            for text in texts:
                owner = owners.setdefault((kind, text), device.name)
                if owner != device.name:
                    found[device.name] = f"match {kind} {text!r} is {owner}'s too"
    return found


def fits_by(spec: DeviceSpec, keys: DeviceMatch) -> tuple[str, str] | None:
    """By what a machine is a device: the kind of match and its text; None where it is not.

    Args:
        spec: The device.
        keys: What the machine says of itself (`edgebench.host.identify.match_keys`).
    """
    pairs = ((kind, text) for kind in _KINDS for text in getattr(keys, kind))
    return next((pair for pair in pairs if pair[1] in getattr(spec.match, pair[0])), None)


def surest(keys: DeviceMatch) -> DeviceMatch | None:
    """The keys of one kind that tell a machine best; None where it says nothing of itself."""
    kind = next((kind for kind in _KINDS if getattr(keys, kind)), None)
    return DeviceMatch(**{kind: getattr(keys, kind)}) if kind else None


def detected(facts: DeviceFacts, *, version: str, date: str) -> tuple[FactSpec, ...]:
    """What a machine says of itself, as facts of a descriptor; what it does not say is left out.

    Args:
        facts: Of this machine.
        version: Of edgebench.
        date: Today, ``2026-11-22``.
    """
    memory = facts.mem_total_byte
    clocks = [cluster.max_mhz for cluster in facts.cpu_clusters if cluster.max_mhz]
    accelerators = ", ".join(f"{one.kind} {one.name}" for one in facts.accelerators)
    values: dict[str, float | str | None] = {
        "board": facts.board,
        "soc": facts.soc,
        "cpu": _cores(facts),
        "cpu_mhz": round(max(clocks, default=0)),
        "isa": ", ".join(facts.isa_features),
        "mem_mib": memory and memory // _BYTE_PER_MIB,
        "accelerators": accelerators,
    }
    notes = {
        "cpu": "CPUs as Linux counts them: two of them may be one core's threads",
        "cpu_mhz": "what each group of cores may reach: " + ", ".join(f"{c:g}" for c in clocks),
        "mem_mib": "what Linux has of it, which is less than is fitted",
    }
    source = f"detected by edgebench {version} on {date}"
    return tuple(
        FactSpec(key=key, value=value, source=source, year=int(date[:4]), note=notes.get(key, ""))
        for key, value in values.items()
        if value
    )


def _cores(facts: DeviceFacts) -> str:
    """CPUs by model, fastest first; empty where one of them does not tell its own."""
    counts: dict[str, int] = {}
    for cluster in facts.cpu_clusters:
        if not cluster.model:
            return ""
        counts[cluster.model] = counts.get(cluster.model, 0) + cluster.cpus
    return " + ".join(f"{count} x {model}" for model, count in counts.items())


def hold(spec: DeviceSpec | None, here: Sequence[FactSpec]) -> tuple[Held, ...]:
    """What a machine says of itself, each fact beside what the descriptor says.

    Args:
        spec: The descriptor that fits; None where none does.
        here: Of `detected`.
    """
    return tuple(_held(spec, fact) for fact in here)


def _held(spec: DeviceSpec | None, here: FactSpec) -> Held:
    told = spec.fact(here.key) if spec else None
    value, same = told.value if told else None, None
    if spec and here.key == "mem_mib":
        value, same = _held_memory(spec, here.value)
    elif isinstance(value, str) and isinstance(here.value, str):
        same = _same_words(here.key, here.value, value)
    elif isinstance(value, (int, float)) and isinstance(here.value, (int, float)):
        same = abs(here.value - value) <= _MHZ_TOLERANCE_RATIO * value
    note = told.note if told else ""
    return Held(key=here.key, here=here.value, told=value, note=note, same=same)


def _held_memory(spec: DeviceSpec, here: float | str) -> tuple[float | str | None, bool | None]:
    """What is told of the memory, and whether what Linux has may be it."""
    only, low, high = map(spec.figure, ("mem_mib", "mem_min_mib", "mem_max_mib"))
    low, high = only or low or 0, only or high
    if high is None or isinstance(here, str):
        return None, None
    value = high if only else f"{low:g} to {high:g}" if low else f"up to {high:g}"
    return value, low * _MEM_SHARE <= here <= high


def _same_words(key: str, here: str, told: str) -> bool | None:
    """None where they speak of different things: a trade name beside the name of a core."""
    # A device tree says `brcm,bcm2711` where people say BCM2711.
    if here == told or (key == "soc" and here.rpartition(",")[2].lower() in told.lower()):
        return True
    if key != "cpu":
        return None
    types = [set(re.findall(r"\d+ x ([^+]+?)(?: \+|$)", text)) for text in (here, told)]
    named = all(name.startswith(_CORES) for name in types[0] | types[1])
    return False if types[0] & types[1] or named else None


def begun(name: str, summary: str, match: DeviceMatch, facts: Sequence[FactSpec]) -> str:
    """The text of a new descriptor: what was detected, and what its author may add, as comments."""
    lines = [
        "# Begun by `edgebench devices add` with what this machine says of itself. What it does",
        "# not say stands below as comments: where somebody tells it, take the #s of a block away",
        "# and name who (an https address) and of which year. What nobody tells stays out.",
        "schema = 1",
        f"name = {_text(name)}",
        f"summary = {_text(summary)}",
        "",
        "[match]",
    ]
    for kind, texts in msgspec.structs.asdict(match).items():
        lines += [f"{kind} = [{', '.join(map(_text, texts))}]"] if texts else []
    for fact in facts:
        told = msgspec.to_builtins(fact).items()
        lines += ["", "[[facts]]", *(f"{key} = {_text(value)}" for key, value in told if value)]
    known = {fact.key for fact in facts}
    for key, words in _OPEN.items():
        if key not in known:
            value = '""' if key in {"soc", "cpu"} else ""
            pair = (f"#key = {_text(key)}", f"#value = {value}".rstrip())
            blank = ('#source = "https://"', "#year =", '#note = ""')
            lines += ["", f"# {words}", "#[[facts]]", *pair, *blank]
    return "\n".join(lines) + "\n"


def _text(value: object) -> str:
    """JSON that is TOML too: TOML wants DEL escaped."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
