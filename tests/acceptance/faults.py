"""Faults of every kind, injected into real runs: what was measured stays, and the reason is named.

Kinds: a worker that fails in each way that `edgebench.testing.FaultyBackend` knows, workers killed
at random moments, the kernel's OOM killer (in a cgroup of its own), the parent killed at random
moments and the run resumed, a full disk, an unwritable folder, a journal cut at every byte and
flipped at every byte, two runs at once, and results of a newer version.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import psutil
from verdict import Verdict

import edgebench
from edgebench import codec, records
from edgebench.store.read import read_journal, read_run

EDGEBENCH = str(Path(sys.executable).with_name("edgebench"))
NULL = "edgebench.testing:NullBackend"
FAULTY = "edgebench.testing:FaultyBackend"
MARK = secrets.token_hex(8)
KINDS = {
    "raise": "planted failure",
    "refuse": "planted refusal",
    "exit": "exit code 7",
    "segv": "SIGSEGV",
    "kill": "SIGKILL",
    "hang": "no answer for",
    "garbage": "cannot be read",
    "eat": "memory limit",
    "orphan_segv": "SIGSEGV",
    "noise": "",
    "orphan": "",
}
"""Fault, and the words that must name it; the last two must harm nothing."""
RANDOM_KILLS = 12
PARENT_KILLS = 6
PRECISIONS = "fp32,fp16,int8"
CELLS = 3
FAILED, USAGE = 3, 2


def config(folder: Path, fault: str) -> Path:
    """A configuration that plants a fault and makes the null backend take its time."""
    path = folder / f"{fault}.toml"
    lines = [
        f'[backends."{NULL}"]',
        'options = { busy_us = "300" }',
        f'[backends."{FAULTY}"]',
        f'options = {{ fault = "{fault}" }}',
    ]
    path.write_text("\n".join(lines))
    return path


def command(folder: Path, backends: str, fault: str = "none") -> list[str]:
    """An `edgebench run` of three cells a backend."""
    options = ["-w", "mnist_cnn", "-b", backends, "-p", PRECISIONS, "--timeout", "3"]
    file = str(config(folder, fault))
    return [
        *(EDGEBENCH, "run", *options, "--memory-limit", "600", "--config", file),
        *("-o", str(folder / "results")),
    ]


def run(line: list[str]) -> subprocess.CompletedProcess[str]:
    """Run to the end."""
    return subprocess.run(line, capture_output=True, text=True, check=False)


def workers() -> list[psutil.Process]:
    """Living workers of this script's runs."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        line = " ".join(process.info["cmdline"] or [])
        if "edgebench.measure.worker" in line and process.info["status"] != "zombie":
            with contextlib.suppress(psutil.Error):
                if process.environ().get("EDGEBENCH_TEST") == MARK:
                    found.append(process)
    return found


def strike_at(rng: random.Random, folder: Path) -> None:
    """Wait until a run measures, then for a random while: what comes before has nothing to lose."""
    deadline = time.monotonic() + 30
    while not list(folder.glob("results/*/run.json")) and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(3.0 * rng.random())


def lost(folder: Path) -> int:
    """Cells of the null backend that are not ok: it is never the one that is hit."""
    found = edgebench.load(folder / "results")
    mine = found[found["backend"] == NULL]
    whole = mine["launches"] == mine["launches"].max()
    return CELLS - int(((mine["status"] == "ok") & whole).sum())


def planted(verdict: Verdict, folder: Path) -> None:
    """Each kind of fault beside healthy cells."""
    for fault, words in KINDS.items():
        here = folder / fault
        here.mkdir()
        done = run(command(here, f"{NULL},{FAULTY}", fault))
        found = edgebench.load(here / "results")
        hit = found[found["backend"] == FAULTY]
        named = all(words in str(reason) for reason in hit["reason"]) if words else True
        expected = FAILED if words else 0
        statuses = sorted(set(hit["status"]))
        figure = f"{lost(here)} lost, {statuses}, exit {done.returncode}, reason named: {named}"
        passed = lost(here) == 0 and named and done.returncode == expected
        passed = passed and "Traceback" not in done.stderr
        verdict.check(f"{len(hit)} x {fault}", figure, f"0 lost, exit {expected}", passed=passed)


def random_kills(verdict: Verdict, folder: Path, rng: random.Random) -> None:
    """One worker of each run killed at a random moment."""
    lost_cells = hits = 0
    for number in range(RANDOM_KILLS):
        here = folder / f"kill{number}"
        here.mkdir()
        process = subprocess.Popen(
            command(here, NULL), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        strike_at(rng, here)
        for worker in workers():
            with contextlib.suppress(psutil.Error):
                worker.kill()
                hits += 1
        process.wait()
        found = edgebench.load(here / "results")
        bad = found[found["status"] != "ok"]
        lost_cells += max(0, len(bad) - 1) + (CELLS - len(found))
    figure = f"{hits} killed in {RANDOM_KILLS} runs, {lost_cells} other cells lost"
    passed = lost_cells == 0 and hits >= RANDOM_KILLS // 2
    verdict.check("worker SIGKILLed at random moments", figure, "0 lost", passed=passed)


def parent_kills(verdict: Verdict, folder: Path, rng: random.Random) -> None:
    """The run itself killed at a random moment, then resumed."""
    bad = orphans = 0
    for number in range(PARENT_KILLS):
        here = folder / f"parent{number}"
        here.mkdir()
        process = subprocess.Popen(
            command(here, NULL), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        strike_at(rng, here)
        process.kill()
        process.wait()
        time.sleep(2)
        orphans += len(workers())
        (run_dir,) = (here / "results").iterdir()
        path = run_dir / "results.jsonl"
        before = path.read_bytes() if path.exists() else b""  # killed before the first record
        done = run([EDGEBENCH, "run", "--resume", str(run_dir)])
        after = (run_dir / "results.jsonl").read_bytes()
        bad += done.returncode != 0 or not after.startswith(before) or lost(here) != 0
    figure = f"{PARENT_KILLS} killed, {orphans} workers left, {bad} not resumed whole"
    verdict.check("parent SIGKILLed", figure, "0 left, 0", passed=bad == 0 and orphans == 0)


@contextlib.contextmanager
def memory_cgroup(limit_byte: int) -> Iterator[Path | None]:
    """A cgroup with a memory limit, version 1 or 2; None where none may be made."""
    for base, limit in (
        (Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes"),
        (Path("/sys/fs/cgroup"), "memory.max"),
    ):
        group = base / f"edgebench-{MARK}"
        with contextlib.suppress(OSError):
            group.mkdir()
            (group / limit).write_text(str(limit_byte))
            yield group
            time.sleep(0.5)
            group.rmdir()
            return
    yield None


def out_of_memory(verdict: Verdict, folder: Path) -> None:
    """The kernel's OOM killer, in a cgroup of 700 MiB."""
    here = folder / "oom"
    here.mkdir()
    line = [*command(here, f"{NULL},{FAULTY}", "eat"), "--memory-limit", "4000", "--timeout", "30"]
    with memory_cgroup(700 << 20) as group:
        if group is None:
            print("NOT RUN  OOM killer: no memory cgroup can be made here")
            return
        joined = f"echo $$ > {group}/cgroup.procs && exec " + " ".join(f"'{p}'" for p in line)
        done = run(["/bin/sh", "-c", joined])
    found = edgebench.load(here / "results")
    statuses = sorted(set(found[found["backend"] == FAULTY]["status"]))
    figure = f"{statuses}, {lost(here)} lost, exit {done.returncode}"
    passed = statuses == ["oom"] and lost(here) == 0
    verdict.check(f"{CELLS} x OOM killer", figure, "['oom'], 0 lost", passed=passed)


def full_disk(verdict: Verdict, folder: Path) -> None:
    """A file system that is full after a few records: sized by what the same run writes here."""
    whole = folder / "whole"
    whole.mkdir()
    run(command(whole, NULL))
    (head,) = whole.glob("results/*/run.json")
    page = os.sysconf("SC_PAGE_SIZE")
    journal = head.with_name("results.jsonl").stat().st_size
    pages = -(-head.stat().st_size // page) + -(-(journal // 3) // page)

    here = folder / "full"
    (here / "results").mkdir(parents=True)
    size = f"size={pages * page}"
    mounted = run(["mount", "-t", "tmpfs", "-o", size, "none", str(here / "results")])
    if mounted.returncode:
        print(f"NOT RUN  full disk: {mounted.stderr.strip()}")
        return
    try:
        done = run(command(here, NULL))
        (run_dir,) = (here / "results").iterdir()
        stored = read_run(run_dir)
        told = done.stderr.strip().splitlines()[-1]
        figure = f"{len(stored.records)} records kept, exit {done.returncode}, said: {told[:60]}..."
        passed = bool(stored.records) and not stored.damage and done.returncode == FAILED
        passed = passed and "No space left" in told and "Traceback" not in done.stderr
        verdict.check("full disk", figure, "kept, one line, exit 3", passed=passed)
    finally:
        run(["umount", str(here / "results")])


def folders(verdict: Verdict, folder: Path) -> None:
    """A folder that cannot be written, two runs at once, results of a newer version."""
    here = folder / "blocked"
    here.mkdir()
    (here / "results").write_text("a file, not a folder")
    done = run(command(here, NULL))
    one_line = done.stderr.count("\n") == 1 and "cannot write" in done.stderr
    figure = f"exit {done.returncode}, one line: {one_line}"
    passed = done.returncode == USAGE and one_line
    verdict.check("unwritable folder", figure, "exit 2, one line", passed=passed)

    here = folder / "twice"
    here.mkdir()
    first = subprocess.Popen(
        command(here, NULL), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    time.sleep(1.5)
    second = run(command(here, NULL))
    first.wait()
    figure = f"first exit {first.returncode}, second exit {second.returncode}"
    passed = (first.returncode, second.returncode) == (0, USAGE) and lost(here) == 0
    verdict.check("two runs at once", figure, "first 0, second 2", passed=passed)

    (run_dir,) = (here / "results").iterdir()
    manifest = json.loads((run_dir / "run.json").read_text())
    manifest["schema_version"] = records.SCHEMA_VERSION + 1
    (run_dir / "run.json").write_text(json.dumps(manifest))
    done = run([EDGEBENCH, "report", str(run_dir)])
    told = "upgrade edgebench" in done.stderr and done.stderr.count("\n") == 1
    figure = f"exit {done.returncode}, says to upgrade: {told}"
    verdict.check("newer version's results", figure, "one line", passed=told and not done.stdout)


def damaged_journal(verdict: Verdict, folder: Path) -> None:
    """Every cut and every flipped byte of the last record of a real journal."""
    (run_dir,) = (folder / "kill0" / "results").iterdir()
    path = run_dir / "results.jsonl"
    whole = path.read_bytes()
    stored, _ = read_journal(path)
    small = msgspec.structs.replace(stored[-1], latency_ns=stored[-1].warmup_ns)
    head, last = whole, codec.encode_line(small)
    copy = folder / "copy.jsonl"
    cuts = good_cuts = flips = good_flips = 0
    for cut in range(len(last)):
        copy.write_bytes(head + last[:cut])
        kept, damage = read_journal(copy)
        cuts += 1
        complete = cut == len(last) - 1  # all but the newline
        expected = (*stored, small) if complete else stored
        good_cuts += kept == expected and len(damage) == (0 if complete or cut == 0 else 1)
    for position in range(len(last) - 1):
        flipped = bytearray(last)
        flipped[position] ^= 0x10
        copy.write_bytes(head + bytes(flipped))
        kept, damage = read_journal(copy)
        flips += 1
        good_flips += kept[: len(stored)] == stored and (len(damage) > 0 or kept[-1] == small)
    for what, good, total in (("cut", good_cuts, cuts), ("flipped", good_flips, flips)):
        verdict.check(
            f"journal {what} at every byte of its last record",
            f"{good} of {total} recovered",
            f"{total} of {total}",
            passed=good == total,
        )


def main() -> int:
    """All kinds."""
    verdict = Verdict()
    os.environ["EDGEBENCH_TEST"] = MARK
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    rng = random.Random(1)  # noqa: S311 - moments to strike at
    with tempfile.TemporaryDirectory(prefix="edgebench-faults-") as name:
        folder = Path(name)
        os.environ["EDGEBENCH_LOCK"] = f"{name}/lock"  # only "two runs at once" may collide
        planted(verdict, folder)
        random_kills(verdict, folder, rng)
        parent_kills(verdict, folder, rng)
        out_of_memory(verdict, folder)
        full_disk(verdict, folder)
        folders(verdict, folder)
        damaged_journal(verdict, folder)
        time.sleep(2)
        left = len(workers())
        verdict.check("workers left at the end", str(left), "0", passed=left == 0)
    return verdict.exit_code


if __name__ == "__main__":
    sys.exit(main())
