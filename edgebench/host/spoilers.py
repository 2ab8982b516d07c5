"""What would spoil a run on this machine, and the command that mends it; pure functions."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from edgebench.host.conditions import Conditions
from edgebench.units import mib_from_byte

_LOAD_RATIO = 0.2
"""Load average per CPU above which somebody else is at work."""
_LOW_MEMORY_MIB = 256
"""A runtime, a small CNN and Python's own share, with room to spare."""
_HEADROOM_DEGC = 10.0
_HOT_DEGC = 70.0
"""Where the kernel names no limit: most boards slow down between 80 and 85 degC."""
_SHOWN = 3
_PRESSURE_RATIOS = {"cpu": 0.1, "memory": 0.01, "io": 0.1}
"""Shares of the last 10 s that something waited, above which a run would feel it."""
_STEAL_RATIO = 0.01
_OWN_COUNTERS = 2
"""The highest ``perf_event_paranoid`` at which a process may count its own instructions."""
_NS_PER_S = 1_000_000_000
_SINCE_BOOT = 16
"""A Raspberry Pi's bits for "has happened since boot" lie so much higher than those for now."""
_PI_BITS = (
    (0, "under-voltage", "use the maker's power supply and a short cable, then reboot"),
    (1, "the clock was capped", "cool it (heat sink, fan); check the power supply"),
    (2, "throttled", "cool it (heat sink, fan); check the power supply"),
    (3, "the soft temperature limit was reached", "cool it (heat sink, fan)"),
)
"""Bit, what it says, what mends it; Raspberry Pi documentation, ``vcgencmd get_throttled``."""


class Spoiler(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that would spoil a run."""

    what: str
    """What is so, in a few words."""
    why: str
    """What it does to the figures."""
    remedy: str
    """A command, or what to do where there is none."""


def find(seen: Conditions) -> tuple[Spoiler, ...]:
    """Everything that would spoil a run, the worst first; empty where nothing was found."""
    checks = (
        _system,
        _throttling,
        _firmware,
        _power_mode,
        _governor,
        _preference,
        _capped,
        _others,
        _services,
        _memory,
        _swap,
        _pressure,
        _steal,
        _quota,
        _affinity,
        _siblings,
        _heat,
        _battery,
        _virtual,
        _no_frequency,
        _no_temperature,
    )
    return tuple(spoiler for check in checks for spoiler in check(seen))


def unmeasured(seen: Conditions) -> tuple[Spoiler, ...]:
    """What cannot be counted here and could be: it spoils no run, it leaves columns empty."""
    level = seen.perf_event_paranoid
    if level is None or level <= _OWN_COUNTERS:
        return ()
    return (
        Spoiler(
            what=f"kernel.perf_event_paranoid is {level}",
            why="no process may count its own instructions and cycles",
            remedy=f"sudo sysctl kernel.perf_event_paranoid={_OWN_COUNTERS}  # until reboot",
        ),
    )


def _system(seen: Conditions) -> Iterator[Spoiler]:
    if seen.system != "linux":
        yield Spoiler(
            what=f"this is {seen.system}",
            why="`edgebench run` needs Linux; reading and comparing work here",
            remedy="run it on the device",
        )


def _throttling(seen: Conditions) -> Iterator[Spoiler]:
    if seen.cooling:
        yield Spoiler(
            what="the kernel is slowing the CPU down",
            why=f"it is too hot ({', '.join(dict.fromkeys(seen.cooling))})",
            remedy="cool it (heat sink, fan) and wait until it has recovered",
        )
    bits = seen.environment.throttle_bits  # the firmware's own word, where it can be asked
    if seen.under_voltage and bits is None:
        yield Spoiler(
            what="under-voltage was seen",
            why="the firmware slows the CPU down to survive",
            remedy="use the maker's power supply and a short cable, then reboot",
        )


def _firmware(seen: Conditions) -> Iterator[Spoiler]:
    """What a Raspberry Pi's firmware and an x86 CPU have counted."""
    bits = seen.environment.throttle_bits or 0
    for bit, what, remedy in _PI_BITS:
        if bits >> bit & 1:
            why = "the firmware is slowing the CPU down just now"
            yield Spoiler(what=f"{what}, and is so now", why=why, remedy=remedy)
        elif bits >> (bit + _SINCE_BOOT) & 1:
            why = "not just now; it will come back under load"
            yield Spoiler(what=f"{what} since boot", why=why, remedy=remedy)
    counts = {name: n for name, n in seen.environment.throttle_counts.items() if n}
    for supply in (False, True):
        told = [f"{name} {n}" for name, n in counts.items() if name.startswith("oc") == supply]
        if told:
            yield Spoiler(
                what=f"the hardware has slowed down since boot (times: {', '.join(told)})",
                why="not necessarily now; it will come back under load",
                remedy="use a stronger power supply, or a lower power mode"
                if supply
                else "cool it (clean or add a fan, more air); do not cover its vents",
            )


def _power_mode(seen: Conditions) -> Iterator[Spoiler]:
    now, best = seen.power_mode, seen.fastest_mode
    if now is not None and best is not None and now.number != best.number:
        yield Spoiler(
            what=f"power mode is {now.name}, not {best.name}",
            why="fewer CPUs and lower clocks: it is measured slower than it can be",
            remedy=f"sudo nvpmodel -m {best.number}  # back: sudo nvpmodel -m {now.number}",
        )
    if seen.loose_clocks:
        yield Spoiler(
            what=f"jetson_clocks is off ({', '.join(seen.loose_clocks)})",
            why="clocks follow the load: short runs are measured while they ramp up",
            remedy="sudo jetson_clocks --store && sudo jetson_clocks  # back: --restore",
        )


def _governor(seen: Conditions) -> Iterator[Spoiler]:
    others = [governor for governor in seen.governors if governor != "performance"]
    if others:
        yield Spoiler(
            what=f"CPU frequency governor is {', '.join(others)}",
            why="the clock follows the load: short runs are measured while it ramps up",
            remedy="echo performance | sudo tee /sys/devices/system/cpu/*/*/scaling_governor",
        )


def _preference(seen: Conditions) -> Iterator[Spoiler]:
    others = [name for name in seen.energy_preferences if name != "performance"]
    if others and set(seen.governors) != {"performance"}:
        yield Spoiler(
            what=f"energy preference is {', '.join(others)}",
            why="the CPU chooses lower clocks to save energy",
            remedy="echo performance | sudo tee /sys/devices/system/cpu/*/*/energy_p*e",
        )
    profile = seen.platform_profile
    if profile not in {None, "performance"} and "performance" in seen.platform_profiles:
        yield Spoiler(
            what=f"platform profile is {profile}",
            why="the firmware's limits of power and of the fan are not the highest",
            remedy="echo performance | sudo tee /sys/firmware/acpi/platform_profile",
        )


def _capped(seen: Conditions) -> Iterator[Spoiler]:
    if seen.capped_mhz is not None:
        allowed, possible = seen.capped_mhz
        top_khz = 1000 * (seen.top_mhz or possible)  # a slower domain takes what it can of it
        yield Spoiler(
            what=f"CPU frequency is capped at {allowed:.0f} of {possible:.0f} MHz",
            why="the device is measured slower than it is",
            remedy=f"echo {top_khz:.0f} | sudo tee /sys/devices/system/cpu/*/*/scaling_max_freq",
        )


def _others(seen: Conditions) -> Iterator[Spoiler]:
    load = seen.environment.load_average_1min
    if seen.busy:
        total = sum(one.cpu_ratio for one in seen.busy)
        named = [f"{one.name} ({one.pid}) {one.cpu_ratio:.0%}" for one in seen.busy[:_SHOWN]]
        pids = " ".join(str(one.pid) for one in seen.busy[:_SHOWN])
        yield Spoiler(
            what=f"other processes keep {total:.0%} of a CPU busy: {', '.join(named)}",
            why="they take the CPU, its caches and the memory's bandwidth away",
            remedy=f"end them, or pause them: kill -STOP {pids}; later kill -CONT",
        )
    elif load is not None and load > _LOAD_RATIO * len(seen.cpus_online):
        yield Spoiler(
            what=f"load average is {load:.2f} on {len(seen.cpus_online)} CPUs",
            why="somebody was at work in the last minute, and may be again",
            remedy="wait a minute and look again: edgebench doctor",
        )


def _services(seen: Conditions) -> Iterator[Spoiler]:
    for service in seen.services:
        yield Spoiler(
            what=f"the service {service.name} is running",
            why="it sleeps now, and may wake and work for minutes during a run",
            remedy=f"sudo systemctl stop {service.units}"
            if service.units
            else f"pause it: pkill -STOP {service.name}; later pkill -CONT",
        )


def _memory(seen: Conditions) -> Iterator[Spoiler]:
    free_byte = seen.environment.mem_available_byte
    if free_byte is None:
        return
    limited = seen.mem_limit_byte is not None and seen.mem_limit_byte < free_byte
    free = mib_from_byte(min(free_byte, seen.mem_limit_byte or free_byte))
    if free < _LOW_MEMORY_MIB:
        yield Spoiler(
            what=f"{free:.0f} MiB of memory are {'granted' if limited else 'free'}",
            why=f"below {_LOW_MEMORY_MIB} MiB a runtime may be killed or paged out",
            remedy="raise the container's or service's memory limit"
            if limited
            else "end what fills it: ps -eo pid,rss,comm --sort=-rss | head",
        )


def _swap(seen: Conditions) -> Iterator[Spoiler]:
    used_byte = seen.environment.swap_used_byte
    if not used_byte:
        return
    fits = used_byte < (seen.environment.mem_available_byte or 0)
    packed = any("zram" in device for device in seen.swap_devices)
    yield Spoiler(
        what=f"{mib_from_byte(used_byte):.0f} MiB of swap are in use{' (zram)' * packed}",
        why="a model that is paged out makes single inferences very slow"
        + (", and packing pages takes CPU time" if packed else ""),
        remedy="sudo swapoff -a" if fits else "end what fills the memory first, or reboot",
    )


def _quota(seen: Conditions) -> Iterator[Spoiler]:
    if seen.cpu_quota is not None:
        yield Spoiler(
            what=f"a CPU quota of {seen.cpu_quota:g} CPUs",
            why="whoever uses it up is held back until the next period: tails are the quota's",
            remedy="run without it (docker run without --cpus; no CPUQuota= in systemd)",
        )
        if held_ns := seen.environment.throttled_ns:
            yield Spoiler(
                what=f"the quota has held this group back for {held_ns / _NS_PER_S:.1f} s so far",
                why="it is not only set, it bites",
                remedy="raise it, or measure with fewer threads than it grants: --threads 1",
            )


def _pressure(seen: Conditions) -> Iterator[Spoiler]:
    over = [(n, r) for n, r in seen.pressure_ratios.items() if r > _PRESSURE_RATIOS.get(n, 1.0)]
    if over:
        told = ", ".join(f"{ratio:.0%} for {name}" for name, ratio in over)
        yield Spoiler(
            what=f"something waited for the machine, of the last 10 s {told}",
            why="a run would have to wait too",
            remedy="end what is at work: top; then look again: edgebench doctor",
        )


def _steal(seen: Conditions) -> Iterator[Spoiler]:
    steal_ns, up_ns = seen.environment.steal_ns, seen.up_ns
    if not steal_ns or not up_ns:
        return
    ratio = steal_ns / (up_ns * len(seen.cpus_online))
    if ratio > _STEAL_RATIO:
        yield Spoiler(
            what=f"the host gave {ratio:.1%} of the CPU time since boot to others (steal)",
            why="single inferences take as long as the host pleases",
            remedy="a dedicated host or instance; here trust medians and ratios",
        )


def _affinity(seen: Conditions) -> Iterator[Spoiler]:
    allowed, shared = set(seen.cpus_allowed), set(seen.cpus_online) - set(seen.isolated)
    if allowed & shared and not shared <= allowed:
        yield Spoiler(
            what=f"only {len(allowed & shared)} of {len(shared)} CPUs may be used (affinity)",
            why="it is measured with fewer CPUs than the device has",
            remedy="start it without taskset or cpuset: taskset -p $$ shows the mask",
        )
    if alone := sorted(allowed & set(seen.isolated)):
        yield Spoiler(
            what=f"CPUs {', '.join(map(str, alone))} are isolated and in the affinity mask",
            why="the scheduler spreads nothing there: all threads may sit on one of them",
            remedy="boot without isolcpus=, or keep to the others: taskset -c LIST",
        )


def _siblings(seen: Conditions) -> Iterator[Spoiler]:
    if seen.siblings:
        one = "+".join(map(str, seen.siblings[0]))
        more = len(seen.siblings) - 1
        yield Spoiler(
            what=f"CPUs share a core (SMT): {one}" + (f" and {more} more" if more else ""),
            why="two threads on one core are slower than on two, and differ from run to run",
            remedy="echo off | sudo tee /sys/devices/system/cpu/smt/control  # back: on",
        )


def _heat(seen: Conditions) -> Iterator[Spoiler]:
    hot = []
    for zone in seen.zones:
        bound = _HOT_DEGC if zone.limit_degc is None else zone.limit_degc - _HEADROOM_DEGC
        if zone.degc >= bound:
            limit = "" if zone.limit_degc is None else f" of {zone.limit_degc:.0f}"
            hot.append(f"{zone.name} {zone.degc:.0f}{limit} degC")
    if hot:
        yield Spoiler(
            what=f"it is hot already: {', '.join(hot[:_SHOWN])}",
            why="there is little room before it slows down",
            remedy="let it cool down, or cool it better (heat sink, fan)",
        )


def _battery(seen: Conditions) -> Iterator[Spoiler]:
    if seen.on_battery:
        yield Spoiler(
            what="it runs on battery",
            why="firmware and power profiles save energy at the cost of speed",
            remedy="plug it in",
        )


def _virtual(seen: Conditions) -> Iterator[Spoiler]:
    kind = seen.virtualisation
    if kind is None:
        return
    if "vm (" not in kind:
        yield Spoiler(
            what=f"this is a {kind}",
            why="its neighbours and its host's settings cannot all be seen from inside",
            remedy="measure on the host, or stop the other containers",
        )
    else:
        yield Spoiler(
            what=f"this is a {kind}",
            why="the host may take the CPU away, and another day's host may be faster",
            remedy="measure on the device itself; here trust ratios, not milliseconds",
        )


def _no_frequency(seen: Conditions) -> Iterator[Spoiler]:
    if not seen.environment.cpu_mhz:
        yield Spoiler(
            what="the kernel shows no CPU frequency",
            why="nothing can be said about throttling",
            remedy="measure where /sys/devices/system/cpu/cpu0/cpufreq is there",
        )


def _no_temperature(seen: Conditions) -> Iterator[Spoiler]:
    if not seen.zones:
        yield Spoiler(
            what="no temperature can be read",
            why="nothing can be said about heat, and nobody waits until it has cooled down",
            remedy="measure where /sys/class/thermal/thermal_zone0 is there",
        )
