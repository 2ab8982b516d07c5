"""What of a hostile name would act in CSV, JSON, Markdown, the terminal and pictures."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import pty
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from hostile_plant import CALL, NAMES
from verdict import Verdict

from edgebench.report.columns import COLUMNS

RAW = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""Characters that steer: all control characters but the end of a line, and those of direction."""
FORMULA = re.compile(r"\s*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
KINDS = {column.name: column.kind for column in COLUMNS}
CHARTS = ("heat-map", "stages")
"""Pictures in which names stand as labels, titles and legends; others have many panels."""
BESIDE = {"script", "foreignObject", "image", "a", "iframe", "use", "animate", "set", "style"}
"""Elements of SVG that act, or fetch something."""
PNG = (b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82")
"""How each begins and ends."""


def edgebench(*arguments: str, codes: Sequence[int] = (0,)) -> str:
    """What the command writes to either of its outputs."""
    command = [sys.executable, "-m", "edgebench.cli.main", *arguments]
    done = subprocess.run(command, capture_output=True, check=False, cwd=tempfile.gettempdir())
    if done.returncode not in codes or b"Traceback" in done.stderr:
        raise SystemExit(f"FAIL  {arguments[0]}: {done.stderr.decode()[-2000:]!r}")
    return (done.stdout or done.stderr).decode()


def terminal(*arguments: str, codes: Sequence[int] = (0,)) -> str:
    """What a person sees in a terminal that is told to have no colours of its own."""
    ours, theirs = pty.openpty()
    plain = {"NO_COLOR": "1", "TERM": "dumb", "COLUMNS": "120"}
    done = subprocess.Popen(
        [sys.executable, "-m", "edgebench.cli.main", *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, **plain},
        cwd=tempfile.gettempdir(),
    )
    os.close(theirs)
    seen = b""
    with contextlib.suppress(OSError):  # what reading ends with once the other side is closed
        while part := os.read(ours, 1 << 16):
            seen += part
    os.close(ours)
    if done.wait() not in codes or b"Traceback" in seen:
        raise SystemExit(f"FAIL  {arguments[0]}: {seen[-2000:]!r}")
    return seen.decode().replace("\r\n", "\n")


def steering(text: str) -> int:
    """Characters that steer a terminal or turn the direction of writing."""
    return len(RAW.findall(text))


def running(text: str) -> int:
    """Fields of a CSV that a spreadsheet would run; figures are none."""
    head, *lines = csv.reader(io.StringIO(text))
    if not lines or any(len(line) != len(head) for line in lines):
        raise SystemExit("FAIL  the CSV cannot be read")
    words = [n for n, name in enumerate(head) if KINDS.get(name, "str") == "str"]
    fields = [line[n] for line in lines for n in words]
    return sum(bool(FORMULA.match(field)) and not _number(field) for field in fields)


def _number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return field == field.strip() and field not in NAMES


def acting(text: str) -> int:
    """What Markdown would act on outside of code: markup, mentions, links."""
    bare = re.sub(r"`[^`\n]*`", "", text)
    ours = re.sub(r"</?(?:details|summary)>", "", bare)
    return len(re.findall(r"[<@]|\]\(|javascript:", ours))


def lacking(text: str, *, lines: bool) -> int:
    """Names that JSON does not give back as they were planted."""
    found = [json.loads(line) for line in (text.splitlines() if lines else [text])]
    told = set(_strings(found))
    return sum(name not in told for name in NAMES)


def _strings(value: Any) -> Iterator[str]:  # noqa: ANN401 - JSON
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)


def judge_texts(verdict: Verdict, results: Path, planted: str) -> None:
    """Every form but the page."""
    where = str(results)
    two = [str(one) for one in sorted(results.glob("run*"))]
    raw = "\n".join(NAMES) if planted else ""
    either = (0, 1)  # 1: a limit is broken, or nothing keeps it
    raw_csv = "".join(f'"{name.replace(chr(34), chr(39))}"\n' for name in NAMES)

    def check(what: str, count: int) -> None:
        verdict.check(what, str(count), "0", passed=count == 0)

    for words in (["report", where], ["recommend", "--all", where], ["compare", *two]):
        text = terminal(*words, codes=either)
        check(f"terminal, {words[0]}: characters that steer", steering(text + raw))
    check("terminal, history: characters that steer", steering(terminal("history", where) + raw))
    for words in (["report", where], ["recommend", "--all", where], ["compare", *two]):
        text = edgebench(*words, "--csv", "-", codes=either)
        check(f"CSV of {words[0]}: fields that run", running(raw_csv if planted else text))
        check(f"CSV of {words[0]}: characters that steer", steering(text + raw))
    for words in (["report", where], ["recommend", "--all", where]):
        text = edgebench(*words, "--json", codes=either)
        check(f"JSON of {words[0]}: characters that steer", steering(text + raw))
        check(f"JSON of {words[0]}: names lost", lacking("{}" if planted else text, lines=False))
    text = edgebench("export", "jsonl", where)
    check("JSON Lines: characters that steer", steering(text + raw))
    check("JSON Lines: names lost", lacking("{}" if planted else text, lines=True))
    for words in (["export", "markdown", where], ["recommend", where], ["compare", *two]):
        more = [] if words[0] == "export" else ["--markdown"]
        text = edgebench(*words, *more, codes=either)
        check(f"Markdown of {words[0]}: characters that steer", steering(text + raw))
        check(f"Markdown of {words[0]}: what it would act on", acting(text + raw))


def fetching(text: str) -> int:
    """What a picture would run or ask for; one that is no XML is one too."""
    if "<!" in text:
        return 1  # its own entities
    try:
        parts = list(ET.fromstring(text).iter())  # noqa: S314 - without entities
    except ET.ParseError:
        return 1
    found = sum(part.tag.rpartition("}")[2] in BESIDE for part in parts)
    for name, value in (pair for part in parts for pair in part.attrib.items()):
        bare = name.rpartition("}")[2]
        found += bare.startswith("on") or (bare in {"href", "src"} and not value.startswith("#"))
        found += bool(re.search(r"url\((?!['\"]?#)|@import", value))
    return found


def judge_pictures(verdict: Verdict, results: Path, folder: Path, planted: str) -> None:
    """Pictures hold the names as text alone."""
    words = []
    for chart in CHARTS:
        for kind in ("svg", "png"):
            words += [f"--{kind}", f"{chart}={folder / chart}.{kind}"]
    edgebench("report", str(results), *words)
    shown = 0
    for chart in CHARTS:
        text = (folder / f"{chart}.svg").read_text(encoding="utf-8")
        if planted:
            text = text.replace("</svg>", f"<text>{NAMES[0]}{NAMES[6]}</text></svg>")
        acts = fetching(text)
        verdict.check(f"SVG {chart}: what runs or fetches", str(acts), "0", passed=not acts)
        steers = steering(text)
        verdict.check(f"SVG {chart}: characters that steer", str(steers), "0", passed=not steers)
        data = (folder / f"{chart}.png").read_bytes()
        whole = data.startswith(PNG[0]) and data.endswith(PNG[1])
        verdict.check(f"PNG {chart}", f"{len(data)} bytes", "a whole PNG", passed=whole)
        shown += text.count(CALL[:12])
    verdict.check("SVG: hostile names shown as text", str(shown), ">= 1", passed=shown > 0)
