"""Runs and an import with a hostile name wherever a stranger's text can stand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from edgebench.codec import decode_line, decode_manifest, encode_line, encode_manifest
from edgebench.imports import Import
from edgebench.machine import DeviceFacts
from edgebench.protocols import ImportedRow
from edgebench.store import imported
from edgebench.testing.fleet import Cell, Device, write

CALL = "window.hacked=1;alert(1)"
NAMES = (
    f"</script><script>{CALL}</script>",
    f"<img src=x onerror={CALL}>",
    f'"><svg onload="{CALL}">',
    f"<!--<script>{CALL}//",
    f"javascript:{CALL}",
    "[link](javascript:alert(1))|`code`|@team",
    "\x1b[31mred\x1b]0;title\x07\x1b[2J",
    "\x9b31m c1\x85",
    "=cmd()|' /C calc'!A0",
    "+1+1",
    "-1-1",
    "@SUM(1;1)",
    "\t=1+1",
    "\r\n=1+1",
    " =1+1",
    "\uff1d1+1",
    "a\x00b",
    "\u202egnp.exe\u2066x\u2069\u061c",
    "line\nbreak\u2028two\rthree",
    "{{7*7}}{% raw %}${7*7}#{7*7}",
    "__proto__",
    "constructor",
    "toString",
    "hasOwnProperty",
    "datum.row'] || alert(1) || datum['x",
    "a.b[0].c\\",
    "\"'`\\\"\\'",
    "row",
    "null",
    "%3Cimg%3E&amp;&lt;b&gt;#at=x&device=y",
    "[bold red]rich[/bold red]",
    "W" * 10_000,
)


def plant(folder: Path) -> None:
    """Three runs, one of them damaged, and an import, with a hostile name wherever one can be."""
    for place in range(2):
        cells = [_cell(number, place) for number in range(len(NAMES))]
        device = Device(
            name=NAMES[place],
            unit=NAMES[2 + place],
            cells=tuple(cells),
            facts=DeviceFacts(device="", device_id="", **_facts(place)),
            backend_version=NAMES[4 + place],
        )
        below = folder / f"run {place} <img onerror={CALL}>\x1b[2J\n=1"
        run = write(below, device, seed=place + 1, launches=2, samples=60)
        _spoil(run, place)
    devices = tuple(Device(name=name, cells=(Cell(backend="litert"),)) for name in NAMES)
    for number, device in enumerate(devices):
        write(folder / "many", device, seed=100 + number, launches=2, samples=60)
    _import(folder / "imports")


def _cell(number: int, place: int) -> Cell:
    name, other = NAMES[number], NAMES[(number + 7) % len(NAMES)]
    fate: dict[str, Any] = {}
    if number % 4 == 1:
        fate = {"reason": other}
    elif number % 4 == 2:
        fate = {"effective_precision": other, "effective_accelerator": name}
    elif number % 4 == 3:
        fate = {"intruders_ratio": {other: 0.5}}
    return Cell(
        workload=name,
        backend=NAMES[(number + 3) % len(NAMES)],
        accelerator=other,
        options={name: other, "__proto__": "polluted"},
        latency_ms=1.0 + number,
        top1_ratio=0.9,
        power_w=3.0,
        scenario="sustained" if number % 8 == 4 else "single_stream",
        stages_ms={"invoke": 1.0, "decode": 1.0} if number % 8 == 0 else {},
        threads=1 + place,
        **fate,
    )


def _facts(place: int) -> dict[str, Any]:
    words = ("board", "cpu_model", "architecture", "kernel", "os", "virtualisation", "python")
    found = {name: NAMES[(place + number) % 6] for number, name in enumerate(words)}
    return found | {"soc": NAMES[6], "power_mode": NAMES[7], "isa_features": NAMES[:9]}


def _spoil(run: Path, place: int) -> None:
    """Names where `fleet` plants none: caveats, meters, parameters, versions; a damaged line."""
    lines = []
    for number, line in enumerate((run / "results.jsonl").read_bytes().splitlines()):
        record = decode_line(line)
        name = NAMES[number % len(NAMES)]
        more: dict[str, Any] = {"caveats": (*record.caveats, name)}
        if record.power is not None:
            first = record.power.series[0]
            channel = msgspec.structs.replace(first.channel, name=name, excludes=(name,))
            series = (msgspec.structs.replace(first, meter=name, channel=channel),)
            more["power"] = msgspec.structs.replace(record.power, series=series)
        if record.looks:
            looks = (msgspec.structs.replace(one, slowed_by=(name,)) for one in record.looks)
            more["looks"] = tuple(looks)
        if record.accuracy is not None:
            more["accuracy"] = msgspec.structs.replace(record.accuracy, source=name)
        lines.append(encode_line(msgspec.structs.replace(record, **more)))
    if place:
        lines.append(b'{"damaged": true}\n')
    (run / "results.jsonl").write_bytes(b"".join(lines))
    manifest = decode_manifest((run / "run.json").read_bytes())
    versions = dict(zip(NAMES, reversed(NAMES), strict=True))
    told = msgspec.structs.replace(manifest, preset=NAMES[place], backend_versions=versions)
    (run / "run.json").write_bytes(encode_manifest(told))


def _import(folder: Path) -> None:
    rows = []
    names = [name for name in NAMES if name.isprintable() and len(name) < 100]  # others are refused
    for number, name in enumerate(names):
        words = {"workload": name, "backend": names[number - 1], "device": names[number - 2]}
        values: dict[str, str | int | float] = {**words, "device_id": name, "precision": "int8"}
        values |= {"status": "ok", "options": name, "latency_p50_ms": 3.0}
        rows.append(ImportedRow(values=values, origin=dict.fromkeys(values, name)))
    content = Import(
        run_id="20260101T000000Z-0000ff",
        imported_at_utc="2026-01-01T00:00:00Z",
        edgebench_version="0",
        format="csv",
        tool=NAMES[0],
        files=dict.fromkeys(NAMES, "0" * 64),
        rows=tuple(rows),
        notes=NAMES,
    )
    folder.mkdir()
    imported.write(folder, content)
