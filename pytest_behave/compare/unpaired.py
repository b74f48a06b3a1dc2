"""Against a baseline of which only the values are known: two independent samples, so far less can be told."""

from __future__ import annotations

import numpy as np

from pytest_behave.compare.paired import Margin, Paired
from pytest_behave.compare.tails import Z, upper_tail
from pytest_behave.records import BaselineEntry, Estimate


def compare_values(baseline: BaselineEntry, candidate: Estimate, margin: Margin, worse: int) -> Paired | None:
    """Return the change of a metric from both values and their intervals or counts; None if either is missing."""
    if baseline.value is None or candidate.value is None:
        return None
    allowed = margin.of(baseline.value)
    change = candidate.value - baseline.value
    is_share = baseline.hits is not None and candidate.is_share
    before = _wilson(baseline.hits or 0, baseline.n) if is_share else (baseline.low, baseline.high)
    after = (candidate.low, candidate.high)
    low, high = _difference(change, baseline.value, before, candidate.value, after)
    if is_share:
        hits = round(candidate.value * candidate.n)
        z = score_z(baseline.hits or 0, baseline.n, hits, candidate.n, allowed, worse)
        p, test = float(upper_tail(z)), "unpaired-score"
    else:
        width = (high - low) / (2 * Z)
        p = float(upper_tail((worse * change - allowed) / width)) if width > 0 else np.nan
        test = "unpaired-intervals"
    differs = change != 0
    return Paired(baseline.value, candidate.value, low, high, candidate.n, allowed, p, test, differs)


def _wilson(hits: int, n: int) -> tuple[float, float]:
    """Score interval of a proportion (Wilson 1927, J. Am. Stat. Assoc. 22:209)."""
    share = hits / n
    centre = (share + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z / (1 + Z**2 / n) * np.sqrt(share * (1 - share) / n + Z**2 / (4 * n**2))
    return centre - half, centre + half


def _difference(
    change: float,
    before: float,
    ends_before: tuple[float | None, float | None],
    after: float,
    ends_after: tuple[float | None, float | None],
) -> tuple[float, float]:
    """Interval of a difference of independent values (Newcombe 1998, Stat. Med. 17:873, method 10; MOVER)."""
    ends = (*ends_before, *ends_after)
    if any(end is None for end in ends):
        return np.nan, np.nan
    low_before, high_before, low_after, high_after = (float(end or 0.0) for end in ends)
    below = np.hypot(after - low_after, high_before - before)
    above = np.hypot(high_after - after, before - low_before)
    return change - float(below), change + float(above)


def score_z(  # noqa: PLR0913, PLR0917 - two shares and a margin
    hits_before: int, n_before: int, hits_after: int, n_after: int, margin: float, worse: int
) -> float:
    """Score statistic of a loss beyond a margin between independent proportions (Farrington & Manning 1990).

    Stat. Med. 9:1447. The shares under the null are the constrained maximum likelihood ones, a root of a cubic.
    """
    shares = hits_before / n_before, hits_after / n_after
    first, second = (shares[1], shares[0]) if worse > 0 else shares
    n_first, n_second = (n_after, n_before) if worse > 0 else (n_before, n_after)
    # now the loss is first - second, and the null says that it is `margin`
    theta = n_second / n_first
    a = 1 + theta
    b = -(1 + theta + first + theta * second + margin * (theta + 2))
    c = margin**2 + margin * (2 * first + theta + 1) + first + theta * second
    d = -first * margin * (1 + margin)
    v = b**3 / (3 * a) ** 3 - b * c / (6 * a**2) + d / (2 * a)
    u = np.sign(v) * np.sqrt(max(b**2 / (3 * a) ** 2 - c / (3 * a), 0)) or 0.0
    w = (np.pi + np.arccos(np.clip(v / u**3, -1, 1))) / 3 if u else np.pi / 2
    null_first = float(np.clip(2 * u * np.cos(w) - b / (3 * a), 0, 1))
    null_second = float(np.clip(null_first - margin, 0, 1))
    variance = null_first * (1 - null_first) / n_first + null_second * (1 - null_second) / n_second
    beyond = first - second - margin
    return float(beyond / np.sqrt(variance)) if variance > 0 else float(np.sign(beyond) * np.inf) if beyond else 0.0
