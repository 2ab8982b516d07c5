"""Why a candidate does not rank whatever its figures, and what to know of one that does."""

from __future__ import annotations

from edgebench.analysis import missing, pairing
from edgebench.analysis.candidates import Candidate
from edgebench.analysis.figure import Cells, number, text, told

_OF_VERDICT = ("parity: ", "the power supply")
"""How notes begin that make a cell invalid; the others of its caveats are beside the point."""
_LONGEST_CHARACTERS = 120


def of(candidate: Candidate, objective: str, *, require_valid: bool = False) -> tuple[str, ...]:
    """Why a candidate does not rank, a line each.

    Args:
        candidate: As any.
        objective: The figure that it would be ranked by.
        require_valid: Whether what is suspect, or imported and so not judged, falls out.
    """
    if found := unfit(candidate, require_valid=require_valid):
        return found
    if loads := pairing.obstacle_of(objective, candidate.row, {}):
        reason, _, instead = loads.rpartition(": compare ")
        return (f"{reason}: --maximise {instead} ranks these",)
    for unit, figure in candidate.by_unit(objective):
        if figure is None:
            row = candidate.rows[candidate.units.index(unit) if unit else 0]
            reason = missing.why(row, objective)
            on = f" on {unit}" if unit and len(candidate.rows) > 1 else ""
            return (f"{objective} was not measured{on}" + (f" ({reason})" if reason else ""),)
    return ()


def unfit(candidate: Candidate, *, require_valid: bool = False) -> tuple[str, ...]:
    """Why nothing of a candidate may be ranked; one unit that does not is enough.

    Args:
        candidate: As any.
        require_valid: Whether what is suspect, or imported and so not judged, falls out.
    """
    found = []
    for unit, row in zip(candidate.units, candidate.rows, strict=True):
        whose = f"{unit}: " if len(candidate.rows) > 1 else ""
        if reason := _of_row(row, require_valid=require_valid):
            found.append(f"{whose}{reason}")
    return tuple(found)


def notes(candidate: Candidate, objective: str) -> list[str]:
    """What to know of a candidate that ranks: suspect, imported, units that are unlike ..."""
    found = doubts(candidate)
    units = candidate.spread(objective)
    if units is not None:
        between = f"{told(units.smallest)} .. {told(units.largest)}"
        times = f" ({units.ratio:.3g} times)" if units.ratio else ""
        found.append(f"{units.units} units: {objective} {between}{times}")
    versions = {text(row, "backend_version") for row in candidate.rows}
    if len(versions) > 1:
        found.append(f"units ran other versions of it: {', '.join(sorted(versions))}")
    figure = candidate.figure(objective)
    if figure is not None and figure.is_unsure:
        found.append(f"{objective} has no interval over launches: nothing tells it apart")
    return found


def doubts(candidate: Candidate) -> list[str]:
    """Which of its units are suspect or imported or lose accuracy elsewhere, and why."""
    found = []
    lost = candidate.lost or ("",) * len(candidate.rows)
    for unit, row, loss in zip(candidate.units, candidate.rows, lost, strict=True):
        whose = f" ({unit})" if len(candidate.rows) > 1 else ""
        if text(row, "validity") == "suspect":
            found.append(f"suspect{whose}: {_brief(row)}")
        if came_from := text(row, "imported_from"):
            found.append(f"imported{whose}: {came_from}")
        if loss:
            found.append(f"accuracy{whose}: {loss}")
    return found


def _of_row(row: Cells, *, require_valid: bool) -> str:
    status, validity = text(row, "status"), text(row, "validity")
    if status not in {"", "ok"}:
        return f"{status}: {text(row, 'reason') or 'no reason known'}"
    if validity == "invalid":
        return f"invalid: {_brief(row)}"
    if what := text(row, "fallback"):
        return f"fallback: {_fallback(row, what)}"
    if require_valid and validity != "valid":
        imported = "" if validity else "nothing judged it"
        return f"suspect: {_brief(row)}" if validity == "suspect" else f"not valid: {imported}"
    return ""


def _fallback(row: Cells, what: str) -> str:
    """What ran in place of what was asked."""
    asked, ran = text(row, "precision"), text(row, "effective_precision")
    share = number(row, "precision_ratio")
    if what == "partial_precision" and share is not None:
        return f"only {share:.0%} of the multiplications ran in {ran}"
    parts = what.split("+")
    found = [f"{asked} was asked and {ran} ran"] if {"precision"} & {*parts} else []
    if "accelerator" in parts:
        found.append(f"{text(row, 'accelerator')} was asked and did not run it")
    return ", ".join(found) or what


def _brief(row: Cells) -> str:
    """Of a row's caveats those that make its verdict; the first where none tells."""
    parts = [part for part in text(row, "caveats").split("; ") if part]
    reasons = [part for part in parts if part.startswith(_OF_VERDICT)]
    if text(row, "validity") == "invalid" and reasons:
        parts = reasons
    parts = [part for part in parts if " needs n >= " not in part]
    words = "; ".join(parts) or "no reason known"
    return words if len(words) <= _LONGEST_CHARACTERS else f"{words[:_LONGEST_CHARACTERS]} ..."
