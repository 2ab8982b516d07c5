"""Why a figure is not there, in the words of the row that lacks it."""

from __future__ import annotations

from edgebench.analysis.figure import FACTS, PRICE, Cells, is_power, own_tier, text

_ACCURACY = ("top1_", "map50_", "miou_", "quality_")
_SCENARIOS = (
    (("server_",), "server"),
    (("offline_",), "offline"),
    (("frames_", "deadline_", "in_time_"), "paced"),
    (("burst_", "sustained_"), "sustained"),
    (("service_",), "server or paced"),
)


def why(row: Cells, name: str) -> str:
    """Why a row has no such figure, in one line; empty where nothing tells."""
    if name in FACTS:
        return "tell it: --price DEVICE=USD" if name == PRICE else "no descriptor tells it"
    if (status := text(row, "status")) not in {"", "ok"}:
        return f"{status}: {text(row, 'reason') or 'no reason known'}"
    if name.startswith(_ACCURACY) and text(row, "weights") == "random":
        return "random weights: an accuracy limit cannot be kept"
    if text(row, "imported_from"):
        return "what was imported does not tell it"
    return _of_its_kind(row, name)


def _accuracy(row: Cells, name: str) -> str:
    if "_loss_" in name:
        return "no fp32 of the same samples is there to lose against"
    if (words := text(row, "accuracy")) and not name.startswith("quality_"):
        return f"its task is judged by another figure, {words}"
    return "no labelled samples were judged"


def _of_its_kind(row: Cells, name: str) -> str:
    """What a figure needs that this row's way of measuring did not have."""
    if name.startswith(_ACCURACY):
        return _accuracy(row, name)
    if is_power(name):
        return text(row, "power_reason").removeprefix("not measured: ") or "no meter was read"
    if own_tier(name):
        return "an accelerator ran, or the device tells too little"
    return _by_scenario(row, name) or _by_samples(row, name)


def _by_scenario(row: Cells, name: str) -> str:
    for stems, scenario in _SCENARIOS:
        if name.startswith(stems) and text(row, "scenario") not in scenario.split(" or "):
            return f"measured in the scenario {scenario} only"
    if name.startswith("stage_") and text(row, "region") != "e2e":
        return "measured in the region e2e only"
    return ""


def _by_samples(row: Cells, name: str) -> str:
    short = name.removeprefix("latency_").removesuffix("_ms")
    notes = text(row, "caveats").split("; ")
    if needs := next((note for note in notes if note.startswith(f"{short} needs")), ""):
        return needs.removeprefix(f"{short} ")
    if name.startswith(("steady_", "drift_")):
        return "the launches were not judged for it"
    return ""
