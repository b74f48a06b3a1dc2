"""What a suite can see and how often it would cry wolf, found on the user's own data.

Baseline and candidate exchange their outputs on random rows, so that neither is better; every regression that the
suite then reports is a false alarm.
"""

from __future__ import annotations

import datetime as dt
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from pytest_behave.compare.multiplicity import critical_value
from pytest_behave.compare.power import pairs_for_loss, smallest_loss_caught, smallest_shift_caught
from pytest_behave.compare.tails import SEED, Z
from pytest_behave.errors import BehaveError
from pytest_behave.evaluate import prepare_file
from pytest_behave.judge.comparisons import Comparisons
from pytest_behave.judge.judgement import Judged
from pytest_behave.evidence.rows import Measured
from pytest_behave.prepare.preparation import Item
from pytest_behave.prepare.repeats import with_repeats
from pytest_behave.evaluate.run import find_baseline, pick_model
from pytest_behave.evidence.swaps import Swaps
from pytest_behave.measure.intervals import wilson
from pytest_behave.records import Key
from pytest_behave.records.pairs import PairedValues
from pytest_behave.records.selfcheck import SelfCheck, Sight


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
    candidate = pick_model(prepared, model)
    prepared = with_repeats(prepared, candidate.repeats)
    against = find_baseline(prepared, None if prepared.table is None else prepared.table.fork())
    if against is not None and against.outcome is None:
        raise BehaveError(f"{path}: a self-check needs the baseline's predictions: {against.reason}")
    if prepared.table is None or against is None or against.outcome is None:
        raise BehaveError(
            f"{path}: a self-check compares with a baseline and its predictions, and there are none: accept them with "
            f"`pytest --behave --behave-baseline=new {path}`"
        )
    measured = Measured(prepared, candidate, more=against.columns)
    judged = Judged(measured, dt.date.today().isoformat(), against)  # noqa: DTZ011 - the user's own calendar
    if judged.comparisons is None or not judged.tests:
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
    low, high = wilson(alarms, runs)
    return SelfCheck(
        suite=prepared.suite.name,
        rows=len(prepared.table.once),
        bounds=judged.tests,
        alpha=prepared.suite.comparison.alpha,
        runs=runs,
        alarms=alarms,
        interval=(float(low), float(high)),
        naive=naive,
        flagged=tuple(flagged.most_common(3)),
        sights=tuple(_sights(judged, judged.comparisons)),
        alike=not any(found.change.change for found in judged.comparisons.found.values()),
    )


def _sights(judged: Judged, comparisons: Comparisons) -> list[Sight]:
    bounds = [item for item, _ in judged.changes() if (item.slice, item.name) in comparisons.found]
    found = [comparisons.found[item.slice, item.name].paired for item in bounds]
    flippable = [item.flippable for item in found if item.flippable is not None]
    alpha = judged.prepared.suite.comparison.alpha
    by_flips = critical_value(flippable, alpha * len(flippable) / len(found)) if flippable else np.inf
    alone = -_normal_quantile(alpha / len(found)) if found else np.inf
    criticals = [max(by_flips, -_normal_quantile(alpha)) if item.flippable is not None else alone for item in found]
    return [_sight(judged, comparisons, item, critical) for item, critical in zip(bounds, criticals, strict=True)]


def _sight(judged: Judged, comparisons: Comparisons, item: Item, critical: float) -> Sight:
    compared = comparisons.found[item.slice, item.name]
    result, change = compared.paired, compared.change
    margin = max(result.margin, 0.0) if np.isfinite(result.margin) else 0.0
    pairs = None if item.kind == "gap" else comparisons.pairs(judged.chosen[item.metric])
    blind = Sight(
        item.slice,
        item.name,
        rows=comparisons.independent((item.slice, item.name)),
        clusters=comparisons.measured.table.spec.cluster is not None,
        share=isinstance(pairs, PairedValues) and pairs.binary,
    )
    is_counted = change.test.startswith(("mcnemar", "tango")) and result.n > 0
    if is_counted and change.broken is not None and change.fixed is not None:
        disagreement = (change.broken + change.fixed) / result.n
        loss = smallest_loss_caught(disagreement, result.n, margin, critical)
        if loss >= 1:
            return blind
        wanted = _half(loss, margin)
        rows = pairs_for_loss(wanted, disagreement, margin, critical)
        return replace(blind, loss=loss, wanted_loss=wanted, wanted_rows=rows)
    error = (result.high - result.low) / (2 * Z)
    if not np.isfinite(error) or error == 0:
        return blind
    loss = smallest_shift_caught(error, margin, critical)
    wanted = _half(loss, margin)
    rows = math.ceil(blind.rows * ((loss - margin) / (wanted - margin)) ** 2)
    return replace(blind, loss=loss, wanted_loss=wanted, wanted_rows=rows)


def _half(loss: float, margin: float) -> float:
    """Return a round loss, about half way to the margin."""
    return margin + float(f"{(loss - margin) / 2:.2g}")


def _normal_quantile(share: float) -> float:
    from statistics import NormalDist

    return NormalDist().inv_cdf(share)
