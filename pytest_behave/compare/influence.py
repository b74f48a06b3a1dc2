"""What each row adds to the error of a metric, so that errors of differences, gaps and clusters add up from rows."""

from __future__ import annotations

import numpy as np

from pytest_behave.records.pairs import Influences, PairedInfluences, PairedStates, PairedValues, Pairs

UNSEEN = 2.0  # rows
STEP = 1e-4  # of one row, for the slope of a function of counts


def error_of(rows: np.ndarray, clusters: np.ndarray | None, freedom: int) -> tuple[float, int]:
    """Return standard error and degrees of freedom of a sum of influences, independent by row or by cluster.

    With clusters: the robust variance of Liang & Zeger 1986 (Biometrika 73:13) with its small-sample factor.
    """
    if clusters is None:
        count = len(rows)
        scale = count / (count - 1) if count > 1 else np.nan
        return float(np.sqrt(np.einsum("i,i", rows, rows) * scale)), freedom
    sums = np.bincount(clusters, rows)
    count = len(np.unique(clusters))
    scale = count / (count - 1) if count > 1 else np.nan
    return float(np.sqrt(np.einsum("i,i", sums, sums) * scale)), count - 1


def width_error(error: float, both: float, freedom: int) -> float:
    """Return the standard error for an interval of a change, never below that of a few rows that may yet differ.

    Where few or no rows differ between two models, their differences say nothing of what the next ones would be. Two
    more rows on which both answer independently add as much as they do to ``both``, the errors' squares of both values.
    """
    return float(np.sqrt(error**2 + UNSEEN * both / (freedom + 1)))


def members_of(clusters: np.ndarray) -> list[np.ndarray]:
    """Return the positions of each cluster's rows."""
    order = np.argsort(clusters, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(clusters[order])) + 1)


def resampled(rows: np.ndarray, members: list[np.ndarray] | None, random: np.random.Generator) -> np.ndarray:
    """Return rows drawn with replacement, whole clusters at a time where there are any."""
    if members is None:
        return rows[random.integers(0, len(rows), len(rows))]
    drawn = random.integers(0, len(members), len(members))
    return rows[np.concatenate([members[index] for index in drawn])]


def of_pairs(pairs: Pairs) -> PairedInfluences:
    """Return any smooth metric in the form of influences; raises TypeError for one that has none."""
    if isinstance(pairs, PairedInfluences):
        return pairs
    if isinstance(pairs, PairedValues):
        return PairedInfluences(lambda rows: _of_values(pairs, rows), "t")
    if isinstance(pairs, PairedStates):
        return PairedInfluences(lambda rows: _of_states(pairs, rows), "delta")
    raise TypeError("a metric of whole rows has no influences")


def _of_values(pairs: PairedValues, rows: np.ndarray) -> Influences:
    before, after = pairs.baseline[rows], pairs.candidate[rows]
    present = ~np.isnan(before)
    n = int(present.sum())
    if n == 0:
        return Influences(np.nan, np.nan, before, after, 0)
    means = float(before[present].mean()), float(after[present].mean())
    return Influences(
        means[0],
        means[1],
        np.where(present, before - means[0], 0.0) / n,
        np.where(present, after - means[1], 0.0) / n,
        n - 1,
    )


def _of_states(pairs: PairedStates, rows: np.ndarray) -> Influences:
    if len(rows) == 0:
        return Influences(np.nan, np.nan, np.zeros(0), np.zeros(0), 0)
    found = []
    for states in (pairs.baseline[rows], pairs.candidate[rows]):
        counts = np.bincount(states, minlength=pairs.size).astype(np.float64)
        present = np.flatnonzero(counts)
        moved = counts + STEP * np.eye(pairs.size)[present]
        value = float(pairs.value(counts[None])[0])
        slopes = np.zeros(pairs.size)
        slopes[present] = (pairs.value(moved) - value) / STEP
        found.append((value, slopes[states] - (slopes * counts).sum() / counts.sum()))
    (before, before_rows), (after, after_rows) = found
    return Influences(before, after, before_rows, after_rows, len(rows) - 1)
