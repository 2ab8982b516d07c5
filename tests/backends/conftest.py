"""Backends that the development extra leaves out are skipped where they are missing."""

from __future__ import annotations

import pytest

from edgebench import plugins

LEFT_OUT = frozenset({"tensorflow"})
"""Of [dev], for their size; CI installs them before it runs these tests again."""


@pytest.fixture(autouse=True)
def _installed(request: pytest.FixtureRequest) -> None:
    callspec = getattr(request.node, "callspec", None)
    name = callspec.params.get("backend_name") if callspec else None
    if name in LEFT_OUT and not (probe := plugins.probe_backend(name)).available:
        pytest.skip(f"{probe.reason}: {probe.remedy}")
