"""`edgebench import`: what another tool measured becomes rows beside our own, and is traced."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path

import click

from edgebench import __version__, plugins
from edgebench.analysis.questions import ASKED
from edgebench.cli import mapping_words
from edgebench.cli.text import count, fill
from edgebench.errors import EdgebenchError, UsageError, plain
from edgebench.imports import Import
from edgebench.protocols import Imported, ImportedRow, Importer
from edgebench.report import imported_rows, told
from edgebench.runner.journal import new_run_id, utc
from edgebench.store import imported
from edgebench.store.read import folders_with

_RESULTS = Path("edgebench-results")


@click.command("import")
@click.argument("form", metavar="[FORMAT]", required=False)
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), default=_RESULTS, metavar="DIR")
@click.option(
    "--set", "said", multiple=True, metavar="COLUMN=VALUE", help="What the files do not tell."
)
@click.option("--device-name", metavar="NAME", help="Which unit of the device was measured.")
@click.option(
    "--map",
    "maps",
    multiple=True,
    metavar="COLUMN=THEIRS[:UNIT]",
    help="csv, pytest-benchmark: what stands for a column, and its unit there.",
)
@click.option(
    "--names",
    metavar="TEMPLATE",
    default="",
    help="How names are made: 'test_{workload}[{backend}]'.",
)
@click.option(
    "--mapping",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A TOML file with names and the tables [map] and [set].",
)
@click.option("--list", "list_", is_flag=True, help="Print the formats and stop.")
@click.option("--show", is_flag=True, help="Print every figure of PATHS and where it stands.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print what was imported, or --show, as JSON."
)
def command(
    form: str | None,
    paths: tuple[Path, ...],
    *,
    output: Path,
    said: tuple[str, ...],
    device_name: str | None,
    maps: tuple[str, ...],
    names: str,
    mapping: Path | None,
    list_: bool,
    show: bool,
    as_json: bool,
) -> None:
    """Take in what another tool measured: PATHS, of a FORMAT.

    The rows stand beside measured ones in report, compare and recommend, marked as imported. What
    the files do not tell stays empty unless --set states it; the device, the workload, the runtime
    and the precision must be told. `edgebench import --show DIR` traces every figure.
    """
    if list_:
        _list()
        return
    if show:
        _show([Path(form), *paths] if form else [output], as_json=as_json)
        return
    if form is None or not paths:
        raise UsageError("edgebench import FORMAT PATH", remedy="formats: " + ", ".join(_formats()))
    words = mapping_words.of(mapping, maps, names)
    named = (f"device_id={device_name}",) if device_name else ()
    stated = told.stated((*words.said, *said, *named))
    importer = mapping_words.applied(_importer(form), words)
    known: dict[tuple[object, str], ImportedRow] = {}
    read = []
    for path in paths:  # all of them before one is stored
        found = _read(importer, path, stated)
        read.append((found, imported_rows.accept(form, found, stated, known)))
    stored = [_store(form, found, accepted, output) for found, accepted in read]
    if as_json:
        click.echo(json.dumps([_traced(one) for one in stored], indent=1))


def _formats() -> tuple[str, ...]:
    return plugins.names(plugins.IMPORTERS)


def _importer(form: str) -> Importer:
    try:
        return plugins.open_importer(form)
    except ImportError as error:
        raise UsageError(f"{form} needs {error.name}, which is not installed") from None


def _list() -> None:
    for name in _formats():
        wants = ", ".join(_importer(name).wants)
        click.echo(f"{name:18} state: {wants}" if wants else name)


def _read(importer: Importer, path: Path, stated: dict[str, told.Told]) -> Imported:
    try:
        found = importer.read(path, {name: str(value) for name, value in stated.items()})
    except EdgebenchError:
        raise
    except Exception as error:  # noqa: BLE001 - a plug-in's fault ends in one line
        raise UsageError(f"{importer.name} failed: {type(error).__name__}: {error}") from None
    return found


def _store(form: str, found: Imported, accepted: tuple[ImportedRow, ...], output: Path) -> Import:
    """A folder of its own for what one path held."""
    now = datetime.now(timezone.utc)
    content = Import(
        run_id=new_run_id(now),
        imported_at_utc=utc(now),
        edgebench_version=__version__,
        format=form,
        tool=found.tool,
        files=found.files,
        rows=accepted,
        notes=found.notes,
    )
    folder = imported.write(output, content)
    for note in found.notes:
        click.echo(fill(f"left out: {note}", "", "  "), err=True)
    known = [set(row.values) for row in content.rows]
    if silent := [name for name in ASKED if not all(name in values for values in known)]:
        words = f"not told: {', '.join(silent)}; such cells are not ranked with measured ones"
        click.echo(fill(f"{words} (--set {silent[0]}=...)", "", "  "), err=True)
    cells = count(len(content.rows), "cell")
    click.echo(f"{cells} of {plain(found.tool)} in {folder}", err=True)
    return content


def _show(paths: list[Path], *, as_json: bool) -> None:
    """Every value of the imports at some paths, and where it stands."""
    folders = {one.resolve(): one for path in paths for one in folders_with(imported.FILE, path)}
    if not folders:
        raise UsageError(f"there is no import in {paths[0]}")
    stored, problems = imported.read_all(folders.values())
    for problem in problems:
        click.echo(f"edgebench: {plain(problem)}", err=True)
    if as_json:
        click.echo(json.dumps([_traced(one.content) for one in stored], indent=1))
        return
    for one in stored:
        click.echo(plain(f"{one.content.run_id}: {one.content.tool} ({one.content.format})"))
        for name, digest in one.content.files.items():
            click.echo(plain(f"  sha256 {digest}  {name}"))
        for row in one.content.rows:
            click.echo(plain(f"  {imported_rows.told_of(row.values)}"))
            for column, value in row.values.items():
                click.echo(plain(f"    {column} = {value}  ({row.origin.get(column)})"))


def _traced(content: Import) -> dict[str, object]:
    return {
        "run_id": content.run_id,
        "tool": content.tool,
        "format": content.format,
        "files": content.files,
        "rows": [{"values": row.values, "origin": row.origin} for row in content.rows],
    }
