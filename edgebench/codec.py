"""Records, manifests and their lines as bytes, and back; a checksum guards every record."""

from __future__ import annotations

import json
import zlib
from typing import Any

import msgspec

from edgebench.errors import StoreError
from edgebench.imports import Import
from edgebench.metering import Attached
from edgebench.records import SCHEMA_VERSION, Manifest, Record
from edgebench.samples import Samples


def encode_hook(value: object) -> object:
    """For msgspec encoders: a `Samples` series as text."""
    if isinstance(value, Samples):
        return value.encode()
    raise NotImplementedError(f"cannot store {type(value).__name__}")


def decode_hook(kind: type, value: object) -> object:
    """For msgspec decoders: a `Samples` series from text."""
    if kind is Samples and isinstance(value, str):
        return Samples.decode(value)
    raise NotImplementedError(f"cannot read {kind.__name__}")


_encoder = msgspec.json.Encoder(enc_hook=encode_hook)
_record_decoder = msgspec.json.Decoder(Record, dec_hook=decode_hook)
_attached_decoder = msgspec.json.Decoder(Attached, dec_hook=decode_hook)


class _Line(msgspec.Struct):
    crc32: int
    record: msgspec.Raw


class _Version(msgspec.Struct):
    schema_version: int = SCHEMA_VERSION


_version_decoder = msgspec.json.Decoder(_Version)
_line_decoder = msgspec.json.Decoder(_Line)


def to_builtins(value: object) -> Any:  # noqa: ANN401 - whatever the struct holds
    """A struct as plain dicts, lists and numbers."""
    return msgspec.to_builtins(value, enc_hook=encode_hook)


def encode_record(record: Record) -> bytes:
    """A record as JSON."""
    return _encoder.encode(record)


def decode_record(data: bytes) -> Record:
    """A record from JSON.

    Raises:
        StoreError: The bytes are no record, or one of a newer schema.
    """
    try:
        # First the version alone: a newer record's fields may mean nothing here.
        check_schema(_version_decoder.decode(data).schema_version, "record")
        return _record_decoder.decode(data)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise StoreError(f"not a record: {error}") from None


def encode_line(record: Record) -> bytes:
    """A journal line: the record's JSON beside the CRC-32 of exactly those bytes."""
    return _sealed(encode_record(record))


def _sealed(body: bytes) -> bytes:
    return b'{"crc32": %d, "record": %s}\n' % (zlib.crc32(body), body)


def decode_line(line: bytes) -> Record:
    """The record of a journal line.

    Raises:
        StoreError: The line was cut, changed, or comes from a newer edgebench.
    """
    return decode_record(_unsealed(line))


def encode_attached(attached: Attached) -> bytes:
    """A line of attached readings, guarded as a journal's."""
    return _sealed(_encoder.encode(attached))


def decode_attached(line: bytes) -> Attached:
    """The readings of such a line.

    Raises:
        StoreError: The line was cut, changed, or comes from a newer edgebench.
    """
    try:
        return _attached_decoder.decode(_unsealed(line))
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise StoreError(f"not readings: {error}") from None


def _unsealed(line: bytes) -> bytes:
    try:
        parts = _line_decoder.decode(line)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise StoreError("cut or damaged line") from None
    body = bytes(parts.record)
    if zlib.crc32(body) != parts.crc32:
        raise StoreError("checksum does not match")
    return body


def check_schema(version: int, what: str) -> None:
    """Refuse what a newer edgebench wrote.

    Raises:
        StoreError: ``version`` is newer than this package knows.
    """
    if version > SCHEMA_VERSION:
        raise StoreError(
            f"{what} has schema version {version}, this edgebench reads up to {SCHEMA_VERSION}",
            remedy="upgrade edgebench",
        )


def encode_manifest(manifest: Manifest) -> bytes:
    """``run.json`` as indented JSON."""
    return msgspec.json.format(_encoder.encode(manifest), indent=1) + b"\n"


def decode_manifest(data: bytes) -> Manifest:
    """``run.json`` read back.

    Raises:
        StoreError: Not a manifest, or one of a newer schema.
    """
    try:
        version = msgspec.json.decode(data, type=dict[str, Any]).get("schema_version")
        if isinstance(version, int):
            check_schema(version, "run.json")
        return msgspec.json.decode(data, type=Manifest)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise StoreError(f"run.json is damaged: {error}") from None


def encode_import(imported: Import) -> bytes:
    """``import.json`` as indented JSON."""
    return msgspec.json.format(_encoder.encode(imported), indent=1) + b"\n"


def decode_import(data: bytes) -> Import:
    """``import.json`` read back.

    Raises:
        StoreError: Not an import, or one of a newer schema.
    """
    try:
        check_schema(_version_decoder.decode(data).schema_version, "import.json")
        return msgspec.json.decode(data, type=Import)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise StoreError(f"import.json is damaged: {error}") from None


def json_schemas() -> dict[str, bytes]:
    """JSON Schema of what a run folder holds, by file name: for readers without this package."""
    kinds = {
        "record.schema.json": Record,
        "run.schema.json": Manifest,
        "readings.schema.json": Attached,
        "import.schema.json": Import,
    }
    return {
        name: json.dumps(msgspec.json.schema(kind, schema_hook=_schema_hook), indent=1).encode()
        + b"\n"
        for name, kind in kinds.items()
    }


def _schema_hook(kind: type) -> dict[str, Any]:
    if kind is Samples:
        words = "uint64 little-endian, byte-shuffled, zlib, base64"
        return {"type": "string", "contentEncoding": "base64", "description": words}
    raise NotImplementedError(f"no schema for {kind.__name__}")
