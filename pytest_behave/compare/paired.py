"""Two models on the same instances: the change of a metric, its interval, and the chance of such a loss by accident.

One function per form of a metric (see ``records/pairs.py``), picked by ``compare_pairs``. All are oriented by
``worse``: +1 where a rise of the metric is a loss, -1 where a fall is one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pytest_behave.compare import influence, joint
from pytest_behave.compare.joint import JointCounts
from pytest_behave.compare.multiplicity import Flippable
from pytest_behave.compare.proportions import loss_p, tango_interval, tango_z, test_name
from pytest_behave.compare.sums import BinarySums, Means, MeanSums, Moments, Shares, Sums, sums_of
from pytest_behave.compare.tails import SEED, t_quantile, upper_tail_t
from pytest_behave.records.pairs import Influences, PairedInfluences, PairedRows, PairedStates, PairedValues, Pairs

MODERATE = 1.0  # skewness of all differences, up to which sign flips stay as they are: exact where they are symmetric
FEWEST_OF_A_BOOTSTRAP = 0.5  # share of resamples that must leave the metric defined


@dataclass(frozen=True, slots=True)
class Margin:
    """The tolerated loss on one slice: ``by`` in the metric's unit, or as a share of the baseline's value.

    ``extra`` is added: how much worse the baseline is than the best accepted value counts as lost already (negative).
    """

    by: float = 0.0
    relative: bool = False
    extra: float = 0.0

    def of(self, baseline: float) -> float:
        """Return the margin for a baseline value."""
        return (self.by * abs(baseline) if self.relative else self.by) + self.extra


@dataclass(frozen=True, slots=True)
class Paired:
    """A metric of both models on one slice; ``p`` is one-sided, for a loss beyond ``margin``.

    ``flippable`` lets max-T adjust the p-value; where the test is sign flips itself, ``p`` is NaN until then, as all
    hypotheses share the flips. ``differs`` is False where no instance does. Values are NaN where the metric is
    undefined. ``is_counted`` comparisons are of shares, told by the counts of broken and fixed instances alone.
    """

    baseline: float
    candidate: float
    low: float
    high: float
    n: int
    margin: float
    p: float
    test: str
    differs: bool = True
    flippable: Flippable | None = None
    is_counted: bool = False

    @property
    def change(self) -> float:
        """Candidate minus baseline."""
        return self.candidate - self.baseline


@dataclass(frozen=True, slots=True)
class Settings:
    """What all comparisons of a suite share: the test of paired proportions, units to flip, clusters of rows."""

    units: np.ndarray
    clusters: np.ndarray | None = None
    mcnemar: Literal["mid-p", "exact"] = "mid-p"


def compare_pairs(
    pairs: Pairs, slices: Sequence[np.ndarray], margins: Sequence[Margin], worse: int, settings: Settings
) -> list[Paired]:
    """Compare a metric on each slice (row numbers)."""
    if isinstance(pairs, PairedRows):
        return [_by_rows(pairs, rows, margin, worse, settings) for rows, margin in zip(slices, margins, strict=True)]
    if settings.clusters is not None and not isinstance(pairs, PairedValues):
        pairs = influence.of_pairs(pairs)
    if isinstance(pairs, PairedInfluences):
        return [
            _by_influence(pairs, rows, margin, worse, settings) for rows, margin in zip(slices, margins, strict=True)
        ]
    if settings.clusters is None or isinstance(pairs, PairedStates):
        return compare_sums(pairs, sums_of(pairs, slices, worse, settings.units), margins, worse, settings.mcnemar)
    skewness = _notable(_skewness(pairs, slices, worse, settings.clusters))
    return [
        _mean_of_clusters(pairs, rows, margin, worse, settings, skewness)
        for rows, margin in zip(slices, margins, strict=True)
    ]


def compare_sums(
    pairs: PairedValues | PairedStates,
    sums: Sums,
    margins: Sequence[Margin],
    worse: int,
    mcnemar: Literal["mid-p", "exact"],
) -> list[Paired]:
    """Compare a metric on each slice from its sums, of independent rows; ``pairs`` say what the sums are of."""
    if isinstance(sums, Shares):
        return _of_binaries(sums.slices, margins, worse, mcnemar)
    if isinstance(sums, Means):
        skewness = _notable(sums.all_rows.skewness)
        return [_of_means(found, margin, worse, skewness) for found, margin in zip(sums.slices, margins, strict=True)]
    if not isinstance(pairs, PairedStates):
        raise TypeError("counts of states need to know what they are of")
    return [_of_counts(table, pairs, margin, worse) for table, margin in zip(sums.slices, margins, strict=True)]


def _undefined(n: int) -> Paired:
    return Paired(np.nan, np.nan, np.nan, np.nan, n, np.nan, np.nan, "", differs=False)


def _oriented(low: float, high: float, worse: int) -> tuple[float, float]:
    """Return the interval of the change from that of the loss."""
    return (low, high) if worse > 0 else (-high, -low)


def _of_binaries(
    slices: Sequence[BinarySums], margins: Sequence[Margin], worse: int, mcnemar: Literal["mid-p", "exact"]
) -> list[Paired]:
    """McNemar's test, Tango's score test and interval, from four counts per slice."""
    cells = np.array([found.cells for found in slices]).reshape(-1, 4)
    n = cells.sum(axis=1)
    gained, lost = cells[:, 1], cells[:, 2]
    broken, fixed = (gained, lost) if worse > 0 else (lost, gained)
    with np.errstate(invalid="ignore", divide="ignore"):
        baseline, candidate = (lost + cells[:, 3]) / n, (gained + cells[:, 3]) / n
    allowed = np.array([margin.of(value) for margin, value in zip(margins, baseline.tolist(), strict=True)])
    p = loss_p(broken, fixed, n, allowed, mcnemar)
    observed = tango_z(broken, fixed, n, allowed)
    low, high = tango_interval(broken, fixed, n)
    result = []
    for index, found in enumerate(slices):
        if n[index] == 0:
            result.append(_undefined(0))
            continue
        result.append(
            Paired(
                baseline=float(baseline[index]),
                candidate=float(candidate[index]),
                low=_oriented(low[index], high[index], worse)[0],
                high=_oriented(low[index], high[index], worse)[1],
                n=int(n[index]),
                margin=float(allowed[index]),
                p=float(p[index]),
                test=test_name(float(allowed[index]), mcnemar),
                differs=bool(gained[index] + lost[index]),
                flippable=Flippable(found.units.units, found.units.loss, float(observed[index])),
                is_counted=True,
            )
        )
    return result


def _of_means(sums: MeanSums, margin: Margin, worse: int, skewness: float) -> Paired:
    """Sign flips of the differences, Student's interval."""
    n = sums.loss.n
    if n == 0:
        return _undefined(0)
    before, after, loss = sums.before.mean, sums.after.mean, sums.loss.mean
    allowed = margin.of(before)
    error = float(np.sqrt(sums.loss.squares / n / (n - 1))) if n > 1 else np.nan
    both = (sums.before.squares + sums.after.squares) / n**2
    half = float(t_quantile(n - 1)) * influence.width_error(error, both, n - 1) if n > 1 else np.nan
    low, high = _oriented(loss - half, loss + half, worse)
    beyond = n * (loss - allowed)
    spread = float(np.sqrt(sums.loss.squares + n * (loss - allowed) ** 2))
    observed = unskewed(beyond / spread, n, skewness) if spread > 0 else 0.0
    parts = sums.units.loss - allowed * sums.units.rows
    flippable = Flippable(sums.units.units[parts != 0], parts[parts != 0], observed)
    return Paired(before, after, low, high, n, allowed, np.nan, "sign-flip", sums.differing > 0, flippable)


def _skewness(pairs: PairedValues, slices: Sequence[np.ndarray], worse: int, clusters: np.ndarray) -> float:
    """Return the skewness of the losses of all compared clusters; a slice may miss their rare ones."""
    if pairs.binary:
        return 0.0
    rows = np.unique(np.concatenate([*slices, np.zeros(0, dtype=np.int64)]))
    rows = rows[~np.isnan(pairs.baseline[rows])]
    loss = worse * (pairs.candidate[rows] - pairs.baseline[rows])
    present, places = np.unique(clusters[rows], return_inverse=True)
    by_cluster = np.bincount(places, loss - (loss.mean() if len(loss) else 0.0), minlength=len(present))
    return Moments.of(by_cluster).skewness


def _notable(skewness: float) -> float:
    """Return a skewness, 0 where it is moderate, so that the sign flips stay exact."""
    return skewness if skewness < -MODERATE else 0.0


def unskewed(observed: float, n: int, skewness: float) -> float:
    """Return a self-normalised statistic without the skewness of its ``n`` parts, where that makes it smaller.

    Sign flips take the parts for symmetric. Where most lose a little and few win much, a slice that happens to hold few
    of the latter looks worse by chance: Hall 1992, J. R. Stat. Soc. B 54:221, the monotone cubic.
    """
    if skewness >= 0 or observed <= 0:
        return observed
    standard = observed * np.sqrt((n - 1) / (n - observed**2) / n) if observed**2 < n else np.inf
    bent = max(1 + skewness * standard / 3, 0.0)
    return float(min(observed, np.sqrt(n) * ((bent**3 - 1) / skewness + skewness / (6 * n))))


def _mean_of_clusters(  # noqa: PLR0913, PLR0917 - a slice, and what all slices share
    pairs: PairedValues, rows: np.ndarray, margin: Margin, worse: int, settings: Settings, skewness: float
) -> Paired:
    """Sign flips of the differences, Student's interval, both by cluster."""
    rows = rows[~np.isnan(pairs.baseline[rows])]
    n = len(rows)
    if n == 0:
        return _undefined(0)
    clusters = np.asarray(settings.clusters)[rows]
    before, after = float(pairs.baseline[rows].mean()), float(pairs.candidate[rows].mean())
    loss = worse * (pairs.candidate[rows] - pairs.baseline[rows])
    allowed = margin.of(before)
    error, freedom = influence.error_of((loss - loss.mean()) / n, clusters, n - 1)
    both = float(pairs.baseline[rows].var() + pairs.candidate[rows].var()) / n
    half = float(t_quantile(freedom)) * influence.width_error(error, both, freedom) if freedom > 0 else np.nan
    low, high = _oriented(loss.mean() - half, loss.mean() + half, worse)
    parts = loss - allowed
    sums = np.bincount(clusters, parts)
    spread = float(np.sqrt(np.einsum("i,i", sums, sums)))
    observed = unskewed(float(parts.sum()) / spread, len(np.unique(clusters)), skewness) if spread > 0 else 0.0
    flippable = Flippable(settings.units[rows], parts, observed)
    return Paired(before, after, low, high, n, allowed, np.nan, "sign-flip", bool((loss != 0).any()), flippable)


def _of_counts(table: JointCounts, pairs: PairedStates, margin: Margin, worse: int) -> Paired:
    """Bootstrap and swaps of the joint counts: their cost does not grow with the rows."""
    before, after = joint.values(table, pairs.value)
    n = int(table.counts.sum())
    if np.isnan(before) or np.isnan(after):
        return _undefined(n)
    allowed = margin.of(before)
    low, high, error = joint.bootstrap(table, pairs.value, pairs.groups)
    p = joint.swap_p(table, pairs.value, worse, allowed, error)
    differs = bool((table.baseline != table.candidate).any())
    return Paired(before, after, low, high, n, allowed, p, "swapped-counts", differs)


def _by_influence(pairs: PairedInfluences, rows: np.ndarray, margin: Margin, worse: int, settings: Settings) -> Paired:
    clusters = None if settings.clusters is None else settings.clusters[rows]
    return compare_influences(pairs.on(rows), len(rows), margin, worse, pairs.test, clusters)


def compare_influences(  # noqa: PLR0913, PLR0917 - a slice, and how it is compared
    found: Influences,
    n: int,
    margin: Margin,
    worse: int,
    test: str,
    clusters: np.ndarray | None = None,
    off: float = 0.0,
) -> Paired:
    """Student's test and interval from the variance of the difference (for ROC AUC: DeLong) on ``n`` rows.

    The change itself may be ``off`` by so much.
    """
    if np.isnan(found.baseline) or np.isnan(found.candidate) or found.freedom < 1:
        return _undefined(n)
    difference = found.candidate_rows - found.baseline_rows
    error, freedom = influence.error_of(difference, clusters, found.freedom)
    freedom = min(freedom, found.freedom)
    change, allowed = found.candidate - found.baseline, margin.of(found.baseline)
    both = sum(float(np.einsum("i,i", part, part)) for part in (found.baseline_rows, found.candidate_rows))
    half = float(t_quantile(freedom)) * influence.width_error(error, both, freedom) + off
    return Paired(
        found.baseline,
        found.candidate,
        change - half,
        change + half,
        n,
        allowed,
        tail(worse * change - allowed - off, error, freedom, allowed, n),
        test if clusters is None else f"{test}-clustered",
        differs=bool(difference.any() or change),
    )


def tail(beyond: float, error: float, freedom: float, margin: float, n: int) -> float:
    """Return p of a loss ``beyond`` the margin from its standard error.

    Where nothing varies, a margin below zero (the best accepted value was better) is held against a proportion's error,
    and a loss is as certain as a coin that falls the same way once per independent unit.
    """
    if margin < 0:
        error = max(error, float(np.sqrt(min(-margin, 1.0) * (1 - min(-margin, 1.0)) / n)))
    if error == 0:
        return 1.0 if beyond <= 0 else 0.5 ** (freedom + 1)
    return float(upper_tail_t(beyond / error, freedom))


def _by_rows(pairs: PairedRows, rows: np.ndarray, margin: Margin, worse: int, settings: Settings) -> Paired:
    """Bootstrap of instances, or of whole clusters: the same resampled rows for both models."""
    if len(rows) < 2:  # noqa: PLR2004 - one row has no spread
        return _undefined(len(rows))
    before, after = pairs.on(rows)
    if not (np.isfinite(before) and np.isfinite(after)):
        return _undefined(len(rows))
    random = np.random.default_rng(SEED)
    members = None if settings.clusters is None else influence.members_of(settings.clusters[rows])
    changes = []
    for _ in range(pairs.resamples):
        drawn = influence.resampled(rows, members, random)
        values = pairs.on(drawn)
        changes.append(values[1] - values[0])
    samples = np.array([change for change in changes if np.isfinite(change)])
    if len(samples) < FEWEST_OF_A_BOOTSTRAP * pairs.resamples:
        return _undefined(len(rows))
    units = len(rows) if members is None else len(members)
    error = float(samples.std(ddof=1)) * np.sqrt(units / (units - 1)) if units > 1 else np.nan
    half = float(t_quantile(max(units - 1, 1))) * error
    change, allowed = after - before, margin.of(before)
    p = tail(worse * change - allowed, error, max(units - 1, 1), allowed, len(rows))
    differs = bool(samples.any() or change)
    return Paired(before, after, change - half, change + half, len(rows), allowed, p, "bootstrap", differs)
