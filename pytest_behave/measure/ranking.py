"""Metrics of scores: ROC AUC with DeLong's interval, and average precision."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple, TypeVar

import numpy as np

from pytest_behave.measure import intervals
from pytest_behave.measure.kernel import Masks, in_threads
from pytest_behave.measure.levels import Levels, levels_of
from pytest_behave.measure.ordered import Ordered, Tied
from pytest_behave.measure.score_order import ScoreOrder
from pytest_behave.measure.statistics import estimate_of
from pytest_behave.records import Estimate, Outcome

Figure = TypeVar("Figure")
MANY = 50  # rows of the smaller class: from there on DeLong's variance is trusted alone
DENSE = 1 / 16  # share of rows from which slices are put in order eight at a time, instead of sorting their places


@dataclass(frozen=True)
class Ranked:
    """A metric of rows in the order of their scores: ``roc_auc`` or ``average_precision``."""

    name: str
    floor: ClassVar[float] = 0.0
    ceiling: ClassVar[float] = 1.0

    def estimates(self, outcome: Outcome, masks: Masks) -> list[Estimate]:
        """Return the metric on each slice, exactly."""
        return estimates_together([self.name], outcome, masks)[self.name]

    def state(self, outcome: Outcome, masks: Masks) -> Levels:
        """Return how many rows of either class have each score."""
        return masks.once(outcome, _levels)

    def figures(self, state: Levels) -> np.ndarray:
        """Return the metric on each slice alone."""
        return np.array([PARTS[self.name](one).value for one in _curves(state)])

    def errors(self, state: Levels) -> np.ndarray:
        """Return how far the metric on each slice may be off for its scores being in bins."""
        bound = BOUNDS[self.name]
        return np.array([0.0 if state.exact else bound(curve) for curve in _curves(state)])

    def finish(self, state: Levels) -> list[Estimate]:
        """Return the metric on each slice; where scores are in bins, the interval is wider by the bins' error."""
        curves = _curves(state)
        found = _estimates(self.name, [PARTS[self.name](one) for one in curves])
        if state.exact:
            return found
        return [
            widened(estimate, BOUNDS[self.name](curve) if estimate.value is not None else 0.0)
            for estimate, curve in zip(found, curves, strict=True)
        ]


def estimates_together(names: Iterable[str], outcome: Outcome, masks: Masks) -> dict[str, list[Estimate]]:
    """Return each metric on each slice: putting a slice's rows in order costs more than any of them."""
    parts = _together({name: PARTS[name] for name in names}, outcome, masks)
    return {name: _estimates(name, found) for name, found in parts.items()}


def figures_together(names: Iterable[str], outcome: Outcome, masks: Masks) -> dict[str, np.ndarray]:
    """Return each metric on each slice without its interval, NaN where it is undefined: shape (slices,)."""
    found = _together({name: VALUES[name] for name in names}, outcome, masks)
    return {name: np.array(values, dtype=np.float64) for name, values in found.items()}


def _together(
    figures: dict[str, Callable[[Ordered], Figure]], outcome: Outcome, masks: Masks
) -> dict[str, list[Figure]]:
    found = _over_slices(outcome, masks, lambda ordered: [figure(ordered) for figure in figures.values()])
    return {name: [some[place] for some in found] for place, name in enumerate(figures)}


class _Part(NamedTuple):
    """A metric of ``n`` rows before its interval; ``few`` counts the rows of the class that limits its certainty."""

    value: float
    variance: float
    n: int
    few: int


BOUNDS: dict[str, Callable[[Tied], float]] = {"roc_auc": Tied.area_error, "average_precision": Tied.precision_error}


def _curves(state: Levels) -> list[Tied]:
    return [Tied(counts[:, 1], counts[:, 0]) for counts in state.counts]


def _levels(outcome: Outcome, masks: Masks) -> Levels:
    scores = np.asarray(outcome.score, dtype=np.float64)
    return levels_of(scores, np.asarray(outcome.target) == outcome.positive, masks)


def _area(ordered: Ordered) -> _Part:
    n, m = ordered.n, ordered.m
    if m in (0, n):
        return _Part(np.nan, np.nan, n, 0)
    few, value = min(m, n - m), ordered.area()
    if few == 1:  # one row of a class says nothing of that class's spread
        return _Part(value, 0.0, n, few)
    of_positives, of_negatives = ordered.squares()
    return _Part(value, of_positives / (m - 1) / m + of_negatives / (n - m - 1) / (n - m), n, few)


def _precision(ordered: Ordered) -> _Part:
    n, m = ordered.n, ordered.m
    if m == 0:
        return _Part(np.nan, np.nan, n, 0)
    value = ordered.precision()
    return _Part(value, value * (1 - value) / m if m > 1 else 0.0, n, m)


PARTS: dict[str, Callable[[Ordered], _Part]] = {"roc_auc": _area, "average_precision": _precision}


def _value_of_area(ordered: Ordered) -> float:
    return np.nan if ordered.m in (0, ordered.n) else ordered.area()


def _value_of_precision(ordered: Ordered) -> float:
    return np.nan if ordered.m == 0 else ordered.precision()


VALUES: dict[str, Callable[[Ordered], float]] = {"roc_auc": _value_of_area, "average_precision": _value_of_precision}


def _over_slices(outcome: Outcome, masks: Masks, figure: Callable[[Ordered], Figure]) -> list[Figure]:
    """Return a figure of the ordered rows of each slice: scores are sorted once, then only places among them."""
    order = ScoreOrder(np.asarray(outcome.score, dtype=np.float64), np.asarray(outcome.target) == outcome.positive)
    dense = masks.sizes[masks.others] > masks.size * DENSE
    thick, thin = masks.others[dense].tolist(), masks.others[~dense].tolist()
    eights = [thick[first : first + 8] for first in range(0, len(thick), 8)]

    def of_eight(indices: list[int]) -> list[Figure]:
        return [figure(ordered) for ordered in order.of_masks([masks.bools(index) for index in indices])]

    by_eights = in_threads(of_eight, eights, masks.size)
    found = dict(zip(thick, (one for some in by_eights for one in some), strict=True))
    found.update(
        zip(thin, in_threads(lambda index: figure(order.of_rows(masks.rows(index))), thin, masks.size), strict=True)
    )
    for family in masks.families:
        found.update((index, figure(order.of_places(places))) for index, places in family.sorted_rows(order.order))
    return [found[index] for index in range(len(masks))]


def _estimates(name: str, parts: list[_Part]) -> list[Estimate]:
    """Return intervals on the logit scale, or Wilson's where the variance says nothing."""
    area = name == "roc_auc"
    nothing = "only one class" if area else "no positives"
    # Boyd, Eng & Page 2013, "Area under the precision-recall curve", section 3: logit interval
    names = ("delong, logit scale", "wilson on the smaller class") if area else ("logit", "wilson on the positives")
    value, variance, n, few = np.array(parts).reshape(-1, len(_Part._fields)).T
    smooth = (variance > 0) & (value > 0) & (value < 1)
    on_logit, wilson = intervals.logit(value, np.sqrt(variance)), intervals.wilson(value * few, few)
    low, high = (np.where(smooth, *ends) for ends in zip(on_logit, wilson, strict=True))
    if area:  # the variance of few placements is itself uncertain
        rare = few < MANY
        by_ranks = intervals.area_of_ranks(value, np.where(rare, few, 1), np.where(rare, n - few, 1))
        low = np.where(rare, np.fmin(low, by_ranks[0]), low)
        high = np.where(rare, np.fmax(high, by_ranks[1]), high)
    columns = (value, low, high, n.astype(np.int64), smooth)
    return [
        estimate_of(*ends, n=size, nothing=nothing, interval=names[not by_logit])
        for *ends, size, by_logit in zip(*(column.tolist() for column in columns), strict=True)
    ]


def widened(estimate: Estimate, error: float) -> Estimate:
    """Return an estimate from bins: its interval holds what the value may be off, and says so."""
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return estimate
    note = f"{estimate.interval}; scores in bins, off by at most {error:.1e}"
    low, high = max(estimate.low - error, 0.0), min(estimate.high + error, 1.0)
    return replace(estimate, low=low, high=high, interval=note)


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
