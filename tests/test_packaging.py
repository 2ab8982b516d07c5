"""What is shipped: the wheel carries its data, the checkout finds its own, extras are whole."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from edgebench import plugins, resources
from edgebench.specs import read_toml

ROOT = Path(__file__).resolve().parent.parent
MAX_WHEEL_BYTE = 10 << 20
PROJECT = read_toml(ROOT / "pyproject.toml")["project"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from this checkout."""
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (built,) = out.glob("*.whl")
    return built


def test_the_wheel_carries_data_and_no_tests(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert "edgebench/_data/workloads/mnist_cnn/models/int8.tflite" in names
    assert "edgebench/_data/workloads/_shared/scene.jpg" in names
    assert wheel.stat().st_size < MAX_WHEEL_BYTE
    assert "edgebench/py.typed" in names
    assert "edgebench/testing/trees/n100.toml" in names
    assert not [name for name in names if name.startswith(("tests", "workloads"))]


def test_an_installed_wheel_finds_its_own_data(wheel: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target"]
    subprocess.run([*command, str(tmp_path), str(wheel)], check=True, capture_output=True)
    code = (
        "from edgebench import resources\n"
        "workload = resources.open_workload('mnist_cnn')\n"
        "assert workload.problems() == []\n"
        "print(workload.folder)"
    )
    run = [sys.executable, "-c", code]
    environment = {"PYTHONPATH": str(tmp_path), "PATH": ""}
    done = subprocess.run(
        run, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "_data" in done.stdout


def test_a_checkout_finds_the_data_beside_it() -> None:
    assert resources.open_workload("mnist_cnn").folder == ROOT / "workloads" / "mnist_cnn"


def test_every_built_in_backend_has_an_extra_of_its_name() -> None:
    extras = PROJECT["optional-dependencies"]
    for name in PROJECT["entry-points"]["edgebench.backends"]:
        assert name in extras
        assert name in plugins.names(plugins.BACKENDS)


def test_what_the_user_fixed_is_named() -> None:
    extras = PROJECT["optional-dependencies"].values()
    everything = " ".join([*PROJECT["dependencies"], *(line for extra in extras for line in extra)])
    fixed = ("onnxruntime", "tflite-runtime", "psutil", "pandas", "rich", "pytest-benchmark")
    assert [name for name in fixed if name not in everything] == []
    for folder in ("edgebench", "workloads", "devices", "reports", "tests"):
        assert (ROOT / folder).is_dir()


def test_no_python_lies_among_the_data() -> None:
    assert [*(ROOT / "workloads").rglob("*.py"), *(ROOT / "devices").rglob("*.py")] == []


RUN_ELSEWHERE = """
import sys
import psutil  # it looks at the platform when it is imported
sys.platform = "darwin"
sys.modules["fcntl"] = None
from edgebench.cli.main import main
main()
"""


@pytest.mark.parametrize("line", ["run", "workloads new mine --model mine.onnx"])
def test_running_elsewhere_than_on_linux_is_refused_in_a_line(line: str) -> None:
    command = [sys.executable, "-c", RUN_ELSEWHERE, *line.split()]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "needs Linux" in done.stderr
    assert done.stderr.count("\n") == 1


def test_modules_that_only_linux_has_are_not_needed_for_reading() -> None:
    code = (
        "import sys\n"
        "for name in ('fcntl', 'resource', 'pwd', 'grp', 'termios'):\n"
        "    sys.modules[name] = None\n"
        "import edgebench.report.frame, edgebench.report.csv_, edgebench.report.table\n"
        "import edgebench.cli.report_, edgebench.cli.main, edgebench.cli.workloads_\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
