"""Every planted machine is taken for what it is, and no content of its files stops that."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgebench import resources
from edgebench.host.identify import identify
from edgebench.machine import DeviceFacts
from edgebench.testing import trees

HERE = ("device_id", "cpus_usable", "kernel", "os", "python", "envelope")
"""Of the process that asks, the system it runs or the descriptor, not of the machine."""


def told(root: Path) -> DeviceFacts:
    facts = identify(devices=resources.open_devices(), root=root)
    blank = DeviceFacts(device="", device_id="")
    return msgspec.structs.replace(facts, **{name: getattr(blank, name) for name in HERE})


@pytest.mark.parametrize("name", trees.names())
def test_a_machine_is_taken_for_what_it_is(name: str, tmp_path: Path) -> None:
    truth = msgspec.convert({**trees.truth(name), "device_id": ""}, DeviceFacts)
    assert told(trees.plant(name, tmp_path)) == truth


def test_a_device_with_another_board_is_not_taken_for_it(tmp_path: Path) -> None:
    root = trees.plant("rock-5b", tmp_path)
    (root / "sys/firmware/devicetree/base/compatible").write_text("radxa,rock-5a\0rockchip,rk3588s")
    assert told(root).device == "radxa-rock-5b"  # by its model's words; no descriptor fits
    assert told(root).soc == "rockchip,rk3588s"


def test_clusters_of_one_chip_keep_features_of_their_own(tmp_path: Path) -> None:
    root = trees.plant("rock-5b", tmp_path)
    info = root / "proc/cpuinfo"
    small, fast = info.read_text().split("processor\t: 4\n")
    info.write_text(f"{small.replace(' asimddp', '')}processor\t: 4\n{fast}")
    facts = told(root)
    assert [("asimddp" in c.features) for c in facts.cpu_clusters] == [True, False]
    assert "asimddp" not in facts.isa_features


def test_files_that_vanished_leave_facts_untold_and_never_zero(tmp_path: Path) -> None:
    root = trees.plant("jetson-orin-nano", tmp_path)
    for gone in ("proc/meminfo", "var/lib/nvpmodel", "sys/devices/system/cpu/cpufreq"):
        path = root / gone
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    for cache in (root / "sys/devices/system/cpu").glob("cpu*/cache"):
        shutil.rmtree(cache)
    facts = told(root)
    assert facts.mem_total_byte is None
    assert facts.power_mode is None
    assert facts.caches_byte == {}
    assert [c.max_mhz for c in facts.cpu_clusters] == [None]


HOSTILE = ("raspberry-pi-4", "jetson-orin-nano", "container-quota")
ODD = st.one_of(
    st.binary(max_size=200),
    st.sampled_from(
        [
            *(b"", b"\0", b"\xff\xfe", b"-1", b"nan", b"0x", b"max", b"\xc2\xb2", b"1_0"),
            *(b"9" * 5000, b"18446744073709551616", b"processor : \xc2\xb2\n", b"0-" + b"9" * 30),
            *(b"\x1b[31mred", b"=1+1", b"pmode:", b"pmode:\xd9\xa3", b"OF_COMPATIBLE_0", b":::"),
        ]
    ),
)


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, bytes]]:
    """The plain files of some machines, to be spoilt."""
    found = {}
    for name in HOSTILE:
        root = trees.plant(name, tmp_path_factory.mktemp(name))
        files = [path for path in sorted(root.rglob("*")) if path.is_file()]
        plain = [
            path for path in files if path.resolve() == root.resolve() / path.relative_to(root)
        ]
        found[name] = {str(path.relative_to(root)): path.read_bytes() for path in plain}
    return found


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_no_content_of_any_file_stops_identification(
    machines: dict[str, dict[str, bytes]], data: st.DataObject
) -> None:
    name = data.draw(st.sampled_from(HOSTILE))
    files = machines[name]
    with tempfile.TemporaryDirectory() as folder:
        root = trees.plant(name, Path(folder))
        for relative in data.draw(
            st.lists(st.sampled_from(sorted(files)), max_size=12, unique=True)
        ):
            path = root / relative
            path.unlink()
            if (odd := data.draw(st.one_of(st.none(), ODD))) is None:
                path.mkdir()
            else:
                at = data.draw(st.integers(0, len(files[relative])))
                kept = data.draw(st.booleans())
                path.write_bytes(files[relative][:at] * kept + odd + files[relative][at:] * kept)
        facts = told(root)
    assert msgspec.json.decode(msgspec.json.encode(facts), type=DeviceFacts) == facts
    assert facts.cpus_online is not None
    assert all(size > 0 for size in facts.caches_byte.values())
    assert all(c.max_mhz is None or c.max_mhz > 0 for c in facts.cpu_clusters)
    shown = [facts.board, facts.soc, facts.power_mode, *(a.where for a in facts.accelerators)]
    assert all(text.isprintable() for text in shown if text)
