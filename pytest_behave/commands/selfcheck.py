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

from pytest_behave.codes import factorize
from pytest_behave.compare.multiplicity import critical_value
from pytest_behave.compare.power import pairs_for_loss, smallest_loss_caught, smallest_shift_caught
from pytest_behave.compare.tails import SEED, Z
from pytest_behave.errors import BehaveError
from pytest_behave.evaluate import prepare_file
from pytest_behave.evaluate.run import pick_model
from pytest_behave.evidence.protocol import Unpairable
from pytest_behave.evidence.swaps import Swaps
from pytest_behave.evidence.whole import WholeRun, find_baseline, predictor_of
from pytest_behave.judge.comparisons import Comparisons
from pytest_behave.judge.judgement import Judgement
from pytest_behave.measure.intervals import wilson
from pytest_behave.prepare.items import Item
from pytest_behave.prepare.repeats import with_repeats
from pytest_behave.records import Key
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
    against = find_baseline(prepared)
    if against is not None and against.outcome is None:
        raise BehaveError(f"{path}: a self-check needs the baseline's predictions: {against.reason}")
    if prepared.table is None or against is None or against.outcome is None:
        raise BehaveError(
            f"{path}: a self-check compares with a baseline and its predictions, and there are none: accept them with "
            f"`pytest --behave --behave-baseline=new {path}`"
        )
    evidence = WholeRun.of(prepared, candidate, predictor_of(prepared, candidate), against).evidence
    judgement = Judgement(prepared, evidence, dt.date.today().isoformat())  # noqa: DTZ011 - the user's own calendar
    if judgement.comparisons is None or not judgement.tests:
        raise BehaveError(f"{path}: there is no `max_regression` to check")
    random = np.random.default_rng(SEED)
    names = prepared.table.clusters(cluster)
    clusters = np.arange(len(prepared.table)) if names is None else factorize(names)[0]
    flagged: Counter[Key] = Counter()
    alarms = naive = 0
    for _ in range(runs):
        swaps = Swaps(random.integers(0, 2, int(clusters.max()) + 1).astype(bool)[clusters])
        verdicts = judgement.beside(evidence.swapped(swaps)).changes()
        regressed = [(item.slice, item.name) for item, verdict in verdicts if verdict.verdict == "regressed"]
        flagged.update(regressed)
        alarms += bool(regressed)
        naive += any(verdict.verdict in ("regressed", "suspect") for _, verdict in verdicts)
        progress(1)
    low, high = wilson(alarms, runs)
    return SelfCheck(
        suite=prepared.suite.name,
        rows=len(prepared.table.once),
        bounds=judgement.tests,
        alpha=prepared.suite.comparison.alpha,
        runs=runs,
        alarms=alarms,
        interval=(float(low), float(high)),
        naive=naive,
        flagged=tuple(flagged.most_common(3)),
        sights=tuple(_sights(judgement, judgement.comparisons)),
        alike=not any(found.change.change for found in judgement.comparisons.found.values()),
    )


def _sights(judgement: Judgement, comparisons: Comparisons) -> list[Sight]:
    bounds = [item for item, _ in judgement.changes() if (item.slice, item.name) in comparisons.found]
    found = [comparisons.found[item.slice, item.name].paired for item in bounds]
    flippable = [item.flippable for item in found if item.flippable is not None]
    alpha = judgement.prepared.suite.comparison.alpha
    by_flips = critical_value(flippable, alpha * len(flippable) / len(found)) if flippable else np.inf
    alone = -_normal_quantile(alpha / len(found)) if found else np.inf
    criticals = [max(by_flips, -_normal_quantile(alpha)) if item.flippable is not None else alone for item in found]
    return [_sight(judgement, comparisons, item, critical) for item, critical in zip(bounds, criticals, strict=True)]


def _sight(judgement: Judgement, comparisons: Comparisons, item: Item, critical: float) -> Sight:
    compared = comparisons.found[item.slice, item.name]
    result, change = compared.paired, compared.change
    margin = max(result.margin, 0.0) if np.isfinite(result.margin) else 0.0
    pairing = None if item.kind == "gap" else comparisons.evidence.pairing(judgement.chosen[item.metric])
    blind = Sight(
        item.slice,
        item.name,
        rows=comparisons.independent((item.slice, item.name)),
        clusters=judgement.prepared.table is not None and judgement.prepared.table.spec.cluster is not None,
        share=pairing is not None and not isinstance(pairing, Unpairable) and pairing.is_share,
    )
    if result.is_counted and result.n > 0 and change.broken is not None and change.fixed is not None:
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
