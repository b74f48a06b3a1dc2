"""A metric of two models in a form that can be compared instance by instance (``records/pairs.py``)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from pytest_behave.errors import BehaveError, MetricError
from pytest_behave.measure.classification import BinaryF1
from pytest_behave.measure.general import RESAMPLES_OF_CALLABLES, Custom
from pytest_behave.measure.kernel import Masks
from pytest_behave.measure.means import Mean
from pytest_behave.measure.ranking import Ranked, placements
from pytest_behave.measure.registry import Chosen, measure_figures
from pytest_behave.measure.statistics import CellFunction, Proportion
from pytest_behave.records import Outcome
from pytest_behave.records.bits import Everything
from pytest_behave.records.pairs import (
    Influences,
    PairedInfluences,
    PairedRows,
    PairedStates,
    PairedValues,
    Pairs,
)

RESAMPLES = 400  # for a standard error: its own error is then 4 percent


def paired(item: Chosen, baseline: Outcome, candidate: Outcome) -> Pairs | None:
    """Return a metric of both models, None if it does not depend on the model; raises MetricError as measuring does."""
    item.metric.check(baseline)
    item.metric.check(candidate)
    statistic: Any = item.metric.statistic(item.spec)
    if isinstance(statistic, Custom):
        return _of_custom(statistic, baseline, candidate)
    if isinstance(statistic, Proportion):
        return _of_proportion(statistic, baseline, candidate)
    if isinstance(statistic, Mean):
        return _of_mean(statistic, baseline, candidate)
    if isinstance(statistic, BinaryF1):
        statistic = statistic.function(candidate)
    if isinstance(statistic, CellFunction):
        return _of_cells(statistic, baseline, candidate)
    if isinstance(statistic, Ranked) and statistic.name == "roc_auc":
        return PairedInfluences(lambda rows: _of_areas(rows, baseline, candidate), "delong")
    if item.metric.needs == "nothing":
        return None
    return _of_estimates(item, baseline, candidate)


def _of_proportion(statistic: Proportion, baseline: Outcome, candidate: Outcome) -> Pairs:
    (hit_before, in_before), (hit_after, in_after) = statistic.planes(baseline), statistic.planes(candidate)
    return of_planes(hit_before, in_before, hit_after, in_after)


def hit_states(item: Chosen, baseline: Outcome, candidate: Outcome) -> tuple[np.ndarray, np.ndarray] | None:
    """Return whether each row is relevant (1) and a hit (2) for either model, None for what is no share of hits."""
    statistic: Any = item.metric.statistic(item.spec)
    if not isinstance(statistic, Proportion):
        return None
    (hit_before, in_before), (hit_after, in_after) = statistic.planes(baseline), statistic.planes(candidate)
    return 2 * hit_before + in_before, 2 * hit_after + in_after


def of_planes(
    hit_before: np.ndarray, in_before: np.ndarray, hit_after: np.ndarray, in_after: np.ndarray
) -> PairedValues | PairedStates:
    """Return a share of hits among relevant rows, in the form that fits: the same rows may be relevant, or not."""
    if np.array_equal(in_before, in_after):
        return PairedValues(
            np.where(in_before, hit_before, np.nan).astype(np.float64),
            np.where(in_after, hit_after, np.nan).astype(np.float64),
            binary=True,
        )
    if np.array_equal(hit_before, hit_after):
        groups = np.array([0, 0, 1, 1])  # what makes a hit is the same for both, as the target is for precision
        before, after = (2 * hit_before + relevant for relevant in (in_before, in_after))
        return PairedStates(before, after, size=4, value=_share_of_hits, groups=groups)
    before = np.where(in_before, 1 + 2 * hit_before, 0)
    after = np.where(in_after, 1 + 2 * hit_after, 0)
    return PairedStates(before, after, size=4, value=_share_of_hits, groups=np.array([0, 0, 1, 0]))


def _share_of_hits(counts: np.ndarray) -> np.ndarray:
    """Hits among relevant rows; state 1 is a miss, 3 a hit, the others do not count."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(counts[..., 3] / (counts[..., 1] + counts[..., 3]))


def _of_mean(statistic: Mean, baseline: Outcome, candidate: Outcome) -> Pairs:
    before, after = (np.asarray(statistic.values(outcome), dtype=np.float64) for outcome in (baseline, candidate))
    if np.isinf(before).any() or np.isinf(after).any():
        raise MetricError("values are infinite")
    if not statistic.root and np.array_equal(np.isnan(before), np.isnan(after)):
        return PairedValues(before, after, binary=False)

    influence = _influence_on_root if statistic.root else _influence_on_mean

    def on(rows: np.ndarray) -> Influences:
        one, other = influence(before[rows]), influence(after[rows])
        return Influences(one.value, other.value, one.rows, other.rows, min(one.n, other.n) - 1)

    return PairedInfluences(on, "delta" if statistic.root else "t")


class _Influence(NamedTuple):
    """A figure of ``n`` rows that have a value, and by how much each of all rows moves it: shape (rows,)."""

    value: float
    rows: np.ndarray
    n: int


def _influence_on_mean(values: np.ndarray) -> _Influence:
    """Return the mean of values, NaN where a row has none: such a row moves nothing."""
    present = ~np.isnan(values)
    n = int(present.sum())
    if n == 0:
        return _Influence(np.nan, np.zeros(len(values)), 0)
    mean = float(values[present].mean())
    return _Influence(mean, np.where(present, values - mean, 0.0) / n, n)


def _influence_on_root(values: np.ndarray) -> _Influence:
    """Return the square root of the mean: by the delta method a row moves it by its part in the mean / (2 root)."""
    mean = _influence_on_mean(values)
    root = float(np.sqrt(mean.value))
    return _Influence(root, mean.rows / (2 * root) if root > 0 else mean.rows, mean.n)


def _of_cells(statistic: CellFunction, baseline: Outcome, candidate: Outcome) -> Pairs:
    """Use the candidate's classes, those that only the baseline says after them."""
    names = [*candidate.classes, *(name for name in baseline.classes if name not in candidate.classes)]
    places = np.array([names.index(name) for name in baseline.classes])
    shape = (candidate.target_classes, len(names))
    target = np.asarray(candidate.target) * shape[1]

    def value(counts: np.ndarray) -> np.ndarray:
        return np.asarray(statistic.value(counts.reshape(*counts.shape[:-1], *shape)))

    return PairedStates(
        target + places[np.asarray(baseline.predicted)],
        target + np.asarray(candidate.predicted),
        size=shape[0] * shape[1],
        value=value,
        groups=np.repeat(np.arange(shape[0]), shape[1]),
        classes=tuple(names),
        known=shape[0],
    )


def _of_areas(rows: np.ndarray, baseline: Outcome, candidate: Outcome) -> Influences:
    positive = np.asarray(candidate.target)[rows] == candidate.positive
    return of_scores(np.asarray(baseline.score)[rows], np.asarray(candidate.score)[rows], positive)


def of_scores(baseline: np.ndarray, candidate: np.ndarray, positive: np.ndarray) -> Influences:
    """DeLong's placement values as influences: DeLong, DeLong & Clarke-Pearson 1988, Biometrics 44:837."""
    few = int(min(positive.sum(), (~positive).sum()))
    (before, before_rows), (after, after_rows) = (_area_influence(score, positive) for score in (baseline, candidate))
    # influence.error_of corrects for rows as a whole, DeLong for each class: take the former back
    back = np.sqrt((len(positive) - 1) / len(positive)) if len(positive) > 1 else 1.0
    return Influences(before, after, before_rows * back, after_rows * back, few - 1)


def _area_influence(score: np.ndarray, positive: np.ndarray) -> tuple[float, np.ndarray]:
    m, rest = int(positive.sum()), int((~positive).sum())
    if m == 0 or rest == 0:
        return np.nan, np.zeros(len(score))
    order = np.argsort(score)  # equal scores in any order: they have the same placement
    ranked, is_positive = score[order], positive[order]
    steps = ranked[1:] != ranked[:-1]
    groups = None if steps.all() else np.cumsum(np.r_[0, steps])
    of_positives, of_negatives = placements(is_positive, groups)
    value = float(of_positives.mean())
    rows = np.empty(len(score))
    rows[order[is_positive]] = (of_positives - value) / np.sqrt(m * max(m - 1, 1))
    rows[order[~is_positive]] = (of_negatives - value) / np.sqrt(rest * max(rest - 1, 1))
    return value, rows


def _of_custom(statistic: Custom, baseline: Outcome, candidate: Outcome) -> Pairs:
    frames = baseline.frame(), candidate.frame()
    before, after = statistic.values(frames[0]), statistic.values(frames[1])
    if before is not None and after is not None:
        binary = all(np.isin(values[~np.isnan(values)], (0, 1)).all() for values in (before, after))
        if binary and np.array_equal(np.isnan(before), np.isnan(after)):
            return PairedValues(before, after, binary=True)
        return _of_mean(Mean(lambda outcome: before if outcome is baseline else after), baseline, candidate)

    def value(frame: pd.DataFrame, rows: np.ndarray) -> float:
        try:
            return statistic.number(frame, rows)
        except MetricError:  # on resampled rows, where it may have no value
            return np.nan

    return PairedRows(lambda rows: (value(frames[0], rows), value(frames[1], rows)), RESAMPLES_OF_CALLABLES)


def _of_estimates(item: Chosen, baseline: Outcome, candidate: Outcome) -> PairedRows:
    """Any other metric of rows (average precision, ECE, quantiles, R2), measured anew on each resample."""

    def value(outcome: Outcome, rows: np.ndarray) -> float:
        part = rows_of(outcome, rows)
        found = measure_figures([item], part, Masks([Everything(len(rows))], len(rows)))[item.spec.name]
        return np.nan if isinstance(found, BehaveError) else float(found[0])

    return PairedRows(lambda rows: (value(baseline, rows), value(candidate, rows)), RESAMPLES)


def rows_of(outcome: Outcome, rows: np.ndarray) -> Outcome:
    """Return an outcome of some rows, which may repeat."""

    def taken(values: np.ndarray | None) -> np.ndarray | None:
        return None if values is None else values[rows]

    return replace(
        outcome,
        size=len(rows),
        target=taken(outcome.target),
        predicted=taken(outcome.predicted),
        score=taken(outcome.score),
        proba={name: values[rows] for name, values in outcome.proba.items()},
    )
