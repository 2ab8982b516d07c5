"""The converter's process: ``python -m edgebench.derive.child``, one job from stdin."""

from __future__ import annotations

import os
import sys
import uuid
from pathlib import Path

import msgspec

from edgebench.derive import contract, onnx_sizes
from edgebench.derive.confine import block_network
from edgebench.derive.contract import Job
from edgebench.errors import EdgebenchError
from edgebench.host import process

REPLY = "reply.json"


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a job; written beside the target's folder."""

    network: str
    fault: str = ""


def _refuse_shells(event: str, _: tuple[object, ...]) -> None:
    """No converter of ours needs a shell; a package that wants one wants to install something."""
    if event == "os.system":
        raise PermissionError("a converter may not call a shell")


def main() -> None:
    """Convert, then tell how it went; stdout and stderr belong to the converter."""
    job = msgspec.json.decode(sys.stdin.buffer.read(), type=Job)
    process.die_with_parent(job.parent_pid)
    sys.addaudithook(_refuse_shells)
    # Its own asks the network's card for its address, by a socket.
    uuid.uuid1 = lambda *_: uuid.uuid4()
    network = block_network()
    reply = Reply(network=network)
    try:
        contract.scratch(job).mkdir()
        if job.source_format == "onnx":
            job = onnx_sizes.settled(job)
        contract.load(job.converter).convert(job)
    except Exception as error:  # noqa: BLE001 - whatever a converter raises is its answer
        words = " ".join(str(error).split()) or "no message"
        kind = "" if isinstance(error, EdgebenchError) else f"{type(error).__name__}: "
        reply = Reply(network=network, fault=f"{kind}{words}")
    path = Path(job.target).parent.with_name(REPLY)
    path.write_bytes(msgspec.json.encode(reply))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # some libraries crash in their destructors


if __name__ == "__main__":
    main()
