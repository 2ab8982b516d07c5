"""What an imported cell does not tell is not taken for granted, unless it is a word of our own."""

from __future__ import annotations

from edgebench.analysis import questions

MEASURED: dict[str, object] = {
    "workload": "mnist_cnn",
    "workload_version": 1,
    "batch": 1,
    "streams": 1,
    "scenario": "single_stream",
    "region": "invoke",
    "engine": "edgebench",
    "tuning": "native",
}
ASKED: dict[str, object] = {name: MEASURED[name] for name in questions.ASKED}
IMPORTED: dict[str, object] = {"workload": "mnist_cnn", "imported_from": "csv: f.csv: row 1, p50"}


def test_an_imported_cell_that_tells_what_was_asked_is_ranked_with_measured_ones() -> None:
    (together,) = questions.grouped([MEASURED, {**IMPORTED, **ASKED}])
    assert len(together) == 2
    assert questions.words(together[0]) == questions.words(together[1]) == "mnist_cnn"


def test_one_that_does_not_is_a_question_of_its_own_and_says_so() -> None:
    for name in questions.ASKED:
        row = {**IMPORTED, **ASKED, name: None}
        assert len(questions.grouped([MEASURED, row])) == 2
        assert questions.words(row) == f"mnist_cnn, imported, not told: {name}"


def test_what_it_tells_otherwise_parts_it() -> None:
    for name, value in (("tuning", "equal"), ("workload_version", 2), ("batch", 8)):
        assert len(questions.grouped([MEASURED, {**IMPORTED, **ASKED, name: value}])) == 2


def test_a_measured_cell_is_never_given_what_it_lacks() -> None:
    assert questions.key({**MEASURED, "tuning": None}) != questions.key(MEASURED)


def test_two_models_of_one_name_are_two_questions_and_the_words_tell_which() -> None:
    rows = [{**MEASURED, "source_sha256": digit * 64} for digit in "ab"]
    assert len(questions.grouped(rows)) == 2
    assert questions.names(rows) == ["mnist_cnn, model aaaaaaaa", "mnist_cnn, model bbbbbbbb"]
    assert questions.names(rows[:1]) == ["mnist_cnn"]


def test_an_imported_cell_is_of_the_only_model_of_its_name_and_of_neither_of_two() -> None:
    one, other = ({**MEASURED, "source_sha256": digit * 64} for digit in "ab")
    imported = {**IMPORTED, **ASKED}
    assert len(questions.grouped([imported, one])) == 1
    assert [len(group) for group in questions.grouped([one, imported, other])] == [1, 1, 1]
    assert questions.names([one, imported, other])[1] == "mnist_cnn, model not told"
