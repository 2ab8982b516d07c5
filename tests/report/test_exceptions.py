"""Which cells not to trust: each reason told once, the gravest first, none forgotten."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import page
import pytest
from deciding import row

from edgebench.analysis import disturbances, slowdowns
from edgebench.report import doubts, html, rows
from edgebench.report.doubts import KINDS, Level
from edgebench.report.page import bundle
from edgebench.report.sections.base import Material
from edgebench.report.sections.exceptions import exceptions
from edgebench.store.read import read_all
from edgebench.testing import fleet
from edgebench.testing.fleet import Cell, Device

Plant = Callable[..., Material]


@pytest.fixture
def plant(tmp_path: Path) -> Plant:
    """Plants devices by name; `launches` is of each cell."""

    def made(launches: int = 3, **devices: tuple[Cell, ...]) -> Material:
        for seed, (name, cells) in enumerate(devices.items(), 1):
            one = Device(name=name, cells=cells)
            fleet.write(tmp_path, one, launches=launches, samples=80, seed=seed)
        runs, problems = read_all([tmp_path])
        return Material(runs, rows.of_runs(runs), problems)

    return made


def told(material: Material) -> dict[str, list[tuple[str, str]]]:
    """Groups of each level in their order, by the level's title: who, and why."""
    levels: Any = exceptions(material).context["levels"]
    return {one["title"]: [(group.cells, group.why) for group in one["groups"]] for one in levels}


def shown(material: Material, table: Any) -> list[int]:  # noqa: ANN401 - a listing
    """Places of the cells that a table shows, as the page's script takes them from the data."""
    exceptions(material)
    sets = material.data.told()
    columns = {**decoded(sets["cells"]), **decoded(sets[table.source])}
    places = columns["row"]
    cells = decoded(sets["cells"])
    found = []
    for at, place in enumerate(places):
        value = {
            name: columns[name][at] if name in decoded(sets[table.source]) else cells[name][place]
            for name in table.where
        }
        if all(value[name] in known for name, known in table.where.items()):
            found.append(place)
    return found


def decoded(stored: dict[str, Any]) -> dict[str, list[Any]]:
    """Columns as the page's script reads them."""
    records = page.decode(stored)
    return {name: [record.get(name) for record in records] for name in stored["columns"]}


def test_a_reason_is_told_once_with_how_many_cells_have_it_the_largest_first(plant: Plant) -> None:
    lost = "libgomp.so.1: cannot open shared object file"
    cells = (
        Cell(),
        Cell(backend="ncnn", precision="int8", cosine=0.71),
        *(Cell(backend=f"b{n}", reason=lost) for n in range(3)),
        Cell(backend="mnn", reason="killed by SIGSEGV"),
    )
    material = plant(board=cells, other=cells[:2])
    (title, wrong), *others = told(material).items()
    assert title.startswith("Do not use")
    assert others == []
    assert wrong == [
        ("3 cells on board, all fp32", f"failed: launch 0, load: {lost}"),
        (
            "2 cells on 2 devices (board 1, other 1), all int8 ncnn",
            f"{KINDS['outputs'].words}: cosine 0.71000 below 0.9 (int8 classification)",
        ),
        ("1 cell, mnist_cnn: mnn/fp32/board", "failed: launch 0, load: killed by SIGSEGV"),
    ]


def test_the_cells_of_a_group_are_behind_it(plant: Plant) -> None:
    material = plant(board=(Cell(), Cell(backend="ncnn", cosine=0.5), Cell(precision="int8")))
    (level,) = exceptions(material).context["levels"]
    assert shown(material, level["groups"][0].data) == [1]


def test_a_cell_of_several_causes_shows_them_all(plant: Plant) -> None:
    bad = Cell(
        precision="int8",
        effective_precision="fp32",
        intruders_ratio={"apt": 0.5},
        throttled=True,
        top1_ratio=0.5,
    )
    material = plant(board=(Cell(top1_ratio=0.9), bad))
    groups = told(material)["With care: not what it seems, or nobody vouches for it"]
    assert {cells for cells, _ in groups} == {"1 cell on board, mnist_cnn: onnxruntime/int8"}
    assert {why.split(":")[0] for _, why in groups} == {
        "slowed down while measured",
        "disturbed while measured",
        "fast at the cost of accuracy",
        "ran otherwise than asked",
    }
    why = decoded(material.data.told()["cells"])["why"]
    assert why[0] is None
    assert len(why[1].split("; ")) == 4


def test_a_device_is_judged_in_one_line(plant: Plant) -> None:
    cells = (
        *(Cell(), Cell(precision="fp16"), Cell(precision="int8", throttled=True)),
        *(Cell(backend="ncnn", reason="no"), Cell(backend="mnn", effective_precision="fp16")),
    )
    context = exceptions(plant(good=(Cell(),), board=cells)).context
    doubted = "1 suspect (1 heat or clock), 1 failed, 1 ran otherwise than asked"
    assert context["devices"] == [
        ("board", f"2 of 5 cells valid and ran as asked; {doubted}"),
        ("good", "1 of 1 cell valid and ran as asked"),
    ]
    assert context["lead"].startswith("3 of 6 cells are valid and ran as asked; 1 must not be used")


def test_what_ran_otherwise_and_is_suspect_is_not_counted_twice_unsaid(plant: Plant) -> None:
    cells = (Cell(), Cell(backend="mnn", effective_precision="fp16", throttled=True))
    ((_, told),) = exceptions(plant(board=cells)).context["devices"]
    assert told.startswith(
        "1 of 2 cells valid and ran as asked; 1 suspect (1 heat or clock), 1 ran"
    )
    assert told.endswith("1 ran otherwise than asked (1 of them counted already)")


def test_every_cell_that_is_not_valid_is_in_one_table_where_links_lead(plant: Plant) -> None:
    cells = (
        *(Cell(), Cell(precision="int8", cosine=0.5), Cell(backend="ncnn", reason="no")),
        Cell(backend="mnn", throttled=True),
    )
    material = plant(board=cells)
    tables: Any = exceptions(material).context["tables"]
    linked = [table for table in tables if table.anchor == "why"]
    assert sorted(place for table in linked for place in shown(material, table)) == [1, 2, 3]
    assert [table.caption for table in linked] == ["Failed: 1", "Invalid: 1", "Suspect: 1"]


def test_what_is_good_as_far_as_it_goes_says_how_far(plant: Plant) -> None:
    random = Cell(precision="int8", weights="random", cosine=0.5)
    material = plant(launches=1, board=(Cell(), random))
    assert told(material) == {
        "Good, but know": [
            ("2 cells on board", "how launches differ is not known: one launch"),
            (
                "1 cell on board, mnist_cnn: onnxruntime/int8",
                "its speed counts, its accuracy means nothing: random weights",
            ),
        ]
    }


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        ({"caveats": "not converged: 3.1%, wanted 2%"}, "unsteady"),
        ({"caveats": "2 of 3 launches did not converge in 60 s"}, "unsteady"),
        ({"caveats": "2 of 3 launches"}, "incomplete"),
        ({"power_w": 3.0, "power_tier": "partial_measured"}, "power"),
        ({"power_w": 3.0, "power_tier": "model_calibrated"}, "power"),
        ({"imported_from": "trtexec: a.json", "validity": None}, "imported"),
        ({"validity": "suspect", "caveats": "a new sort of trouble"}, "unjudged"),
        ({"status": "timeout", "reason": "no answer in 60 s"}, "failed"),
        ({"status": "skipped", "reason": "litert has no bf16"}, "skipped"),
    ],
)
def test_each_sort_of_doubt_is_found(row: rows.Row, kind: str) -> None:
    whole: rows.Row = {"status": "ok", "validity": "valid", "launches": 3, **row}
    assert [doubt.kind for doubt in doubts.of(whole)] == [kind]


def test_a_good_cell_raises_no_doubt() -> None:
    row: rows.Row = {"status": "ok", "validity": "valid", "launches": 3, "weights": "trained"}
    caveats = "p99 needs n >= 368; planted; throttled: once, of a cell that nobody suspects"
    assert doubts.of(row | {"power_w": 3.0, "power_tier": "wall_measured"}) == []
    assert doubts.of(row | {"caveats": caveats}) == []


@pytest.mark.parametrize(
    ("module", "kinds"),
    [(disturbances, {"disturbed"}), (slowdowns, {"heat", "supply"})],
    ids=["disturbances", "slowdowns"],
)
def test_every_verdict_of_the_analysis_has_a_kind(module: ModuleType, kinds: set[str]) -> None:
    words = sentences(module)
    assert len(words) > 3
    for sentence in words:
        row: rows.Row = {"status": "ok", "validity": "suspect", "caveats": sentence}
        assert {doubt.kind for doubt in doubts.of(row)} <= kinds, sentence


def sentences(module: ModuleType) -> list[str]:
    """What a module yields, puts into a `Slowdown` or calls ``words``, with 1 for each figure."""
    told: list[ast.expr | None] = []
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        if isinstance(node, ast.Yield):
            told.append(node.value)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "Slowdown":
            told.append(node.args[1])
        elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "words":
            told.append(node.value)
    return [spoken for one in told if (spoken := text_of(one))]


def text_of(node: ast.expr | None) -> str:
    """A string as written, with 1 for what is put in; empty where it is none."""
    if isinstance(node, ast.JoinedStr):
        return "".join(text_of(part) or "1" for part in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def test_free_words_that_differ_in_figures_only_are_one_reason() -> None:
    failed = [
        doubts.Doubt("failed", f"out of memory: {size} MiB asked, 512 left") for size in (900, 1200)
    ]
    other = doubts.Doubt("failed", "out of registers")
    groups = doubts.grouped({0: [failed[0]], 1: [failed[1]], 2: [other]})
    assert [group.places for group in groups] == [[0, 1], [2]]
    assert KINDS["failed"].level is Level.WRONG


def groups_of(*caveats: str) -> list[tuple[str, list[int]]]:
    """Of suspect cells with these caveats: what each group tells, and its cells."""
    told: list[rows.Row] = [
        {"status": "ok", "validity": "suspect", "launches": 3, "caveats": one} for one in caveats
    ]
    found = doubts.grouped({place: doubts.of(one) for place, one in enumerate(told)})
    return [(doubts.commonest(one.doubts).lstrip(":, "), list(one.places)) for one in found]


def test_what_a_cause_leads_to_is_no_group_of_its_own() -> None:
    waited = "waited for a CPU 40% of the time; something waited for cpu 60% of the time"
    quota = "held back by the cgroup's CPU quota for 148 ms"
    hot = "throttled: the firmware throttles the CPU; ran at 900 MHz on average, 1500 are allowed"
    assert groups_of(f"{waited}; {quota}", f"{quota}; {waited}", waited, hot) == [
        (quota, [0, 1]),
        ("waited for a CPU 40% of the time", [2]),
        ("throttled: the firmware throttles the CPU", [3]),
    ]


def test_a_loss_of_accuracy_is_one_reason_whatever_its_figure_is_called() -> None:
    lost = [
        f"{name} loses {loss} points against fp32" for name, loss in (("top-1", 2), ("mIoU", 3))
    ]
    told = "top-1 loses 2 points against fp32 (1), mIoU loses 3 points against fp32 (1)"
    assert groups_of(*lost) == [(told, [0, 1])]


def test_reasons_that_name_their_own_cell_are_one_and_another_is_not() -> None:
    made: list[rows.Row] = [
        {
            "status": "skipped",
            "reason": f"{name} has no {precision} model as mnn (derive {name} {hint})",
            "workload": name,
            "precision": precision,
        }
        for name, precision, hint in (("mnist", "int8", "--data DIR"), ("resnet8", "fp32", "--x"))
    ]
    made.append({**made[0], "reason": "mnn has no int8"})
    found = doubts.grouped({place: doubts.of(one) for place, one in enumerate(made)})
    assert [group.places for group in found] == [[0, 1], [2]]


def test_a_device_that_was_held_back_throughout_says_so_first(plant: Plant) -> None:
    cells = (
        Cell(throttled=True, top1_ratio=0.9),
        Cell(precision="int8", throttled=True, top1_ratio=0.5),
        Cell(backend="ncnn", reason="no"),
    )
    lossy = (Cell(backend="mnn", cosine=0.5), Cell(precision="int8", top1_ratio=0.5))
    context = exceptions(plant(board=cells, quiet=(Cell(), cells[2]), lossy=lossy)).context
    told = dict(context["devices"])
    assert told["board"] == (
        "all 2 of its cells that have figures are suspect: slowed down while measured in all of "
        "them (throttled: the firmware throttles the CPU (3 of 3 launches)), fast at the cost of "
        "accuracy in 1; 1 failed"
    )
    assert told["quiet"] == "1 of 2 cells valid and ran as asked; 1 failed"
    assert told["lossy"].startswith("1 of 2 cells valid")


def test_a_valid_cell_whose_model_loses_accuracy_elsewhere_is_to_be_taken_with_care() -> None:
    cells = [row(scenario="offline"), row(top1_loss_ratio=0.004, backend="mnn")]
    cells.append(row(top1_loss_ratio=0.012, validity="suspect"))
    cells[2]["caveats"] = "top-1 loses 1.2 points against fp32"
    material = Material((), cells)
    context = exceptions(material).context
    assert context["lead"] == (
        "2 of 3 cells are valid and ran as asked (1 of them with accuracy lost elsewhere); "
        "0 must not be used, 1 only with care."
    )
    ((_, told),) = context["devices"]
    assert told.startswith("2 of 3 cells valid and ran as asked (1 of them with accuracy lost")
    (level,) = context["levels"]
    assert level["title"].startswith("With care")
    assert [group.why.partition(":")[0] for group in level["groups"]] == [
        "valid, and accuracy is lost elsewhere",
        "fast at the cost of accuracy",
    ]
    assert list(material.cells["verdict"]) == ["valid", "valid", "suspect"]


@pytest.mark.parametrize("text", ["</script><img src=x>", "\x1b[31mred", "a\nb", "{{ 'ab' * 3 }}"])
def test_hostile_reasons_stay_text(
    plant: Plant, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setattr(bundle, "javascript", lambda _: "window.vegaEmbed = 0;")
    material = plant(board=(Cell(), Cell(backend=text, reason=text)))
    page = html.build(material.runs, material.rows)
    assert "<img" not in page
    assert "\x1b" not in page
    assert "ababab" not in page
    assert "a\nb" not in page


def test_a_run_without_faults_says_so(plant: Plant) -> None:
    context = exceptions(plant(board=(Cell(), Cell(precision="int8")))).context
    assert context["levels"] == context["tables"] == []
    assert context["lead"] == ""
