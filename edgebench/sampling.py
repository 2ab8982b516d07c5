"""What a runner and its sampler say to each other: a line of JSON a message.

The sampler (``python -m edgebench.meters.sampler``) reads `Open` once, then `Begin` and `Halt` in
turn, and answers the first with `Opened` and every `Halt` with `Taken`.
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from edgebench import codec
from edgebench.errors import WireError
from edgebench.metering import Channel, Series
from edgebench.protocols import Probe

RATE_HZ = 10.0
"""How often a meter is read unless more is asked for, or its sensor has no new value so often."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """A meter to open."""

    name: str
    """Its entry point's, or MODULE:CLASS."""
    arguments: dict[str, Any] = {}
    """For its class; meters of an entry point take none."""
    called: str = ""
    """What its readings are filed under; its name where empty."""

    @property
    def filed(self) -> str:
        """Under which name; no two of a run have the same."""
        return self.called or self.name


class Open(msgspec.Struct, frozen=True, kw_only=True, tag="open"):
    """Runner to sampler: look for these meters."""

    parent_pid: int
    meters: tuple[Wanted, ...]
    root: str = "/"
    rate_hz: float = RATE_HZ


class Begin(msgspec.Struct, frozen=True, kw_only=True, tag="begin"):
    """Runner to sampler: read these meters from now on."""

    meters: tuple[str, ...]
    """As they are filed."""
    cpus: tuple[int, ...] = ()
    """Where to run, away from what is measured; empty: anywhere."""


class Halt(msgspec.Struct, frozen=True, tag="halt"):
    """Runner to sampler: read once more, then tell."""


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one meter that was wanted."""

    probe: Probe
    """Bears the name that it is filed under."""
    channels: tuple[Channel, ...] = ()


class Opened(msgspec.Struct, frozen=True, kw_only=True, tag="opened"):
    """Sampler to runner: what can be read here, in the order asked for."""

    meters: tuple[Found, ...]


class Taken(msgspec.Struct, frozen=True, kw_only=True, tag="taken"):
    """Sampler to runner: the readings since `Begin`."""

    series: tuple[Series, ...]
    caveats: tuple[str, ...] = ()
    """What meters have to say of their readings (`take_caveats`, where one has it)."""
    lost: dict[str, str] = {}
    """Meters that fell ill, and of what; none of their channels is in ``series``."""


Order = Open | Begin | Halt
Answer = Opened | Taken

_encoder = msgspec.json.Encoder(enc_hook=codec.encode_hook)
_orders: msgspec.json.Decoder[Order] = msgspec.json.Decoder(
    Open | Begin | Halt, dec_hook=codec.decode_hook
)
_answers: msgspec.json.Decoder[Answer] = msgspec.json.Decoder(
    Opened | Taken, dec_hook=codec.decode_hook
)
_Message = TypeVar("_Message")


def pack(message: Order | Answer) -> bytes:
    """A message as a line."""
    return _encoder.encode(message) + b"\n"


def read_order(line: bytes) -> Order:
    """What the runner said.

    Raises:
        WireError: The line is something else.
    """
    return _decode(_orders, line)


def read_answer(line: bytes) -> Answer:
    """What the sampler said.

    Raises:
        WireError: As `read_order`.
    """
    return _decode(_answers, line)


def _decode(decoder: msgspec.json.Decoder[_Message], line: bytes) -> _Message:
    try:
        return decoder.decode(line)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise WireError(f"not a message: {error}") from None
