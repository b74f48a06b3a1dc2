"""Metrics of scores: ROC AUC with DeLong's interval, average precision, expected calibration error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pytest_behave.measure import intervals
from pytest_behave.measure.kernel import Masks
from pytest_behave.measure.statistics import estimate_of
from pytest_behave.records import Estimate, Outcome

MANY = 50  # rows of the smaller class: from there on DeLong's variance is trusted alone


@dataclass(frozen=True)
class Ranked:
    """A metric of rows in the order of their scores: ``roc_auc`` or ``average_precision``."""

    name: str

    def estimates(self, outcome: Outcome, masks: Masks) -> list[Estimate]:
        """Return the metric on each slice."""
        return masks.once(outcome, _both)[self.name]


class _Part(NamedTuple):
    """A metric of ``n`` rows before its interval; ``few`` counts the rows of the class that limits its certainty."""

    value: float
    variance: float
    n: int
    few: int


def _both(outcome: Outcome, masks: Masks) -> dict[str, list[Estimate]]:
    """Return both metrics by name: putting each slice's rows in order costs more than either."""
    levels, places = np.unique(np.asarray(outcome.score, dtype=np.float64), return_inverse=True)
    # place and class in one number, so that one sort of a slice's rows gives both in order
    keys = (2 * places + (np.asarray(outcome.target) == outcome.positive)).astype(np.int32)
    tied = len(levels) < len(keys)
    areas, precisions = [], []
    for index in range(len(masks)):
        ordered = np.sort(keys.take(masks.rows(index)))
        positive = (ordered & 1).astype(bool)
        groups = ordered >> 1 if tied else None
        areas.append(_auc(positive, groups))
        precisions.append(_average_precision(positive, groups))
    return {
        "roc_auc": _estimates(
            areas, "only one class", ("delong, logit scale", "wilson on the smaller class"), by_sizes=True
        ),
        # Boyd, Eng & Page 2013, "Area under the precision-recall curve", section 3: logit interval
        "average_precision": _estimates(precisions, "no positives", ("logit", "wilson on the positives")),
    }


def _estimates(parts: list[_Part], nothing: str, names: tuple[str, str], *, by_sizes: bool = False) -> list[Estimate]:
    """Return intervals on the logit scale, or Wilson's where the variance says nothing."""
    value, variance, n, few = np.array(parts).reshape(-1, len(_Part._fields)).T
    smooth = (variance > 0) & (value > 0) & (value < 1)
    on_logit, wilson = intervals.logit(value, np.sqrt(variance)), intervals.wilson(value * few, few)
    low, high = (np.where(smooth, *ends) for ends in zip(on_logit, wilson, strict=True))
    if by_sizes:  # the variance of few placements is itself uncertain
        rare = few < MANY
        by_ranks = intervals.area_of_ranks(value, np.where(rare, few, 1), np.where(rare, n - few, 1))
        low = np.where(rare, np.fmin(low, by_ranks[0]), low)
        high = np.where(rare, np.fmax(high, by_ranks[1]), high)
    columns = (value, low, high, n.astype(np.int64), smooth)
    return [
        estimate_of(*ends, n=size, nothing=nothing, interval=names[not by_logit])
        for *ends, size, by_logit in zip(*(column.tolist() for column in columns), strict=True)
    ]


def _auc(positive: np.ndarray, groups: np.ndarray | None) -> _Part:
    n, m = len(positive), int(np.count_nonzero(positive))
    if m in (0, n):
        return _Part(np.nan, np.nan, n, 0)
    below_positive, above_negative = placements(positive, groups)
    few = min(m, n - m)
    # one row of a class says nothing of that class's spread
    variance = _variance(below_positive) / m + _variance(above_negative) / (n - m) if few > 1 else 0.0
    return _Part(float(below_positive.mean()), variance, n, few)


def placements(positive: np.ndarray, groups: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Return DeLong's placement values of the positives and of the negatives, rows in rising order of score.

    DeLong, DeLong & Clarke-Pearson 1988, Biometrics 44:837. ``groups`` numbers the distinct scores, None where no two
    are equal; ties count one half. O(n) once the scores are sorted.
    """
    m = int(np.count_nonzero(positive))
    rest = len(positive) - m
    if groups is None:
        negatives_below = np.flatnonzero(positive) - np.arange(m)
        positives_below = np.flatnonzero(~positive) - np.arange(rest)
    else:
        positives, negatives = _tie_counts(positive, groups)
        negatives_below = np.repeat(np.cumsum(negatives) - negatives / 2, positives)
        positives_below = np.repeat(np.cumsum(positives) - positives / 2, negatives)
    return negatives_below / rest, (m - positives_below) / m


def _tie_counts(positive: np.ndarray, groups: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return how many positives and how many negatives have each score, scores rising."""
    ends = np.flatnonzero(np.append(groups[1:] != groups[:-1], True))
    positives = np.diff(np.cumsum(positive)[ends], prepend=0)
    return positives, np.diff(ends, prepend=-1) - positives


def _variance(values: np.ndarray) -> float:
    if len(values) < 2:  # noqa: PLR2004 - one value has no spread
        return 0.0
    deviations = values - values.sum() / len(values)
    return float(np.einsum("i,i", deviations, deviations)) / (len(values) - 1)  # half the time of var()


def _average_precision(positive: np.ndarray, groups: np.ndarray | None) -> _Part:
    n, m = len(positive), int(np.count_nonzero(positive))
    if m == 0:
        return _Part(np.nan, np.nan, n, 0)
    if groups is None:
        precision = np.arange(m, 0, -1) / (n - np.flatnonzero(positive))
        value = float(precision.sum() / m)
    else:
        positives, negatives = _tie_counts(positive, groups)
        hits, misses = (counts[::-1].cumsum()[::-1] for counts in (positives, negatives))
        value = float((positives * hits / (hits + misses)).sum() / m)
    return _Part(value, value * (1 - value) / m if m > 1 else 0.0, n, m)


@dataclass(frozen=True)
class CalibrationError:
    """Expected calibration error over ``bins`` equal-width bins of the score (Naeini et al. 2015, AAAI)."""

    bins: int = 10

    def estimates(self, outcome: Outcome, masks: Masks) -> list[Estimate]:
        """Return the error and its interval.

        Chance gaps of the bins do not cancel in a mean of absolute values: a calibrated model has a positive error in
        every sample. So the interval goes below the value by what gaps that may be none would add to it.
        """
        score = np.asarray(outcome.score, dtype=np.float64)
        positive = np.asarray(outcome.target) == outcome.positive
        bins = np.minimum((score * self.bins).astype(np.int64), self.bins - 1)
        return [self._estimate(score[rows], positive[rows], bins[rows]) for rows in map(masks.rows, range(len(masks)))]

    def _estimate(self, score: np.ndarray, positive: np.ndarray, bins: np.ndarray) -> Estimate:
        n = len(score)
        if n == 0:
            return Estimate(None, None, None, 0, "the slice has no instance")
        sizes, totals, hits = (np.bincount(bins, weights, minlength=self.bins) for weights in (None, score, positive))
        used = sizes > 0
        size, total, hit = sizes[used], totals[used], hits[used]
        gap, share = np.abs(total - hit) / size, size / n
        value = float(share @ gap)
        # one more row in each bin, which its mean score foretells, so that rows all alike are no certainty
        expected = total / size
        rate = (hit + expected) / (size + 1)
        error = np.sqrt(np.maximum(rate * (1 - rate), expected * (1 - expected)) / size)
        of_sizes = (float(share @ gap**2) - value**2) / n
        known = np.where(gap > BEYOND_DOUBT * error, gap, 0.0)
        excess = float(share @ (_folded(known, error) - known))
        of_folded = np.where(known > 0, 1, 1 - 2 / np.pi) * error**2
        below, above = (np.sqrt(share**2 @ part + of_sizes) for part in (of_folded, error**2))
        low = max(value - excess - intervals.Z * float(below), 0.0)
        high = min(value + intervals.Z * float(above), 1.0)
        return Estimate(value, low, high, n, interval="normal, less the bias")


BEYOND_DOUBT = 2.5  # standard errors: a gap below that may be none


def _folded(mean: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    """Return the means of absolute values of normal numbers."""
    from scipy.special import ndtr

    with np.errstate(invalid="ignore", divide="ignore"):
        z = np.where(deviation > 0, mean / deviation, np.inf)
    return np.asarray(deviation * np.sqrt(2 / np.pi) * np.exp(-(z**2) / 2) + mean * (1 - 2 * ndtr(-z)))
