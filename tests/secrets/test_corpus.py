"""Precision and recall on the labelled corpus: 0.95 of each is the target."""

from __future__ import annotations

from tests.secrets.corpus import NEGATIVES, POSITIVES, corpus, score

TARGET = 0.95


def test_precision_and_recall() -> None:
    samples = list(corpus(1))
    assert sum(sample.secret for sample in samples) == POSITIVES >= 2_000
    assert sum(not sample.secret for sample in samples) == NEGATIVES >= 4_000
    result = score(iter(samples))
    kinds = sorted({sample.kind for sample in (*result.missed, *result.wrong)})
    assert result.recall >= TARGET, kinds
    assert result.precision >= TARGET, kinds


def test_every_place_holds_both() -> None:
    samples = list(corpus(3, 400, 400))
    places = {sample.place for sample in samples}
    assert places == {sample.place for sample in samples if sample.secret} == {s.place for s in samples if not s.secret}
    assert len(places) == 17
