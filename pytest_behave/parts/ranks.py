"""ROC AUC of two models over a dataset in parts: values from counts of scores, the error of the change from a sample."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pytest_behave.compare.paired import Margin, Paired, compare_influences
from pytest_behave.compare.samples import Ranks, Sample, sample_of
from pytest_behave.measure.kernel import Masks
from pytest_behave.measure.paired import of_scores
from pytest_behave.measure.registry import Chosen, measure_states
from pytest_behave.records import Outcome
from pytest_behave.records.bits import packed
from pytest_behave.records.pairs import Influences


def ranks_of(chosen: Chosen, sides: tuple[Outcome, Outcome], hashes: np.ndarray, slices: Sequence[np.ndarray]) -> Ranks:
    """Return the order of the scores of baseline and candidate on each slice (row numbers)."""
    size = sides[0].size
    masks = Masks([packed(np.bincount(rows, minlength=size) > 0) for rows in slices], size)
    before, after = (measure_states([chosen], side, masks)[chosen.spec.name] for side in sides)
    is_positive = np.asarray(sides[1].target) == sides[1].positive
    scores = [np.asarray(side.score) for side in sides]

    def sample(rows: np.ndarray) -> Sample:
        return sample_of(hashes[rows], scores[0][rows], scores[1][rows])

    samples = ((sample(rows[~is_positive[rows]]), sample(rows[is_positive[rows]])) for rows in slices)
    return Ranks(before, after, tuple(samples))


def compared_ranks(chosen: Chosen, ranks: Ranks, margins: Sequence[Margin], worse: int) -> list[Paired]:
    """Compare the metric on each slice."""
    statistic: Any = chosen.metric.statistic(chosen.spec)
    before, after = (statistic.figures(side).tolist() for side in (ranks.before, ranks.after))
    off = _errors(statistic, ranks).tolist()
    results = []
    for one, other, samples, margin, error in zip(before, after, ranks.samples, margins, off, strict=True):
        found, n = _influences(one, other, *samples), sum(sample.rows for sample in samples)
        results.append(compare_influences(found, n, margin, worse, "delong", off=error))
    return results


def are_exact(chosen: Chosen, ranks: Ranks) -> bool:
    """Tell whether no slice's value is off by the width of a bin of scores."""
    return not _errors(chosen.metric.statistic(chosen.spec), ranks).any()


def _errors(statistic: Any, ranks: Ranks) -> np.ndarray:
    return np.asarray(statistic.errors(ranks.before) + statistic.errors(ranks.after))


def _influences(before: float, after: float, negatives: Sample, positives: Sample) -> Influences:
    """Return values, and the influences of the rows in a sample as if they were those of as many rows as there are."""
    samples = (negatives, positives)
    found = of_scores(
        np.concatenate([sample.before for sample in samples]),
        np.concatenate([sample.after for sample in samples]),
        np.repeat([False, True], [len(sample.hashes) for sample in samples]),
    )
    share = np.concatenate(
        [np.full(len(sample.hashes), np.sqrt(len(sample.hashes) / max(sample.rows, 1))) for sample in samples]
    )
    return Influences(before, after, share * found.baseline_rows, share * found.candidate_rows, found.freedom)
