"""Top-1 lost against fp32: against whose, on which images, and how sure."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from edgebench.records import Accuracy, Case, Manifest, Parity, Record
from edgebench.report import rows
from edgebench.report.rows import Row
from edgebench.samples import deflate_bits

N = 1000


def accuracy(wrong: set[int], *, kept: bool = True, source: str = "digits") -> Accuracy:
    hits = deflate_bits(index not in wrong for index in range(N)) if kept else None
    return Accuracy(samples=N, correct=N - len(wrong), source=source, hits=hits)


@pytest.fixture
def table(
    case: Callable[..., Case], record: Callable[..., Record], manifest: Callable[..., Manifest]
) -> Callable[..., list[Row]]:
    """Rows of cases that were judged: ``table((fields of the case, accuracy), ...)``."""

    def make(*judged: tuple[dict[str, object], Accuracy | None]) -> list[Row]:
        cases = [case(**fields) for fields, _ in judged]
        made = [record(one, accuracy=found) for one, (_, found) in zip(cases, judged, strict=True)]
        return rows.of_records(manifest(*cases, launches=1), made)

    return make


def test_a_loss_has_its_pairs_its_interval_and_its_p_value(
    table: Callable[..., list[Row]],
) -> None:
    full, small = table(
        ({}, accuracy({1, 2, 3})), ({"precision": "int8"}, accuracy({3, 4, 5, 6, 7, 8}))
    )
    assert (small["top1_lost_samples"], small["top1_won_samples"]) == (5, 2)
    assert small["top1_loss_ratio"] == pytest.approx(0.003)
    low, high = small["top1_loss_lo_ratio"], small["top1_loss_hi_ratio"]
    assert isinstance(low, float)
    assert isinstance(high, float)
    assert -0.01 < low < 0
    assert 0.003 < high < 0.01
    assert small["top1_mcnemar_p"] == pytest.approx(2 * 29 / 128 - 21 / 128)
    assert small["top1_loss_against"] == "onnxruntime"
    assert full["top1_loss_ratio"] == 0
    assert full["top1_mcnemar_p"] is None  # a cell is no pair with itself


def test_fp32_is_the_backends_own_where_it_has_one(table: Callable[..., list[Row]]) -> None:
    *_, int8 = table(
        ({}, accuracy({1})),
        ({"backend": "litert"}, accuracy({1, 2})),
        ({"backend": "litert", "precision": "int8"}, accuracy({1, 2, 3})),
    )
    assert (int8["top1_loss_against"], int8["top1_lost_samples"]) == ("litert", 1)


def test_a_backend_without_fp32_is_held_against_the_first_one_that_has_it(
    table: Callable[..., list[Row]],
) -> None:
    *_, int8 = table(
        ({}, accuracy({1})),
        ({"backend": "litert"}, accuracy({1, 2})),
        ({"backend": "edge-impulse", "precision": "int8"}, accuracy({1, 2, 3})),
    )
    assert (int8["top1_loss_against"], int8["top1_lost_samples"]) == ("onnxruntime", 2)


def test_a_backend_that_answers_wrongly_is_nobody_elses_reference(
    case: Callable[..., Case], record: Callable[..., Record], manifest: Callable[..., Manifest]
) -> None:
    wrong = Parity(samples=64, cosine=0.5, max_abs_error=1.0, top1_ratio=0.5)
    cases = [case(), case(backend="litert"), case(backend="edge-impulse", precision="int8")]
    made = [
        record(cases[0], accuracy=accuracy(set(range(500))), parity=wrong),
        record(cases[1], accuracy=accuracy({1})),
        record(cases[2], accuracy=accuracy({1, 2, 3})),
    ]
    int8 = rows.of_records(manifest(*cases, launches=1), made)[-1]
    assert (int8["top1_loss_against"], int8["top1_lost_samples"]) == ("litert", 2)


def test_other_images_give_no_loss(table: Callable[..., list[Row]]) -> None:
    _, int8 = table(({}, accuracy({1})), ({"precision": "int8"}, accuracy({1}, source="other")))
    assert int8["top1_loss_ratio"] is None
    assert int8["top1_mcnemar_p"] is None


def test_records_without_hits_still_have_their_loss(table: Callable[..., list[Row]]) -> None:
    _, int8 = table(
        ({}, accuracy({1}, kept=False)), ({"precision": "int8"}, accuracy({1, 2}, kept=True))
    )
    assert int8["top1_loss_ratio"] == pytest.approx(0.001)
    assert int8["top1_mcnemar_p"] is int8["top1_lost_samples"] is None
