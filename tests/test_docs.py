"""The README does not rot: its glossary is generated, its options exist, its files too."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click import Command, Context, Group

from edgebench.cli.main import cli
from edgebench.report import columns
from edgebench.specs import read_workload

ROOT = Path(__file__).resolve().parent.parent
READMES = sorted(ROOT.glob("README*.md"))
WORKLOAD_CELLS = 8
"""Name, task, input, network, multiply-accumulates, parameters, weights, the figure of fp32."""


def part(text: str, name: str) -> str:
    """What stands between ``<!-- name -->`` and ``<!-- end -->``."""
    found = re.search(rf"<!-- {re.escape(name)} -->\n(.*?)<!-- end -->", text, re.DOTALL)
    assert found, f"there is no part {name!r}"
    return found.group(1).strip()


def figures_of(folder: Path) -> tuple[str, ...]:
    """Size, work and parameters as a README tells them, from a workload's own file."""
    spec = read_workload(folder).spec
    assert spec.macs
    assert spec.parameters
    size = "x".join(str(one) for one in spec.input.shape)
    return size, f"{spec.macs / 1e6:,.1f} M", f"{spec.parameters / 1e6:.2f} M"


def test_the_glossary_is_the_one_in_the_code() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert part(text, "columns") == columns.glossary()


def test_the_other_languages_have_every_column_and_the_same_outputs() -> None:
    english = (ROOT / "README.md").read_text(encoding="utf-8")
    outputs = re.findall(r"```[a-z]*\n.*?```", english, re.DOTALL)
    assert outputs
    for readme in READMES:
        text = readme.read_text(encoding="utf-8")
        names = re.findall(r"^\| `(\w+)` \|", part(text, "columns"), re.MULTILINE)
        assert names == [column.name for column in columns.COLUMNS], readme.name
        assert [output for output in outputs if output not in text] == [], readme.name


@pytest.mark.parametrize("readme", READMES, ids=lambda path: path.name)
def test_a_readme_has_every_workload_with_its_own_figures(readme: Path) -> None:
    told = {}
    for line in readme.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == WORKLOAD_CELLS and cells[0].startswith("`"):
            told[cells[0].strip("`")] = (cells[2], cells[4], cells[5])
    assert told == {
        path.parent.name: figures_of(path.parent) for path in ROOT.glob("workloads/*/workload.toml")
    }


@pytest.mark.parametrize("readme", READMES, ids=lambda path: path.name)
def test_every_option_that_a_readme_shows_exists(readme: Path) -> None:
    known = {"--help", "--version"}
    context = Context(cli)
    waiting: list[Command] = [cli]
    while waiting:
        command = waiting.pop()
        known |= {option for param in command.params for option in param.opts}
        if isinstance(command, Group):
            names = command.list_commands(context)
            waiting += [c for name in names if (c := command.get_command(context, name))]
    shown: set[str] = set()
    for line in readme.read_text(encoding="utf-8").splitlines():
        if "edgebench " in line:
            shown |= set(re.findall(r"(?<![\w-])(--?[a-z][a-z-]*)", line.split("#")[0]))
    shown -= {"-m", "-e"}  # of python and pip
    assert sorted(shown - known) == []


@pytest.mark.parametrize("readme", READMES, ids=lambda path: path.name)
def test_every_file_that_a_readme_links_exists(readme: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", readme.read_text(encoding="utf-8"))
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_no_file_names_a_path_of_one_machine() -> None:
    found = []
    for path in ROOT.rglob("*"):
        parts = path.relative_to(ROOT).parts
        if parts[0].startswith(".") and parts[0] not in {".ci", ".github"}:
            continue
        if path.suffix not in {".md", ".toml", ".py", ".yaml"} or path.name == "test_docs.py":
            continue
        if re.search(r"(?<![\w.])/(work|root|home)/\w", path.read_text(encoding="utf-8")):
            found.append(path.name)
    assert found == []
