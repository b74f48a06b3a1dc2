"""Metrics of scores: ROC AUC with DeLong's interval, average precision, expected calibration error."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pytest_behave.measure import intervals
from pytest_behave.measure.kernel import Masks
from pytest_behave.records import Estimate, Outcome

ONE_CLASS = "the slice has only one class"


@dataclass(frozen=True)
class Ranked:
    """A metric of rows in the order of their scores: sorted once, each slice takes its part of the order."""

    name: str

    def estimates(self, outcome: Outcome, masks: Masks) -> list[Estimate]:
        """Return the metric on each slice."""
        score = np.asarray(outcome.score, dtype=np.float64)
        order = np.argsort(score, kind="stable")
        ordered = score[order]
        positive = (np.asarray(outcome.target) == outcome.positive)[order]
        groups = np.cumsum(np.r_[False, ordered[1:] != ordered[:-1]])
        compute = {"roc_auc": _auc, "average_precision": _average_precision}[self.name]
        estimates = []
        for index in range(len(masks)):
            rows = np.flatnonzero(masks.bools(index)[order])
            estimates.append(compute(positive[rows], groups[rows]))
        return estimates


def _tie_ends(groups: np.ndarray) -> np.ndarray:
    """Return the last place of each run of equal scores."""
    return np.flatnonzero(np.r_[groups[1:] != groups[:-1], True])


def _auc(positive: np.ndarray, groups: np.ndarray) -> Estimate:
    n, m = len(positive), int(positive.sum())
    if m in (0, n):
        return Estimate(None, None, None, n, ONE_CLASS)
    below_positive, below_negative = placements(positive, groups)
    value = float(below_positive.mean())
    variance = _variance(below_positive) / m + _variance(below_negative) / (n - m)
    if variance <= 0 or value in (0.0, 1.0):
        low, high = intervals.wilson(value * min(m, n - m), min(m, n - m))
        return Estimate(value, float(low), float(high), n, interval="wilson on the smaller class")
    low, high = intervals.logit(np.float64(value), np.sqrt(variance))
    return Estimate(value, float(low), float(high), n, interval="delong, logit scale")


def placements(positive: np.ndarray, groups: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return DeLong's placement values of the positives and of the negatives, rows in rising order of score.

    DeLong, DeLong & Clarke-Pearson 1988, Biometrics 44:837; ties count one half. O(n) once the scores are sorted.
    """
    n, m = len(positive), int(positive.sum())
    negatives_up_to = np.cumsum(~positive)
    if groups[0] == groups[-1] or len(_tie_ends(groups)) < n:
        ends = _tie_ends(groups)
        lengths = np.diff(np.r_[-1, ends])
        last = negatives_up_to[ends]
        before = np.r_[0, last[:-1]]
        negatives_below = np.repeat((before + last) / 2, lengths)
        starts = np.r_[0, ends[:-1] + 1]
        places = np.repeat(ends + 1, lengths), np.repeat(starts, lengths)
        positives_below = (places[0] + places[1]) / 2 - negatives_below
    else:
        negatives_below = negatives_up_to.astype(np.float64)
        positives_below = np.arange(1, n + 1) - negatives_below
    above_negative = (m - positives_below[~positive]) / m
    return negatives_below[positive] / (n - m), above_negative


def _variance(values: np.ndarray) -> float:
    return float(values.var(ddof=1)) if len(values) > 1 else 0.0


def _average_precision(positive: np.ndarray, groups: np.ndarray) -> Estimate:
    n, m = len(positive), int(positive.sum())
    if m == 0:
        return Estimate(None, None, None, n, "the slice has no positives")
    starts = np.r_[0, _tie_ends(groups)[:-1] + 1]
    hits_from = m - np.r_[0, np.cumsum(positive)][starts]
    precision = hits_from / (n - starts)
    gained = np.diff(np.r_[hits_from, 0])
    value = float(-(gained * precision).sum() / m)
    if value >= 1 or m < 2:  # noqa: PLR2004 - the formula below needs a spread
        low, high = intervals.wilson(value * m, m)
        return Estimate(value, float(low), float(high), n, interval="wilson on the positives")
    # Boyd, Eng & Page 2013, "Area under the precision-recall curve", section 3: logit interval
    low, high = intervals.logit(np.float64(value), np.sqrt(value * (1 - value) / m))
    return Estimate(value, float(low), float(high), n, interval="logit")


@dataclass(frozen=True)
class CalibrationError:
    """Expected calibration error over ``bins`` equal-width bins of the score (Naeini et al. 2015, AAAI)."""

    bins: int = 10

    def estimates(self, outcome: Outcome, masks: Masks) -> list[Estimate]:
        """Return the error and a bootstrap of the counts of (bin, class), scores kept at each bin's mean."""
        score = np.asarray(outcome.score, dtype=np.float64)
        positive = np.asarray(outcome.target) == outcome.positive
        bins = np.minimum((score * self.bins).astype(np.int64), self.bins - 1)
        return [self._estimate(score[rows], positive[rows], bins[rows]) for rows in map(masks.rows, range(len(masks)))]

    def _estimate(self, score: np.ndarray, positive: np.ndarray, bins: np.ndarray) -> Estimate:
        n = len(score)
        if n == 0:
            return Estimate(None, None, None, 0, "the slice has no instance")
        cells = np.bincount(bins * 2 + positive, minlength=2 * self.bins)
        with np.errstate(invalid="ignore"):
            means = np.bincount(bins, score, minlength=self.bins) / cells.reshape(-1, 2).sum(axis=1)
        means = np.nan_to_num(means)
        draws = np.random.default_rng(intervals.SEED).multinomial(n, cells / n, size=intervals.RESAMPLES)
        low, high = intervals.percentile(self._error(draws, means, n))
        value = float(self._error(cells[None], means, n)[0])
        return Estimate(value, min(float(low), value), max(float(high), value), n, interval="bootstrap of counts")

    def _error(self, cells: np.ndarray, means: np.ndarray, n: int) -> np.ndarray:
        pairs = cells.reshape(len(cells), self.bins, 2)
        return np.asarray(np.abs(pairs.sum(axis=2) * means - pairs[:, :, 1]).sum(axis=1) / n)
