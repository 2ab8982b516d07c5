"""Frames between parent and worker."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebench import wire
from edgebench.errors import WireError

REPLIES: list[wire.Reply] = [wire.Progress(stage="load"), wire.Progress(stage="measure")]


@given(st.lists(st.integers(1, 40), max_size=20))
def test_frames_are_found_however_the_bytes_are_cut(cuts: list[int]) -> None:
    data = b"".join(wire.pack(reply) for reply in REPLIES)
    reader = wire.FrameReader()
    found: list[wire.Reply] = []
    for size in cuts:
        found += reader.feed(data[:size])
        data = data[size:]
    found += reader.feed(data)
    assert found == REPLIES
    assert reader.rest == 0


@given(st.binary(min_size=8, max_size=200))
def test_garbage_is_an_error_or_an_unfinished_frame_but_never_a_reply(data: bytes) -> None:
    reader = wire.FrameReader()
    try:
        replies = list(reader.feed(data))
    except WireError:
        return
    assert replies == []
    assert reader.rest


def test_a_request_survives_and_an_empty_pipe_is_told() -> None:
    request = wire.ProbeRequest(parent_pid=1, backends=("litert",))
    assert wire.read_request(io.BytesIO(wire.pack(request))) == request
    with pytest.raises(WireError, match="closed"):
        wire.read_request(io.BytesIO(b""))


def test_replies_before_garbage_still_tell_how_far_it_got() -> None:
    reader = wire.FrameReader()
    found = reader.feed(wire.pack(REPLIES[0]) + b"\xff" * 64)
    assert next(found) == REPLIES[0]
    with pytest.raises(WireError, match="garbage"):
        next(found)
