"""Who may import whom, how large files may grow, and what `import edgebench` may cost."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "edgebench"

DATA = (
    "units",
    "errors",
    "samples",
    "metering",
    "machine",
    "codec",
    "imports",
    "records",
    "specs",
    "descriptors",
    "stats",
    "protocols",
    "sampling",
    "wire",
    "plugins",
)
DATA_LAYER = frozenset({*DATA, "arrays", "power_model", "resources", "vcio"})
ROOMS = {
    "host": DATA_LAYER,
    "backends": DATA_LAYER,
    "derive": DATA_LAYER | {"backends", "datasets", "host", "zoo"},
    "packs": DATA_LAYER | {"derive"},
    "meters": DATA_LAYER,
    "zoo": DATA_LAYER | {"derive", "measure"},
    "testing": DATA_LAYER,
    "measure": DATA_LAYER | {"host"},
    "datasets": DATA_LAYER,
    "adopt": DATA_LAYER | {"backends", "datasets", "derive", "host", "runner"},
    "runner": DATA_LAYER | {"host", "store", "datasets", "derive"},
    "store": DATA_LAYER,
    "analysis": DATA_LAYER | {"store"},
    "report": DATA_LAYER | {"analysis", "store"},
    "pytest_plugin": DATA_LAYER | {"analysis", "store", "report", "spawn"},
    "spawn": DATA_LAYER | {"runner"},
    "__main__": frozenset({"cli"}),
    "cli": DATA_LAYER
    | {"host", "runner", "store", "analysis", "report", "zoo", "backends", "meters", "datasets"}
    | {"adopt", "derive", "packs"},
}
BELOW = {
    "units": set(),
    "errors": set(),
    "samples": set(),
    "metering": {"samples"},
    "machine": set(),
    "records": {"errors", "machine", "metering", "samples", "units"},
    "imports": {"protocols", "records"},
    "codec": {"errors", "imports", "metering", "records", "samples"},
    "specs": {"errors", "records", "units"},
    "descriptors": {"errors", "machine", "specs"},
    "stats": {"errors", "units"},
    "protocols": {"errors", "metering", "records", "specs"},
    "sampling": {"codec", "errors", "metering", "protocols"},
    "wire": {"codec", "errors", "machine", "protocols", "records", "samples", "specs"},
    "plugins": {"errors", "protocols"},
    "resources": {"descriptors", "errors", "specs"},
    "power_model": {"resources", "specs"},
    "vcio": set(),
    "arrays": set(),
}
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 50
LOOP_IMPORTS = {
    "loop.py": {"__future__", "gc", "array", "time"},
    "pace.py": {"__future__", "array", "time"},
}


def imported_rooms(source: str) -> set[str]:
    """First names below `edgebench` that a module imports at run time."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module == "edgebench":
            names = [f"edgebench.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module]
        else:
            continue
        found |= {name.split(".")[1] for name in names if name.startswith("edgebench.")}
    return found - {"__version__"}


def violations(room: str, source: str) -> set[str]:
    """Rooms that a module of ``room`` imports and may not."""
    allowed = BELOW[room] if room in BELOW else ROOMS[room] | {room}
    return imported_rooms(source) - allowed


def modules() -> list[tuple[str, Path]]:
    """Every module with its room."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        if parts != ("__init__",):
            found.append((parts[0], path))
    return found


@pytest.mark.parametrize(("room", "path"), modules(), ids=lambda v: getattr(v, "name", v))
def test_a_module_imports_only_what_its_room_may(room: str, path: Path) -> None:
    assert violations(room, path.read_text()) == set()


def test_planted_violations_are_found() -> None:
    assert violations("measure", "from edgebench.runner import plan") == {"runner"}
    assert violations("backends", "from edgebench.measure.loop import timed") == {"measure"}
    assert violations("records", "from edgebench import stats") == {"stats"}
    assert violations("cli", "import edgebench.measure.loop") == {"measure"}


@pytest.mark.parametrize("path", [p for _, p in modules()], ids=lambda p: p.name)
def test_files_and_functions_stay_small(path: Path) -> None:
    source = path.read_text()
    assert source.count("\n") <= MAX_FILE_LINES
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            length = (node.end_lineno or 0) - node.lineno + 1
            assert length <= MAX_FUNCTION_LINES, f"{path.name}: {node.name} has {length} lines"


def test_only_the_command_line_prints_or_exits() -> None:
    for room, path in modules():
        if room == "cli":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                assert ast.unparse(node.func) not in {"print", "sys.exit", "exit"}, path


def run_time_imports(source: str) -> set[str]:
    """Modules that are imported as a module is; what stands under TYPE_CHECKING never runs."""
    found: set[str] = set()
    for node in ast.parse(source).body:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


@pytest.mark.parametrize("name", LOOP_IMPORTS)
def test_the_loops_import_nothing_but_their_clock(name: str) -> None:
    source = (PACKAGE / "measure" / name).read_text()
    assert run_time_imports(source) == LOOP_IMPORTS[name]
    planted = source + "\nfrom edgebench import stats\n"
    assert run_time_imports(planted) - LOOP_IMPORTS[name] == {"edgebench"}


HELP = """
import sys
sys.argv = ["edgebench", "--help"]
from edgebench.cli.main import main
try:
    main()
except SystemExit:
    pass
"""


@pytest.mark.parametrize("code", ["import edgebench", HELP], ids=["import", "--help"])
def test_nothing_heavy_is_imported_before_it_is_needed(code: str) -> None:
    heavy = "numpy pandas scipy altair rich msgspec psutil onnxruntime ai_edge_litert tensorflow"
    check = f"\nimport sys; print([m for m in {heavy.split()!r} if m in sys.modules])"
    run = [sys.executable, "-c", code + check]
    out = subprocess.run(run, capture_output=True, text=True, check=True).stdout
    assert out.strip().splitlines()[-1] == "[]"
