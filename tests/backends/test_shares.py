"""The share of a precision is never made too large by what is not known."""

from __future__ import annotations

import pytest

from edgebench.backends import shares


@pytest.mark.parametrize(
    ("multiplications", "found"),
    [
        ({"int8": 75, "fp32": 25}, ("int8", 0.75)),
        ({"int8": 75.0, "": 25.0}, ("int8", 0.75)),
        ({"int8": 10, "": 90}, ("int8", 0.1)),
        ({"fp32": 0, "int8": 3}, ("int8", 1.0)),
        ({"": 90}, (None, None)),
        ({"": 0, "fp32": 0}, (None, None)),
        ({}, (None, None)),
    ],
)
def test_the_largest_known_share_of_all_multiplications(
    multiplications: dict[str, float], found: tuple[str | None, float | None]
) -> None:
    assert shares.of(multiplications) == found
