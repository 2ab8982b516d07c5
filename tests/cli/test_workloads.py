"""`edgebench workloads`: recipes that are not built, building, packs, versions side by side."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from click.testing import CliRunner

from edgebench import resources
from edgebench.cli.main import cli
from edgebench.errors import UsageError
from edgebench.records import Case, Manifest, Record
from edgebench.report import answers
from edgebench.runner import plan
from edgebench.runner.journal import Journal
from edgebench.samples import Samples
from edgebench.zoo import build as zoo


class Told(NamedTuple):
    """What a command answered."""

    stdout: str
    stderr: str


def run(*arguments: str, code: int = 0) -> Told:
    """Run the command line in this process; `main` makes one line and exit 2 of a UsageError."""
    done = CliRunner().invoke(cli, arguments)
    if isinstance(done.exception, UsageError):
        assert code == 2, done.exception
        return Told(done.stdout, str(done.exception))
    assert done.exit_code == code, done.output
    return Told(done.stdout, done.stderr)


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workload that is a recipe only, in the user's own folder."""
    folder = tmp_path / "mine" / "workloads" / "large_cnn"
    folder.mkdir(parents=True)
    text = resources.open_workload("mnist_cnn").folder / "workload.toml"
    words = text.read_text().replace('"mnist_cnn"', '"large_cnn"').split("[reference]")[0]
    words = words.replace("schema = 1\n", 'schema = 1\nweights = "random"\n', 1)
    (folder / "workload.toml").write_text(words)
    monkeypatch.setenv("EDGEBENCH_PATH", str(tmp_path / "mine"))
    return folder


def built(folder: Path, source: str = "mnist_cnn") -> Path:
    """A built workload under the recipe's name."""
    shutil.copytree(resources.open_workload(source).folder, folder, dirs_exist_ok=True)
    toml = folder / "workload.toml"
    toml.write_text(toml.read_text().replace('"mnist_cnn"', '"large_cnn"'))
    return folder


@pytest.mark.usefixtures("recipe")
def test_a_recipe_is_told_as_not_built_with_what_builds_it() -> None:
    (line,) = [one for one in run("workloads", "list").stdout.splitlines() if "large_cnn" in one]
    assert "not built" in line
    shown = " ".join(run("workloads", "show", "large_cnn").stdout.split())
    assert "not built -> on a host with edgebench[build]: edgebench workloads build large" in shown
    assert "unpack FILE" in shown
    assert "classification, 10 labels; weights: random; input 28x28x1 float32" in shown
    assert "large_cnn: not built" in run("workloads", "verify").stdout


@pytest.mark.usefixtures("recipe")
def test_a_named_recipe_is_one_line_and_exit_2_and_an_unnamed_one_is_left_out() -> None:
    done = run("run", "-w", "large_cnn", code=2)
    assert "large_cnn is not built here" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert "large_cnn" not in plan.choose_workloads([])
    assert "is not built here" in run("workloads", "derive", "large_cnn", code=2).stderr
    assert "is not built here" in run("workloads", "pack", "large_cnn", code=2).stderr


def test_a_built_workload_wins_over_a_recipe_wherever_they_lie(recipe: Path) -> None:
    assert resources.workload_folders()["large_cnn"] == recipe
    assert "large_cnn" not in resources.workload_folders(built=True)
    home = built(resources.workload_home() / "large_cnn")
    assert resources.workload_folders()["large_cnn"] == home
    assert resources.recipe_folder("large_cnn") == recipe
    built(recipe)
    assert resources.workload_folders()["large_cnn"] == recipe
    (recipe / "workload.toml").write_text("no TOML")
    with pytest.raises(UsageError, match="not valid TOML"):  # damaged is not absent
        resources.open_workload("large_cnn")


def test_a_recipe_is_built_into_the_data_home(
    recipe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def make(name: str, data: Path | None, out: Path, say: Callable[[str], None]) -> None:
        assert (name, data) == ("large_cnn", None)
        assert (out / "workload.toml").read_bytes() == (recipe / "workload.toml").read_bytes()
        (out / "kept.epoch").write_text("7")
        if not fails:
            built(out)
        say("made")
        if fails:
            raise UsageError("no room")

    monkeypatch.setattr(zoo, "build", make)
    fails = True
    run("workloads", "build", "large_cnn", code=2)
    assert resources.workload_folders()["large_cnn"] == recipe
    fails = False
    home = resources.workload_home() / "large_cnn"
    for _ in range(2):  # a second time takes the place of the first
        assert f"built in {home}" in run("workloads", "build", "large_cnn").stderr
        assert resources.open_workload("large_cnn").problems() == []
        assert resources.open_workload("large_cnn").folder == home
    assert list(plan.choose_workloads(["large_cnn"])) == ["large_cnn"]


def test_a_complete_workload_is_built_where_it_lies(
    recipe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places: list[Path] = []
    monkeypatch.setattr(zoo, "build", lambda _name, _data, out, _say: places.append(out))
    built(recipe)
    run("workloads", "build", "large_cnn")
    run("workloads", "build", "large_cnn", "--out", "elsewhere")
    assert places == [recipe, Path("elsewhere")]


def test_packing_and_unpacking_say_what_and_where(recipe: Path, tmp_path: Path) -> None:
    built(recipe)
    pack = tmp_path / "large.zip"
    assert "1 workload, " in run("workloads", "pack", "large_cnn", "-o", str(pack)).stderr
    shutil.rmtree(recipe)
    assert "large_cnn version 1: unpacked: " in run("workloads", "unpack", str(pack)).stderr
    assert "large_cnn version 1: already there" in run("workloads", "unpack", str(pack)).stderr
    assert "large_cnn: ok" in run("workloads", "verify", "large_cnn").stdout
    pack.write_text("no zip")
    done = run("workloads", "unpack", str(pack), code=2)
    assert len(done.stderr.strip().splitlines()) == 1


def test_results_of_two_versions_are_neither_compared_nor_ranked_together(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    case: Callable[..., Case],
    record: Callable[..., Record],
    manifest: Callable[..., Manifest],
) -> None:
    for version in (1, 2):
        run_id = f"2026010{version}T000000Z-00000{version}"
        one = case(workload_version=version)
        store = Journal.create(tmp_path / f"v{version}", manifest(one, run_id=run_id))
        for launch in range(4):
            latency = Samples([(1000 * version + launch) * 1000 + i % 7 for i in range(100)])
            store.append(record(one, run_id=run_id, launch=launch, latency_ns=latency))
    monkeypatch.chdir(tmp_path)
    words = " ".join(" ".join(run("compare", "v1", "v2")).split())
    assert "not comparable" in words
    assert "other version of the workload: 1 -> 2" in words
    rows = json.loads(run("report", "v1", "v2", "--json").stdout)
    assert [one.workload for one in answers.fastest(rows)] == [
        "mnist_cnn",
        "mnist_cnn, workload_version 2",
    ]


def test_a_damaged_workload_does_not_hide_the_next(recipe: Path) -> None:
    (recipe / "workload.toml").write_text("schema = 1\nname = [")
    told = run("workloads", "list")
    assert "large_cnn            damaged: " in told.stdout
    assert "mnist_cnn            v1" in told.stdout


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(28, "No space left on device"), "cannot write {home}: No space left"),
        (FileNotFoundError(2, "No such file", "/nowhere/x.bin"), "cannot read /nowhere/x.bin: No"),
    ],
)
def test_a_build_says_which_file_it_failed_for(
    recipe: Path, monkeypatch: pytest.MonkeyPatch, error: OSError, words: str
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(zoo, "build", fail)
    told = run("workloads", "build", recipe.name, code=2)
    assert words.format(home=resources.workload_home()) in told.stderr
