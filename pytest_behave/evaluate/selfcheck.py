"""What a suite can see and how often it would cry wolf, found on the user's own data.

Baseline and candidate exchange their outputs on random rows, so that neither is better; every regression that the
suite then reports is a false alarm.
"""

from __future__ import annotations

import datetime as dt
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pytest_behave.compare.multiplicity import critical_value
from pytest_behave.compare.power import pairs_for_loss, rounded, smallest_loss_caught, smallest_shift_caught
from pytest_behave.compare.tails import SEED, Z
from pytest_behave.errors import BehaveError
from pytest_behave.evaluate import prepare_file
from pytest_behave.evaluate.judged import Judged
from pytest_behave.evaluate.measured import Measured
from pytest_behave.evaluate.prepare import Item
from pytest_behave.evaluate.run import find_baseline, pick_model
from pytest_behave.evaluate.swaps import Swaps
from pytest_behave.measure.intervals import wilson
from pytest_behave.records import Key
from pytest_behave.records.pairs import PairedValues

MOST_ROWS = 10_000_000


@dataclass(frozen=True)
class Sight:
    """What one bound sees: the smallest loss that is found nine times in ten.

    ``rows`` are independent ones, so clusters where there are any. ``wanted_loss`` is about half of it, ``wanted_rows`` how many rows would see that; None where nobody can tell.
    """

    slice: str
    metric: str
    rows: int
    clusters: bool
    share: bool
    loss: float | None
    wanted_loss: float | None = None
    wanted_rows: int | None = None


@dataclass(frozen=True)
class SelfCheck:
    """``alarms`` of ``runs`` had any regression; ``naive`` had a loss beyond its tolerance at all."""

    suite: str
    rows: int
    bounds: int
    alpha: float
    runs: int
    alarms: int
    naive: int
    flagged: tuple[tuple[Key, int], ...]
    sights: tuple[Sight, ...]

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the share of false alarms."""
        low, high = wilson(self.alarms, self.runs)
        return float(low), float(high)

    @property
    def cries_wolf(self) -> bool:
        """Whether false alarms are proven to be more frequent than the suite says."""
        return self.interval[0] > self.alpha


def selfcheck(
    path: Path,
    runs: int,
    *,
    model: str | None = None,
    cluster: str | None = None,
    progress: Callable[[int], object] = lambda _done: None,
) -> SelfCheck:
    """Return what a suite can see, and how often it would cry wolf; raises BehaveError if it has nothing to compare.

    ``cluster`` names a column whose groups of rows are exchanged together, as if they were not independent, whatever the
    suite says of them.
    """
    prepared = prepare_file(path)
    against = find_baseline(prepared, None if prepared.table is None else prepared.table.fork())
    if against is not None and against.outcome is None:
        raise BehaveError(f"{path}: a self-check needs the baseline's predictions: {against.reason}")
    if prepared.table is None or against is None or against.outcome is None:
        raise BehaveError(
            f"{path}: a self-check compares with a baseline and its predictions, and there are none: accept them with "
            f"`pytest --behave --behave-baseline=new {path}`"
        )
    measured = Measured(prepared, pick_model(prepared, model), more=against.columns)
    judged = Judged(measured, dt.date.today().isoformat(), against)  # noqa: DTZ011 - the user's own calendar
    if not judged.tests:
        raise BehaveError(f"{path}: there is no `max_regression` to check")
    random = np.random.default_rng(SEED)
    clusters = prepared.table.clusters(cluster)
    if clusters is None:
        clusters = np.arange(len(prepared.table))
    flagged: Counter[Key] = Counter()
    alarms = naive = 0
    for _ in range(runs):
        swaps = Swaps(random.integers(0, 2, int(clusters.max()) + 1).astype(bool)[clusters])
        verdicts = judged.swapped(swaps).changes()
        regressed = [(item.slice, item.name) for item, verdict in verdicts if verdict.verdict == "regressed"]
        flagged.update(regressed)
        alarms += bool(regressed)
        naive += any(verdict.verdict in ("regressed", "suspect") for _, verdict in verdicts)
        progress(1)
    return SelfCheck(
        suite=prepared.suite.name,
        rows=len(prepared.table),
        bounds=judged.tests,
        alpha=prepared.suite.comparison.alpha,
        runs=runs,
        alarms=alarms,
        naive=naive,
        flagged=tuple(flagged.most_common(3)),
        sights=tuple(_sights(judged)),
    )


def _sights(judged: Judged) -> list[Sight]:
    comparisons = judged.comparisons
    if comparisons is None:
        return []
    bounds = [item for item, _ in judged.changes() if (item.slice, item.name) in comparisons.found]
    found = [comparisons.found[item.slice, item.name].paired for item in bounds]
    flippable = [item.flippable for item in found if item.flippable is not None]
    alpha = judged.prepared.suite.comparison.alpha
    by_flips = critical_value(flippable, alpha * len(flippable) / len(found)) if flippable else np.inf
    alone = -_normal_quantile(alpha / len(found)) if found else np.inf
    criticals = [max(by_flips, -_normal_quantile(alpha)) if item.flippable is not None else alone for item in found]
    return [_sight(judged, item, critical) for item, critical in zip(bounds, criticals, strict=True)]


def _sight(judged: Judged, item: Item, critical: float) -> Sight:
    if judged.comparisons is None:
        raise TypeError("a bound sees nothing without a comparison")
    compared = judged.comparisons.found[item.slice, item.name]
    result, change = compared.paired, compared.change
    margin = max(result.margin, 0.0) if np.isfinite(result.margin) else 0.0
    rows = judged.comparisons.independent((item.slice, item.name))
    clustered = judged.comparisons.settings.clusters is not None
    pairs = None if item.kind == "gap" else judged.comparisons.pairs(judged.chosen[item.metric])
    share = isinstance(pairs, PairedValues) and pairs.binary
    if (
        change.test.startswith(("mcnemar", "tango"))
        and change.broken is not None
        and change.fixed is not None
        and result.n
    ):
        disagreement = (change.broken + change.fixed) / result.n
        loss = smallest_loss_caught(disagreement, result.n, margin, critical)
        if loss >= 1:
            return Sight(item.slice, item.name, rows, clustered, share, None)
        wanted = _half(loss, margin)
        return Sight(
            item.slice,
            item.name,
            rows,
            clustered,
            share,
            loss,
            wanted,
            pairs_for_loss(wanted, disagreement, margin, critical),
        )
    error = (result.high - result.low) / (2 * Z)
    if not np.isfinite(error) or error == 0:
        return Sight(item.slice, item.name, rows, clustered, share, None)
    loss = smallest_shift_caught(error, margin, critical)
    wanted = _half(loss, margin)
    more = ((loss - margin) / (wanted - margin)) ** 2
    return Sight(item.slice, item.name, rows, clustered, share, loss, wanted, math.ceil(rows * more))


def _half(loss: float, margin: float) -> float:
    """Return a round loss, about half way to the margin."""
    return margin + rounded((loss - margin) / 2)


def _normal_quantile(share: float) -> float:
    from statistics import NormalDist

    return NormalDist().inv_cdf(share)


def selfcheck_lines(check: SelfCheck) -> list[str]:
    """Return the report: how often the suite cries wolf, and a table of what each bound sees."""
    from tabulate import tabulate

    low, high = check.interval
    share = check.alarms / check.runs
    lines = [
        f"{check.suite}: {check.rows:,} rows, {check.bounds} bounds on changes, alpha {check.alpha:g}",
        f"  {check.runs} runs in which neither model was better:",
        f"    false alarms {share:.1%} (95% [{low:.1%}, {high:.1%}])",
        f"    a gate on any loss beyond the tolerance would fail {check.naive / check.runs:.0%} of them",
    ]
    lines += [f"    {name} {metric}: {count} of {check.runs}" for (name, metric), count in check.flagged]
    if check.cries_wolf:
        lines.append(
            "  this is more than alpha: if rows of one source are not independent, declare `dataset: {cluster: column}`"
        )
    rows = [
        [sight.slice, sight.metric, f"{sight.rows:,}{' clusters' * sight.clusters}", _loss(sight), _advice(sight)]
        for sight in sorted(check.sights, key=lambda sight: (-(sight.loss or math.inf), sight.slice, sight.metric))
    ]
    headers = ("slice", "metric", "rows", "sees a loss of", "to see less")
    table = tabulate(rows, headers=headers, tablefmt="plain", disable_numparse=True)
    return [*lines, "", *(f"  {line}" for line in table.splitlines())]


def _loss(sight: Sight) -> str:
    if sight.loss is None:
        return "nothing"
    return f"{_round_up(100 * sight.loss):g} points" if sight.share else f"{rounded(sight.loss):g}"


def _advice(sight: Sight) -> str:
    if sight.wanted_loss is None or sight.wanted_rows is None or sight.wanted_rows > MOST_ROWS:
        return ""
    wanted = f"{rounded(100 * sight.wanted_loss):g}" if sight.share else f"{rounded(sight.wanted_loss):g}"
    unit = "clusters" if sight.clusters else "rows"
    return f"{_round_up(sight.wanted_rows):,.0f} {unit} would see {wanted}"


def _round_up(value: float) -> float:
    """Round up to two significant digits: advice must not promise too much."""
    if value <= 0:
        return 0.0
    step = 10.0 ** (math.floor(math.log10(value)) - 1)
    return float(f"{math.ceil(value / step - 1e-9) * step:.10g}")
