"""What is kept of some rows, so that figures of all rows can be put together: states add up, in any order.

Each holds a few numbers per slice, however many rows there are. Counts are integers, and so bit for bit the same
whatever the partition; means agree to rounding.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from pytest_behave.errors import MetricError

FEW = 300  # rows of a slice up to which its values themselves are kept
MOST = 5_000  # rows; beyond these a mean is nearly normal, and looking for the largest value would cost too much


class State(Protocol):
    """Sums over the rows of a partition, slice by slice. Adding is associative, and changes neither of both.

    A metric that keeps something else adds a class with these two methods.
    """

    def __add__(self, other: Any) -> Any:
        """Return the state of the rows of both."""

    def of_slices(self, places: np.ndarray) -> Any:
        """Return the state of some of the slices, in the order of their places."""


@dataclass(frozen=True)
class Counts:
    """Integers per slice: shape (slices, figures)."""

    counts: np.ndarray

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.counts + other.counts)

    def of_slices(self, places: np.ndarray) -> Counts:
        """Return the counts of some of the slices."""
        return Counts(self.counts[places])


@dataclass(frozen=True)
class Cells:
    """Counts of (target class, predicted class) per slice: shape (slices, target classes, classes).

    ``classes`` are named, those of the target first: what only the model says may differ between partitions.
    """

    counts: np.ndarray
    classes: tuple[str, ...]

    def __add__(self, other: Cells) -> Cells:
        known = self.counts.shape[1]
        if self.classes[:known] != other.classes[: other.counts.shape[1]]:
            raise MetricError("the partitions' targets are of different classes: code them alike before measuring")
        more = sorted({*self.classes[known:], *other.classes[known:]})
        classes = (*self.classes[:known], *more)
        return Cells(self._of(classes) + other._of(classes), classes)

    def of_slices(self, places: np.ndarray) -> Cells:
        """Return the counts of some of the slices."""
        return Cells(self.counts[places], self.classes)

    def _of(self, classes: tuple[str, ...]) -> np.ndarray:
        if classes == self.classes:
            return self.counts
        result = np.zeros((*self.counts.shape[:2], len(classes)), dtype=np.int64)
        result[..., [classes.index(name) for name in self.classes]] = self.counts
        return result


@dataclass(frozen=True)
class SliceMoments:
    """Number, mean and sum of squared distances from the mean of the values of each slice: shape (slices,) each.

    ``least`` and ``largest`` are known where there are at most MOST values, the values themselves (``few``, rising)
    where there are at most FEW and a metric asks for them. ``infinite`` values are counted, and in none of the rest.
    """

    present: np.ndarray
    infinite: np.ndarray
    mean: np.ndarray
    squares: np.ndarray
    least: np.ndarray
    largest: np.ndarray
    few: tuple[np.ndarray | None, ...]

    def __add__(self, other: SliceMoments) -> SliceMoments:
        """Return the moments of both (Chan, Golub & LeVeque 1983, Am. Stat. 37:242)."""
        n = self.present + other.present
        one, rest = (np.divide(part.present, n, where=n > 0, out=np.zeros(len(n))) for part in (self, other))
        with np.errstate(over="ignore", invalid="ignore"):
            apart = np.where((one > 0) & (rest > 0), other.mean - self.mean, 0.0)
            mean = np.where(one > 0, one * self.mean, 0.0) + np.where(rest > 0, rest * other.mean, 0.0)
            mean = np.where(apart == 0, np.where(one > 0, self.mean, other.mean), mean)
            squares = self.squares + other.squares + n * (one * rest * apart**2)
        return SliceMoments(
            n,
            self.infinite + other.infinite,
            mean,
            squares,
            np.fmin(self.least, other.least),
            np.fmax(self.largest, other.largest),
            tuple(map(_few_of_both, self.few, other.few)),
        )

    def of_slices(self, places: np.ndarray) -> SliceMoments:
        """Return the moments of some of the slices."""
        return SliceMoments(
            self.present[places],
            self.infinite[places],
            self.mean[places],
            self.squares[places],
            self.least[places],
            self.largest[places],
            tuple(self.few[place] for place in places.tolist()),
        )


def _few_of_both(one: np.ndarray | None, other: np.ndarray | None) -> np.ndarray | None:
    if one is None or other is None or len(one) + len(other) > FEW:
        return None
    return np.sort(np.concatenate([one, other]))
