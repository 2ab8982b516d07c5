"""TensorFlow, imported without what computing needs none of.

Its import tries Keras, and Keras tries scikit-learn and matplotlib where they are installed: that
doubles the time, leaves semaphores, and writes caches into the home folder. urllib3, which it
imports too, opens a socket to see whether IPv6 is there.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from collections.abc import Iterator

_KERAS = "keras"


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """For the first import of TensorFlow; ``tf.keras`` still comes where it is asked for."""
    socket.has_ipv6 = False
    os.environ.setdefault("KERAS_HOME", os.devnull)  # else it writes a settings file into the home
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # errors stay
    here = _KERAS in sys.modules
    if not here:
        sys.modules[_KERAS] = None  # type: ignore[assignment] # its import now fails
    try:
        yield
    finally:
        if not here:
            del sys.modules[_KERAS]
