"""Metrics of scores: ROC AUC with DeLong's interval, and average precision."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import chain
from typing import Any, ClassVar, NamedTuple, Protocol, TypeVar

import numpy as np

from pytest_behave.measure import intervals
from pytest_behave.measure.kernel import Masks, in_threads
from pytest_behave.measure.levels import Levels, levels_of
from pytest_behave.measure.statistics import estimate_of
from pytest_behave.measure.words import InWords, packed_planar, planar
from pytest_behave.records import Estimate, Outcome

Figure = TypeVar("Figure")
MANY = 50  # rows of the smaller class: from there on DeLong's variance is trusted alone
DENSE = 1 / 16  # share of rows from which slices are put in order eight at a time, instead of sorting their places
FEWEST_IN_WORDS = 65_536  # rows
EXACT_IN_INT64 = 2_000_000  # rows up to which sums of squared ranks stay below 2**63


@dataclass(frozen=True)
class Ranked:
    """A metric of rows in the order of their scores: ``roc_auc`` or ``average_precision``."""

    name: str
    floor: ClassVar[float] = 0.0
    ceiling: ClassVar[float] = 1.0

    def estimates(self, outcome: Outcome, masks: Masks) -> list[Estimate]:
        """Return the metric on each slice, exactly."""
        return _estimates(self.name, masks.once(outcome, _both)[self.name])

    def exact_figures(self, outcome: Outcome, masks: Masks) -> np.ndarray:
        """Return the metric on each slice alone, exactly."""
        return masks.once(outcome, _values)[self.name]

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


class _Part(NamedTuple):
    """A metric of ``n`` rows before its interval; ``few`` counts the rows of the class that limits its certainty."""

    value: float
    variance: float
    n: int
    few: int


class Ordered(Protocol):
    """The rows of a slice in rising order of score, of which ``m`` of ``n`` are positive."""

    n: int
    m: int

    def area(self) -> float:
        """Return the area under the ROC curve; both classes occur."""

    def precision(self) -> float:
        """Return the average precision; positives occur."""

    def squares(self) -> tuple[float, float]:
        """Return the sums of squared distances of DeLong's placement values of both classes from their mean, the area."""


class Untied:
    """No two rows have the same score: where the positives are says it all."""

    def __init__(self, positive: np.ndarray) -> None:
        self.n = len(positive)
        self._at = np.flatnonzero(positive)
        self.m = len(self._at)

    @cached_property
    def _below(self) -> np.ndarray:
        """How many negatives have a lower score than each positive."""
        return self._at - np.arange(self.m)

    def area(self) -> float:  # noqa: D102 - as in Ordered
        return int(self._below.sum()) / (self.m * (self.n - self.m))

    def precision(self) -> float:  # noqa: D102 - as in Ordered
        return float((np.arange(self.m, 0, -1.0) / (self.n - self._at)).sum()) / self.m

    def squares(self) -> tuple[float, float]:  # noqa: D102 - as in Ordered
        m, rest, below, count = self.m, self.n - self.m, self._below, np.arange(self.m)
        if self.n > EXACT_IN_INT64:
            below, count = below.astype(np.float64), count.astype(np.float64)
        total, of_squares, by_place = below.sum().item(), _product(below, below), _product(below, count)
        # a negative with b positives below it adds b**2, the sum of the b first odd numbers; all in whole numbers
        pairs, of_positives = m * rest - total, rest * m**2 - 2 * by_place - total
        one, other = m * of_squares - total**2, rest * of_positives - pairs**2
        if self.n > EXACT_IN_INT64:
            one = m * _product(below - total / m, below - total / m)
        return float(one) / m / rest**2, max(float(other), 0.0) / rest / m**2


def _product(one: np.ndarray, other: np.ndarray) -> Any:
    # BLAS would wake a second thread for a long vector, which took up to 15 ms; Python's integers do not overflow
    return np.einsum("i,i", one, other).item()


class Tied:
    """How many positives and negatives have each score, scores rising."""

    def __init__(self, positives: np.ndarray, negatives: np.ndarray) -> None:
        self.positives, self.negatives = positives, negatives
        self.m = int(positives.sum())
        self.n = self.m + int(negatives.sum())

    def _placements(self) -> tuple[np.ndarray, np.ndarray]:
        rest = self.n - self.m
        below = (np.cumsum(self.negatives) - self.negatives / 2) / rest
        above = (self.m - np.cumsum(self.positives) + self.positives / 2) / self.m
        return below, above

    def area(self) -> float:  # noqa: D102 - as in Ordered
        return float(self._placements()[0] @ self.positives) / self.m

    def precision(self) -> float:  # noqa: D102 - as in Ordered
        hits, misses = (counts[::-1].cumsum()[::-1] for counts in (self.positives, self.negatives))
        some = self.positives > 0
        return float((self.positives[some] * hits[some] / (hits + misses)[some]).sum()) / self.m

    def squares(self) -> tuple[float, float]:  # noqa: D102 - as in Ordered
        below, above = self._placements()
        area = float(below @ self.positives) / self.m
        return float((below - area) ** 2 @ self.positives), float((above - area) ** 2 @ self.negatives)

    def area_error(self) -> float:
        """Return how far the area may be off if rows of one bin have different scores."""
        return float(self.positives @ self.negatives) / 2 / max(self.m * (self.n - self.m), 1)

    def precision_error(self) -> float:
        """Return how far the average precision may be off if rows of one bin have different scores."""
        hits, misses = (counts[::-1].cumsum()[::-1] for counts in (self.positives, self.negatives))
        some = self.positives > 0
        here, hit, miss, negative = (part[some] for part in (self.positives, hits, misses, self.negatives))
        best = here @ (hit / (hit + miss - negative))
        first = hit - here + 1
        worst = here @ (first / (first + miss))
        value = here @ (hit / (hit + miss))
        return float(max(best - value, value - worst)) / max(self.m, 1)


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


def _both(outcome: Outcome, masks: Masks) -> dict[str, list[_Part]]:
    """Return both metrics by name: putting each slice's rows in order costs more than either."""
    found = _over_slices(outcome, masks, lambda ordered: (_area(ordered), _precision(ordered)))
    areas, precisions = zip(*found, strict=True) if found else ((), ())
    return {"roc_auc": list(areas), "average_precision": list(precisions)}


def _values(outcome: Outcome, masks: Masks) -> dict[str, np.ndarray]:
    """Return the values of both metrics by name, without what their intervals take."""

    def values(ordered: Ordered) -> tuple[float, float]:
        n, m = ordered.n, ordered.m
        return np.nan if m in (0, n) else ordered.area(), np.nan if m == 0 else ordered.precision()

    found = np.array(_over_slices(outcome, masks, values)).reshape(-1, 2)
    return {"roc_auc": found[:, 0], "average_precision": found[:, 1]}


def _over_slices(outcome: Outcome, masks: Masks, figure: Callable[[Ordered], Figure]) -> list[Figure]:
    """Return a figure of the ordered rows of each slice: scores are sorted once, then only places among them."""
    rows = _Rows(outcome, masks)
    found: dict[int, Figure] = {}

    def keep(one: tuple[int, Ordered]) -> tuple[int, Figure]:
        return one[0], figure(one[1])

    sizes = masks.sizes[masks.others]
    dense = sizes > masks.size * DENSE
    in_words = dense & (sizes > FEWEST_IN_WORDS) & (rows.level is None)
    for ordered, some in ((rows.listed, dense & ~in_words), (rows.in_words, in_words)):
        thick = masks.others[some].tolist()
        eights = [thick[first : first + 8] for first in range(0, len(thick), 8)]
        work = partial(lambda ordered, indices: [keep(one) for one in ordered(indices)], ordered)
        found.update(chain.from_iterable(in_threads(work, eights, masks.size)))
    thin = masks.others[~dense].tolist()
    found.update(in_threads(lambda index: keep((index, rows.sorted(masks.rows(index)))), thin, masks.size))
    for family in masks.families:
        found.update(keep((index, rows.at(places))) for index, places in family.sorted_rows(rows.order))
    return [found[index] for index in range(len(masks))]


class _Rows:
    """All rows in rising order of score; ``level`` numbers the distinct scores, None where no two are equal."""

    def __init__(self, outcome: Outcome, masks: Masks) -> None:
        scores = np.asarray(outcome.score, dtype=np.float64)
        self._masks, self._positive = masks, np.asarray(outcome.target) == outcome.positive
        self.order = np.argsort(scores)
        self._in_order = self._positive.take(self.order)
        ranked = scores.take(self.order)
        steps = ranked[1:] != ranked[:-1]
        if len(ranked) and np.isnan(ranked[-1]):
            steps &= ~np.isnan(ranked[:-1])
        self._dtype = np.int32 if len(scores) <= 2**30 else np.int64
        self.level: np.ndarray | None = None
        if not steps.all():
            self.level = np.zeros(len(scores), dtype=self._dtype)
            np.cumsum(steps, out=self.level[1:])

    @cached_property
    def _keys(self) -> np.ndarray:
        """Place and class of each row in one number, so that one sort of a slice's rows gives both in order."""
        places = np.arange(len(self.order), dtype=self._dtype) if self.level is None else self.level
        keys = np.empty_like(places)
        keys[self.order] = places << 1 | self._in_order
        return keys

    def sorted(self, rows: np.ndarray) -> Ordered:
        """Return rows in order."""
        keys = self._keys.take(rows)
        keys.sort()
        return _ordered((keys & 1).astype(np.bool_), None if self.level is None else keys >> 1)

    def at(self, places: np.ndarray) -> Ordered:
        """Return the rows at some places of the order, rising."""
        return _ordered(self._in_order.take(places), None if self.level is None else self.level.take(places))

    def listed(self, slices: list[int]) -> Iterator[tuple[int, Ordered]]:
        """Yield up to eight slices in order."""
        bits = self._bits_of(slices).take(self.order)
        for shift, index in enumerate(slices):
            yield index, self.at(np.flatnonzero((bits & (1 << shift)).astype(np.bool_)))

    def in_words(self, slices: list[int]) -> Iterator[tuple[int, Ordered]]:
        """Yield up to eight slices in order, without listing their rows; no two scores are equal."""
        order, classes = self._planar
        bits = self._bits_of(slices).take(order)
        for shift, index in enumerate(slices):
            yield index, InWords(packed_planar(bits & (1 << shift)), classes)

    @cached_property
    def _planar(self) -> tuple[np.ndarray, np.ndarray]:
        order = planar(self.order)
        return order, packed_planar(np.append(self._positive, False).take(order))

    def _bits_of(self, slices: list[int]) -> np.ndarray:
        """Return a bit per slice for each row, and one row more that is in none: eight are put in order at once."""
        bits = np.zeros(self._masks.size + 1, dtype=np.uint8)
        for shift, index in enumerate(slices):
            bits[:-1] |= self._masks.bools(index).view(np.uint8) * np.uint8(
                1 << shift
            )  # a shift takes five times as long
        return bits


def _ordered(positive: np.ndarray, places: np.ndarray | None) -> Ordered:
    if places is None:
        return Untied(positive)
    ends = np.flatnonzero(np.append(places[1:] != places[:-1], True)) if len(places) else np.empty(0, dtype=np.intp)
    hits = np.diff(np.cumsum(positive)[ends], prepend=0)
    return Tied(hits, np.diff(ends, prepend=-1) - hits)


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
