"""Six devices and more, one decision: `edgebench recommend` against a calculation of its own.

This machine under three limits is measured for real, and six planted devices stand beside it
(`six_machines.py`). The calculation is made here from the frame of `edgebench.load`, with scipy,
and must find the same ranks, ties, reasons and excesses. With `--plant` the command is asked with
a looser limit than the calculation, and must be caught. `--keep FOLDER` leaves the runs there.
Takes a minute.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import scipy.stats
from six_machines import BOARD, HERE, WALL, fakes, measure
from verdict import ROOT, Verdict

import edgebench
from edgebench import resources
from edgebench.testing.fleet import write_all

PRICE_HERE_USD = 120.0
"""Stated: nobody sells this machine."""
MARGIN_RATIO = 0.02
POWERS = ("power_w", "energy_net_mj", "energy_gross_mj")
LIMITS = {
    "latency_p99_ms": ("max", 0.15),
    "top1_ratio": ("min", 0.985),
    "price_usd": ("max", 200.0),
}
WITH_POWER = {**LIMITS, "power_w": ("max", 6.5)}
PLANT = {"latency_p99_ms": ("max", 10.0)}

Key = tuple[str, str]
"""device_id, case_id."""


class Told(NamedTuple):
    """What stands of a candidate: in the command's answer, or by the calculation."""

    rank: int | None
    ties: frozenset[Key]
    reasons: Mapping[str, float | None]
    """Figures under limits that it breaks, with the excess; a refusal has its kind."""


def recommend(
    folder: Path, limits: Mapping[str, tuple[str, float]], *more: str, device: str
) -> tuple[subprocess.CompletedProcess[str], subprocess.CompletedProcess[str]]:
    """The command as a person reads it, and as JSON."""
    words = [f"--{sense}={name}={bound:g}" for name, (sense, bound) in limits.items()]
    words += ["--price", f"{device}={PRICE_HERE_USD:g}", *more]
    line = [sys.executable, "-m", "edgebench", "recommend", str(folder), *words]
    plain = subprocess.run([*line, "--all"], capture_output=True, text=True, check=False)
    told = subprocess.run([*line, "--json"], capture_output=True, text=True, check=False)
    print(
        f"\n$ edgebench recommend ... {' '.join(words)}\n{plain.stdout}{plain.stderr}", flush=True
    )
    return plain, told


def keys(candidate: Mapping[str, Any]) -> Key:
    """Of a candidate of the JSON: here each has one unit."""
    [unit] = candidate["units"]
    return unit["device_id"], unit["case_id"]


def answered(text: str) -> dict[Key, Told]:
    """What the command says of each candidate of its only question."""
    [answer] = json.loads(text)["answers"]
    by_name = {one["name"]: keys(one) for one in answer["candidates"]}
    found = {}
    for one in answer["candidates"]:
        reasons: dict[str, float | None] = {
            broken["limit"]["name"]: broken["excess"] for broken in one["breaks"]
        }
        reasons |= {kind(words): None for words in one["refusals"]}
        ties = frozenset(by_name[name] for name in one["ties"])
        found[keys(one)] = Told(one["rank"], ties, reasons)
    return found


def kind(words: str) -> str:
    """Of a refusal, by the word that tells it."""
    known = ("failed", "invalid", "fallback", "counts here", "not measured")
    return next((word for word in known if word in words), words)


def prices(frame: pd.DataFrame, device: str) -> pd.Series:
    """Read from the descriptors' text here, without edgebench."""
    known = {device: PRICE_HERE_USD}
    for name in frame["device"].unique():
        path = ROOT / "devices" / f"{name}.toml"
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        if found := re.search(r'^key = "price_usd"\nvalue = ([\d.]+)$', text, re.MULTILINE):
            known[name] = float(found[1])
    return frame["device"].map(known)


def calculated(
    frame: pd.DataFrame,
    limits: Mapping[str, tuple[str, float]],
    objective: str,
    tiers: Sequence[str] = (),
) -> dict[Key, Told]:
    """Ranks, ties and reasons by a calculation of its own."""
    reasons = {index: against(row, limits, objective, tiers) for index, row in frame.iterrows()}
    left = frame[[not reasons[index] for index in frame.index]].sort_values(objective)
    names = {index: (row["device_id"], row["case_id"]) for index, row in frame.iterrows()}
    ties = {
        a: frozenset(names[b] for b in left.index if b != a and alike(left, a, b, objective))
        for a in left.index
    }
    ranks: dict[Any, int] = {}
    for index in left.index:  # the best of those without a rank shares its own with its ties
        if index not in ranks:
            mine = {index} | {other for other in left.index if names[other] in ties[index]}
            ranks |= dict.fromkeys(mine - ranks.keys(), len({*ranks.values()}) + 1)
    return {
        names[index]: Told(ranks.get(index), ties.get(index, frozenset()), reasons[index])
        for index in frame.index
    }


def against(
    row: pd.Series, limits: Mapping[str, tuple[str, float]], objective: str, tiers: Sequence[str]
) -> dict[str, float | None]:
    """Why a row does not rank, with how far it is beyond each limit; empty where it does."""
    found: dict[str, float | None] = {}
    by_power = any(name in POWERS for name in (*limits, objective)) and row["power_tier"]
    if row["status"] != "ok":
        return {row["status"]: None}
    if row["validity"] == "invalid":
        found["invalid"] = None
    elif row["fallback"]:
        found["fallback"] = None
    elif row[objective] is None:
        found["not measured"] = None
    elif by_power and tiers and row["power_tier"] not in tiers:
        found["counts here"] = None
    for name, (sense, bound) in limits.items():
        if row[name] is None:
            found[name] = None
        elif (excess := (row[name] - bound) * (1 if sense == "max" else -1)) > 0:
            found[name] = excess
    return found


def alike(frame: pd.DataFrame, a: Any, b: Any, objective: str) -> bool:  # noqa: ANN401 - an index
    """Not told apart by Welch's t, of logarithms but of energies, or surely within 2 %."""
    linear = objective in POWERS
    stem, _, unit = objective.rpartition("_")
    scale = float if linear else math.log
    values, errors, freedoms = [], [], []
    for index in (a, b):
        row = frame.loc[index]
        freedoms.append(row["power_launches" if linear else "launches"] - 1)
        values.append(scale(row[objective]))
        width = scale(row[f"{stem}_hi_{unit}"]) - scale(row[f"{stem}_lo_{unit}"])
        errors.append(width / 2 / scipy.stats.t.ppf(0.975, freedoms[-1]))
    variance = sum(error**2 for error in errors)
    df = variance**2 / sum(error**4 / df for error, df in zip(errors, freedoms, strict=True))
    away, half = abs(values[0] - values[1]), scipy.stats.t.ppf(0.975, df) * math.sqrt(variance)
    margin = MARGIN_RATIO * min(values) if linear else math.log1p(MARGIN_RATIO)
    return bool(away <= half or away + half <= margin)


def judge(verdict: Verdict, what: str, said: dict[Key, Told], truth: dict[Key, Told]) -> None:
    """Hold the command's answer against the calculation's, a line each."""
    verdict.check(
        f"{what}: candidates", str(len(said)), str(len(truth)), passed=said.keys() == truth.keys()
    )

    def differ(of: str) -> list[str]:
        return [
            f"{a} {b}"
            for a, b in truth
            if getattr(said.get((a, b)), of, 0) != getattr(truth[a, b], of)
        ]

    for part, words in (("rank", "ranks"), ("ties", "ties")):
        found = differ(part)
        verdict.check(
            f"{what}: {words} that differ", ", ".join(found) or "none", "none", passed=not found
        )
    other = [f"{a} {b}" for a, b in truth if not same_reasons(said.get((a, b)), truth[a, b])]
    verdict.check(
        f"{what}: reasons and excesses that differ",
        ", ".join(other) or "none",
        "none",
        passed=not other,
    )
    ranked = sum(one.rank is not None for one in truth.values())
    count = f"{ranked} ranked, {len(truth) - ranked} not"
    verdict.check(f"{what}: both happen", count, "some of each", passed=0 < ranked < len(truth))


def same_reasons(said: Told | None, truth: Told) -> bool:
    """Whether both name the same limits and refusals, and the same excess to nine digits."""
    if said is None or not truth.reasons:
        return said is not None and not said.reasons
    return said.reasons.keys() == truth.reasons.keys() and all(
        (mine is None and theirs is None)
        or (mine is not None and theirs is not None and math.isclose(mine, theirs, rel_tol=1e-9))
        for mine, theirs in ((truth.reasons[name], said.reasons[name]) for name in truth.reasons)
    )


def by_latency(verdict: Verdict, folder: Path, frame: pd.DataFrame, *, plant: bool) -> None:
    """Measured and planted devices in one ranking."""
    device = str(frame["device"].iloc[0])
    asked = {**LIMITS, **PLANT} if plant else LIMITS
    plain, told = recommend(folder, asked, device=device)
    passed = plain.returncode == told.returncode == 0
    verdict.check("by latency", f"exit {plain.returncode}", "0", passed=passed)
    if passed:
        truth = calculated(frame, LIMITS, "latency_p50_ms")
        judge(verdict, "by latency", answered(told.stdout), truth)
        widest = max(map(len, plain.stdout.splitlines()))
        verdict.check("by latency: table", f"{widest} columns", "<= 80", passed=widest <= 80)


def by_energy(verdict: Verdict, folder: Path, frame: pd.DataFrame) -> None:
    """Two tiers of power are refused together, and ranked where the user says so."""
    device = str(frame["device"].iloc[0])
    aim = ("--minimise", "energy_net_mj")
    plain, told = recommend(folder, WITH_POWER, *aim, device=device)
    named = all(word in told.stderr for word in (BOARD, WALL, "gmktec-g3-plus", "orange-pi-5"))
    figure = f"exit {told.returncode}, {'all named' if named else told.stderr.strip()[:200]!r}"
    passed = told.returncode == 2 and named and not told.stdout and not plain.stdout
    verdict.check(
        "two tiers together", figure, "exit 2, both tiers and devices named", passed=passed
    )
    for tiers in ((BOARD,), (WALL,), (BOARD, WALL)):
        what = f"by energy, {' and '.join(tiers)}"
        more = (*aim, "--allow-tier", ",".join(tiers))
        plain, told = recommend(folder, WITH_POWER, *more, device=device)
        verdict.check(what, f"exit {told.returncode}", "0", passed=told.returncode == 0)
        if told.returncode == 0:
            truth = calculated(frame, WITH_POWER, "energy_net_mj", tiers)
            judge(verdict, what, answered(told.stdout), truth)
            labelled = all(tier in plain.stdout for tier in tiers)
            verdict.check(f"{what}: labelled", str(labelled), "True", passed=labelled)


def main() -> int:
    """Measure, plant, ask, calculate; give the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plant", action="store_true", help="ask with a looser limit")
    parser.add_argument("--keep", type=Path, help="leave the runs in this folder")
    options = parser.parse_args()
    verdict = Verdict()
    with tempfile.TemporaryDirectory(prefix="edgebench-six-") as name:
        folder = options.keep or Path(name)
        measure(verdict, folder)
        source = resources.open_workload("mnist_cnn").spec.source_sha256
        write_all(folder, [replace(one, source_sha256=source) for one in fakes()])
        frame = edgebench.load(folder)
        here = frame["device_id"].str.startswith(HERE)
        frame = frame[here].pipe(lambda mine: pd.concat([mine, frame[~here]], ignore_index=True))
        frame["price_usd"] = prices(frame, str(frame["device"].iloc[0]))
        frame = frame.astype(object).where(frame.notna(), None)
        units = frame["device_id"].nunique()
        verdict.check("devices", str(units), ">= 9", passed=units >= 9)
        by_latency(verdict, folder, frame, plant=options.plant)
        by_energy(verdict, folder, frame)
    return verdict.exit_code


if __name__ == "__main__":
    os.environ.setdefault("NO_COLOR", "1")
    sys.exit(main())
