"""What is written can be read, and what was damaged is noticed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebench import codec, records
from edgebench.errors import StoreError
from edgebench.records import Accuracy, Case, Manifest, Record
from edgebench.samples import Samples, deflate_bits, inflate_bits

series = st.lists(st.integers(0, 2**64 - 1), max_size=300).map(Samples)


@given(series)
def test_samples_survive_the_way_to_text_and_back(samples: Samples) -> None:
    assert Samples.decode(samples.encode()) == samples
    assert Samples.from_bytes(samples.tobytes()) == samples


@given(st.text(max_size=100))
def test_any_other_text_is_no_series_and_says_so(text: str) -> None:
    try:
        Samples.decode(text)
    except ValueError as error:
        assert "sample series" in str(error)  # noqa: PT017 - either outcome is right


def test_a_bomb_is_refused_before_it_fills_memory() -> None:
    import base64
    import zlib

    bomb = base64.b64encode(zlib.compress(bytes(1 << 28), 1)).decode()
    with pytest.raises(ValueError, match="too long"):
        Samples.decode(bomb)


@given(st.lists(st.booleans(), max_size=300))
def test_bits_survive_the_way_to_bytes_and_back(answers: list[bool]) -> None:
    packed = deflate_bits(answers)
    bits = inflate_bits(packed, len(answers))
    assert [bool(bits >> index & 1) for index in range(len(answers))] == answers
    for count in (len(answers) + 8, len(answers) - 8, -1, 1 << 60):
        with pytest.raises(ValueError, match="bits"):
            inflate_bits(packed, count)


def test_the_hits_of_10000_images_are_small() -> None:
    import random

    drawn = random.Random(1)  # noqa: S311 - no secret
    assert len(deflate_bits(drawn.random() < 0.75 for _ in range(10_000))) < 1400
    assert len(deflate_bits(drawn.random() < 0.99 for _ in range(10_000))) < 250


def test_hits_travel_with_a_record_and_older_records_have_none(
    case: Callable[..., Case], record: Callable[..., Record]
) -> None:
    hits = deflate_bits([True, False, True])
    one = record(case(), accuracy=Accuracy(samples=3, correct=2, source="x", hits=hits))
    body = codec.encode_record(one)
    assert codec.decode_record(body) == one
    plain = json.loads(body)
    del plain["accuracy"]["hits"]
    older = codec.decode_record(json.dumps(plain).encode()).accuracy
    assert older == Accuracy(samples=3, correct=2, source="x")


@pytest.mark.parametrize(
    "hits",
    [
        deflate_bits([True, True, True]),
        deflate_bits([True, False, True, *[False] * 8]),
        deflate_bits([False, False, False, True, True]),
        deflate_bits([True] * 1_000_000),
        deflate_bits([True, True, False])[:-1],
        deflate_bits([True, True, False]) + b"more",
        b"no zlib",
    ],
    ids=["other sum", "longer", "bits past the end", "bomb", "cut", "more behind", "garbage"],
)
def test_hits_that_do_not_add_up_are_a_damaged_record(
    case: Callable[..., Case], record: Callable[..., Record], hits: bytes
) -> None:
    import base64

    good = Accuracy(samples=3, correct=2, source="x", hits=deflate_bits([True, True, False]))
    plain = json.loads(codec.encode_record(record(case(), accuracy=good)))
    plain["accuracy"]["hits"] = base64.b64encode(hits).decode()
    with pytest.raises(StoreError, match="not a record"):
        codec.decode_record(json.dumps(plain).encode())


def test_a_case_id_depends_on_every_field(case: Callable[..., Case]) -> None:
    base = case()
    changed = {
        "workload": "other",
        "workload_version": 2,
        "source_sha256": "1" * 64,
        "backend": "litert",
        "format": "tflite",
        "precision": "int8",
        "model_precision": "fp16",
        "accelerator": "gpu",
        "threads": 2,
        "batch": 8,
        "streams": 2,
        "scenario": "offline",
        "region": "e2e",
        "engine": "loadgen",
        "tuning": "equal",
        "parameters": {"rate_hz": 30.0},
        "image_sha256": "1" * 64,
        "options": {"a": "b"},
    }
    assert set(changed) == set(Case.__struct_fields__)
    ids = {case(**{key: value}).case_id for key, value in changed.items()}
    assert len(ids | {base.case_id}) == len(changed) + 1
    assert base.case_id == "2c9e8bc7b9c7"  # ids of stored runs stay, whatever fields cases get
    assert case(options={"a": "1", "b": "2"}).case_id == case(options={"b": "2", "a": "1"}).case_id


def test_a_line_survives_and_every_cut_and_every_flip_is_noticed(
    case: Callable[..., Case], record: Callable[..., Record]
) -> None:
    one = record(case())
    line = codec.encode_line(one)
    assert codec.decode_line(line) == one
    for cut in range(len(line) - 1):
        if line[:cut].strip():
            with pytest.raises(StoreError):
                codec.decode_line(line[:cut])
    for position in range(len(line) - 1):
        for bit in (1, 128):
            flipped = bytearray(line)
            flipped[position] ^= bit
            try:
                assert codec.decode_line(bytes(flipped)) == one
            except StoreError:
                continue


@pytest.mark.parametrize(
    "line", [b"[" * 100_000, b'{"crc32": NaN}', b"{}", b"\xff\xfe", b'{"crc32": 1, "record": 7}']
)
def test_hostile_lines_are_refused(line: bytes) -> None:
    with pytest.raises(StoreError):
        codec.decode_line(line)


def test_a_newer_schema_is_refused_with_what_to_do(
    case: Callable[..., Case],
    record: Callable[..., Record],
    manifest: Callable[..., Manifest],
) -> None:
    newer = records.SCHEMA_VERSION + 1
    with pytest.raises(StoreError, match="upgrade"):
        codec.decode_line(codec.encode_line(record(case(), schema_version=newer)))
    with pytest.raises(StoreError, match="upgrade"):
        codec.decode_manifest(codec.encode_manifest(manifest(schema_version=newer)))


def test_a_manifest_survives(case: Callable[..., Case], manifest: Callable[..., Manifest]) -> None:
    one = manifest(case())
    assert codec.decode_manifest(codec.encode_manifest(one)) == one


def test_json_schemas_can_be_made_for_what_is_stored() -> None:
    schema = msgspec.json.schema(
        Manifest, schema_hook=lambda kind: {"type": "string"} if kind is Samples else {}
    )
    assert schema["$defs"]["Case"]


SCHEMAS = Path(__file__).resolve().parent.parent / "reports" / "schema"


def test_the_schemas_that_ship_are_those_of_the_structs() -> None:
    """Write them anew with: for name, text in json_schemas().items(): write it to the folder."""
    made = codec.json_schemas()
    assert {path.name for path in SCHEMAS.iterdir()} == set(made)
    for name, text in made.items():
        assert json.loads((SCHEMAS / name).read_bytes()) == json.loads(text), f"{name} is stale"


def test_a_schema_names_every_stored_field(
    record: Callable[..., Record], case: Callable[..., Case]
) -> None:
    shipped = json.loads((SCHEMAS / "record.schema.json").read_bytes())["$defs"]["Record"]
    stored = json.loads(codec.encode_record(record(case())))
    assert set(stored) == set(shipped["properties"])
    assert isinstance(stored["latency_ns"], str)
    assert shipped["properties"]["latency_ns"]["type"] == "string"
