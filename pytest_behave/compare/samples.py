"""Two models' scores on rows that are too many to be kept: how they vary together is estimated on a part of them.

The part is the same whatever the order of the rows, and however they were divided: those whose hashes are lowest.
"""

from __future__ import annotations

from dataclasses import dataclass
from operator import add
from typing import Any

import numpy as np

MOST = 2_048  # of each class; an error from so many is itself uncertain by about 2 percent


@dataclass(frozen=True, slots=True)
class Sample:
    """Scores of baseline and candidate on ``MOST`` of the ``rows`` of one class, in the order of the rows' hashes."""

    rows: int
    hashes: np.ndarray
    before: np.ndarray
    after: np.ndarray

    def __add__(self, other: Sample) -> Sample:
        return sample_of(
            np.concatenate([self.hashes, other.hashes]),
            np.concatenate([self.before, other.before]),
            np.concatenate([self.after, other.after]),
            self.rows + other.rows,
        )


def sample_of(hashes: np.ndarray, before: np.ndarray, after: np.ndarray, rows: int | None = None) -> Sample:
    """Return the sample of some rows, which may be a sample of ``rows`` already."""
    kept = np.argsort(hashes, kind="stable")[:MOST]
    return Sample(len(hashes) if rows is None else rows, hashes[kept], before[kept], after[kept])


@dataclass(frozen=True, slots=True)
class Ranks:
    """A metric of the order of scores, on each slice.

    ``before`` and ``after`` are states of the metric for either model, on the rows that are compared; a slice has a
    sample of its negatives and one of its positives.
    """

    before: Any
    after: Any
    samples: tuple[tuple[Sample, Sample], ...]

    def __add__(self, other: Ranks) -> Ranks:
        samples = ((one[0] + rest[0], one[1] + rest[1]) for one, rest in zip(self.samples, other.samples, strict=True))
        return Ranks(add(self.before, other.before), add(self.after, other.after), tuple(samples))

    def of_slices(self, places: np.ndarray) -> Ranks:
        """Return the metric on some of the slices, in the order of their places."""
        samples = tuple(self.samples[place] for place in places.tolist())
        return Ranks(self.before.of_slices(places), self.after.of_slices(places), samples)
