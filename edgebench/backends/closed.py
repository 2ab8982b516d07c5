"""What ``invoke`` is once a session is closed: the runtime's own call would use what is gone."""

from __future__ import annotations

from edgebench.errors import ModelRefusedError


def closed() -> None:
    """Refuse."""
    raise ModelRefusedError("the session is closed")
