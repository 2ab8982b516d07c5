"""Every planted machine is taken for what it is, and no content of its files stops that."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgebench import codec, plugins, resources
from edgebench.host import conditions, environment
from edgebench.host.identify import identify
from edgebench.machine import DeviceFacts
from edgebench.testing import trees, write_tree


def told(root: Path) -> DeviceFacts:
    """What is told of the machine, not of the process that asks, its system or a descriptor."""
    facts = identify(devices=resources.open_devices(), root=root)
    kept = {name: getattr(facts, name) for name in trees.FACTS}
    return DeviceFacts(device_id="", **kept)


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


def texts(value: object) -> Iterator[str]:
    """Every text in what a struct holds."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from texts([*value, *value.values()])
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from texts(one)


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
        facts = identify(devices=resources.open_devices(), root=root)
    assert msgspec.json.decode(msgspec.json.encode(facts), type=DeviceFacts) == facts
    assert facts.cpus_online is not None
    assert all(size > 0 for size in facts.caches_byte.values())
    assert all(c.max_mhz is None or c.max_mhz > 0 for c in facts.cpu_clusters)
    assert [text for text in texts(codec.to_builtins(facts)) if not text.isprintable()] == []


@pytest.mark.parametrize("tree", ["n100", "container-quota", "jetson-nano", "raspberry-pi-5"])
@pytest.mark.parametrize(
    "content",
    [
        b"a pipe",
        b"0::/a\0b\ncpu " + b"9" * 5000,
        "throttled_usec \u00b2\npswpin \u00b2\ncpu \u00b2".encode(),
        b"throttled_usec " + b"9" * 5000,
        b"1 " + b"9" * 5000,
        b"pmode:" + b"9" * 5000 + b"\n< POWER_MODEL ID=" + b"9" * 5000 + b" NAME=x >",
        b"some avg10=1.2.3 total=" + b"9" * 5000,
    ],
    ids=lambda content: content[:12].decode("ascii", "replace"),
)
def test_whatever_the_files_hold_no_reader_raises_or_waits(
    tree: str, content: bytes, tmp_path: Path
) -> None:
    root = trees.plant(tree, tmp_path)
    for path in [path for path in root.rglob("*") if path.is_file() and not path.is_symlink()]:
        if content == b"a pipe":
            path.unlink()
            os.mkfifo(path)
        else:
            path.write_bytes(content)
    assert identify(root=root).mem_total_byte is None
    assert environment.snapshot(root).steal_ns is None
    assert conditions.gather(root).swap_devices == ()
    for name in ("rapl", "rapl-perf", "hwmon", "battery", "jetson", "rpi-pmic", "calibrated"):
        meter = plugins.open_meter(name)
        assert not meter.probe(root).available
        meter.close()


def test_a_quota_of_an_outer_group_is_seen_to_bite(tmp_path: Path) -> None:
    base = "sys/fs/cgroup"
    tree = {
        "proc/self/cgroup": "0::/limited.slice/run.scope\n",
        f"{base}/limited.slice/cpu.max": "50000 100000\n",
        f"{base}/limited.slice/cpu.stat": "usage_usec 9\nthrottled_usec 7\n",
        f"{base}/limited.slice/run.scope/cpu.max": "max 100000\n",
        f"{base}/limited.slice/run.scope/cpu.stat": "usage_usec 9\nthrottled_usec 0\n",
    }
    assert environment.snapshot(write_tree(tmp_path, tree)).throttled_ns == 7000


@pytest.mark.parametrize("told", ["", "uninitialized\n"])
def test_an_image_without_an_id_of_its_own_is_told_by_its_board_s(
    told: str, tmp_path: Path
) -> None:
    ids = set()
    for serial in ("10000000a", "10000000b"):
        tree = {"etc/machine-id": told, "proc/device-tree/serial-number": f"{serial}\0"}
        ids.add(identify(root=write_tree(tmp_path / serial, tree)).device_id)
    assert len(ids) == 2


@pytest.mark.parametrize("name", ["raspberry-pi-4", "raspberry-pi-5", "raspberry-pi-zero-2-w"])
def test_a_pi_whose_device_tree_a_container_hides_is_the_same_device(
    name: str, tmp_path: Path
) -> None:
    root = trees.plant(name, tmp_path)
    shutil.rmtree(root / "proc/device-tree")
    shutil.rmtree(root / "sys/firmware", ignore_errors=True)
    assert told(root).device == name
    assert told(root).board == trees.truth(name)["board"]
