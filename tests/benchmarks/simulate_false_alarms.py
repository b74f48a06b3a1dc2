"""How often does a gate fail a change that made nothing worse?

    python tests/benchmarks/simulate_false_alarms.py [--only WORD] [--runs 500]

Each run draws 5,000 rows, slices that overlap (ranges of five columns), and the outputs of two models. A gate raises a
false alarm if it flags any slice on which the candidate is no worse than the baseline, or no worse than is tolerated.

    ours          the package: a slice is `regressed`
    dropped       the metric got worse by more than the tolerance at all
    unpaired z    a z-test at 0.05 that takes the two models for independent samples
    paired        the paired test at 0.05, not corrected for the number of slices: McNemar's for shares
    Holm          the paired tests, corrected by Holm

Four studies are harder than two equal models, an asterisk marks them: the candidate is worse everywhere, by exactly the
tolerance. In another the candidate loses a little on most rows and gains much on few. In the last one rows come in
clusters that are not declared: a contrast in a fifth of the runs, of which nothing is required. The first run of every
study also goes through a suite file and `evaluate_suite`, which must come to the same verdicts.

The exit code is 1 if a share of ours is above 0.05 plus two standard errors.
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import yaml
from scipy.special import expit

from pytest_behave import evaluate_suite
from pytest_behave.compare import influence
from pytest_behave.compare.multiplicity import adjusted, holm, units_of
from pytest_behave.compare.paired import Margin, Paired, Settings, compare_pairs
from pytest_behave.compare.power import MOST_SEARCHED, can_decide
from pytest_behave.compare.regression import judge_change
from pytest_behave.compare.tails import upper_tail
from pytest_behave.data.columns import column_of
from pytest_behave.measure.paired import paired
from pytest_behave.measure.registry import Chosen, find_metric
from pytest_behave.records import Change, MetricSpec, Outcome, Tolerance
from pytest_behave.records.pairs import PairedValues, Pairs

SEED = 20_270_101
ALPHA = 0.05
ROWS = 5_000
DISAGREEMENT = 0.1
COLUMNS = 5
ROUNDING = 1e-12
RUNS = 500
GATES = ("ours", "dropped", "unpaired z", "paired", "Holm")

Random = np.random.Generator


class Slices(NamedTuple):
    """The rows of each slice, and the place of each row in the first of the columns that slices are ranges of."""

    rows: list[np.ndarray]
    place: np.ndarray
    clusters: np.ndarray | None = None

    def apart_from(self, index: int) -> np.ndarray:
        """Tell which slices share no row with one."""
        mine = set(self.rows[index].tolist())
        return np.array([mine.isdisjoint(rows.tolist()) for rows in self.rows])


class Sample(NamedTuple):
    """The outputs of two models on the same rows."""

    baseline: Outcome
    candidate: Outcome


def draw_slices(random: Random, count: int, smallest: int, largest: int, clusters: np.ndarray | None = None) -> Slices:
    """Draw ranges of five columns, sizes spread evenly on a logarithmic scale; columns are constant within clusters."""
    of_rows = np.arange(ROWS) if clusters is None else clusters
    orders = [np.argsort(random.permutation(ROWS)[of_rows], kind="stable") for _ in range(COLUMNS)]
    sizes = random.permutation(np.geomspace(smallest, largest, count).round().astype(np.int64))
    starts = random.integers(0, ROWS - sizes + 1)
    rows = [
        np.sort(orders[index % COLUMNS][start : start + size])
        for index, (start, size) in enumerate(zip(starts.tolist(), sizes.tolist(), strict=True))
    ]
    return Slices(rows, np.argsort(orders[0]), clusters)


def draw_clusters(random: Random) -> np.ndarray:
    """Return the cluster of each row; a cluster has 10 rows on average, 40 at most."""
    sizes = np.minimum(random.geometric(0.1, ROWS), 40)
    clusters = random.permutation(np.repeat(np.arange(ROWS), sizes)[:ROWS])
    return np.unique(clusters, return_inverse=True)[1]


def outcome_of(target: np.ndarray, predicted: np.ndarray, score: np.ndarray | None = None) -> Outcome:
    """Return targets and outputs as metrics see them."""
    frame = pd.DataFrame()
    return Outcome(
        task="binary",
        size=len(target),
        target=target,
        predicted=predicted,
        score=score,
        proba={},
        classes=("0", "1"),
        target_classes=2,
        positive=1,
        column=lambda name: column_of(frame[name]),
        condition=lambda _: (np.zeros(0, dtype=bool), np.zeros(0, dtype=bool)),
        frame=lambda: frame,
        is_probability=score is not None,
    )


# --- models -------------------------------------------------------------------------------------------------------

WRONG = 0.15  # where both say the same


def from_flips(random: Random, broken: np.ndarray, fixed: np.ndarray, *, wrong: float = WRONG) -> Sample:
    """Return models whose answers on a row are broken or fixed with these chances, else the same."""
    target = random.integers(0, 2, len(broken))
    draw, both = random.random(len(broken)), random.random(len(broken)) < wrong
    is_broken, is_fixed = draw < broken, (draw >= broken) & (draw < broken + fixed)
    errors = (np.where(is_broken, False, is_fixed | both), np.where(is_fixed, False, is_broken | both))
    baseline, candidate = (outcome_of(target, np.where(error, 1 - target, target)) for error in errors)
    return Sample(baseline, candidate)


def even(random: Random, slices: Slices) -> Sample:
    """Return two models of equal quality that disagree on a tenth of the rows."""
    del slices
    share = np.full(ROWS, DISAGREEMENT / 2)
    return from_flips(random, share, share)


def worse_by_a_point(random: Random, slices: Slices) -> Sample:
    """Return a candidate that is one point worse everywhere."""
    del slices
    share = np.full(ROWS, DISAGREEMENT / 2)
    return from_flips(random, share + 0.005, share - 0.005)


def worse_on_the_first(random: Random, slices: Slices, loss: float = 0.1) -> Sample:
    """Return a candidate that is worse on one slice."""
    share = np.full(ROWS, DISAGREEMENT / 2)
    broken = share.copy()
    broken[slices.rows[0]] += loss
    return from_flips(random, broken, share)


def rare(random: Random, slices: Slices) -> Sample:
    """Return models that err on a hundredth of the rows, each on its own ones."""
    del slices
    return from_flips(random, np.full(ROWS, 0.01), np.full(ROWS, 0.01), wrong=0.0)


def uneven(random: Random, slices: Slices) -> Sample:
    """Return models that disagree on 1 % of the rows at one end of a column, on 40 % at the other, a tenth on average."""
    share = 0.005 + 0.195 * (slices.place / ROWS) ** 3
    return from_flips(random, share, share)


def by_cluster(random: Random, slices: Slices) -> Sample:
    """Return models that disagree on half of the rows of some clusters, within one always in the same direction."""
    kind = random.choice(3, ROWS, p=[1 - 2 * DISAGREEMENT, DISAGREEMENT, DISAGREEMENT])[slices.clusters]
    return from_flips(random, np.where(kind == 1, 0.5, 0.0), np.where(kind == 2, 0.5, 0.0))


PREVALENCE = 0.3
OWN_NOISE = 0.45  # of each model, where the noise of both is 1: they disagree on 10 % of the rows
MORE_NOISE = 0.6  # of a candidate that is worse


def scored(random: Random, size: int, more_noise: float) -> Sample:
    """Return models of about 0.9 under the curve that see the same evidence, each with a noise of its own."""
    target = (random.random(size) < PREVALENCE).astype(np.int64)
    evidence = random.normal(2 * target - 1, 1)
    seen = evidence + random.normal(0, OWN_NOISE, (2, size))
    if more_noise:
        seen[1] += random.normal(0, more_noise, size)
    prior = math.log(PREVALENCE / (1 - PREVALENCE))
    scores = expit(2 * seen / (1 + OWN_NOISE**2) + prior)
    baseline, candidate = (outcome_of(target, (score >= 0.5).astype(np.int64), score) for score in scores)
    return Sample(baseline, candidate)


def even_scores(random: Random, slices: Slices) -> Sample:
    """Return two models of equal quality that disagree on a tenth of the rows."""
    del slices
    return scored(random, ROWS, 0.0)


def worse_scores(random: Random, slices: Slices) -> Sample:
    """Return a candidate that is worse everywhere."""
    del slices
    return scored(random, ROWS, MORE_NOISE)


SHARP_NOISE, OVERCONFIDENCE = 0.1, 1.63  # a better model whose log-odds are too large, so that its log loss is as high


def less_overconfident(random: Random, slices: Slices) -> Sample:
    """Return a candidate that loses a little on most rows and gains much on a few, about as much (a little more) in all.

    The baseline sees more, but is too sure of it. The differences of their log losses have a skewness of -3.5.
    """
    del slices
    target = (random.random(ROWS) < PREVALENCE).astype(np.int64)
    evidence = random.normal(2 * target - 1, 1)
    log_odds = [
        2 * (evidence + random.normal(0, noise, ROWS)) / (1 + noise**2) + math.log(PREVALENCE / (1 - PREVALENCE))
        for noise in (SHARP_NOISE, OWN_NOISE)
    ]
    scores = expit(OVERCONFIDENCE * log_odds[0]), expit(log_odds[1])
    baseline, candidate = (outcome_of(target, (score >= 0.5).astype(np.int64), score) for score in scores)
    return Sample(baseline, candidate)


@cache
def true_loss(metric: str) -> float:
    """Return how much worse the worse candidate is, from four million rows."""
    item, random = chosen_of(metric), np.random.default_rng([SEED, 1])
    found = []
    for _ in range(4):
        sample = scored(random, 1_000_000, MORE_NOISE)
        of_all = influence.of_pairs(pairs_of(item, sample)).on(np.arange(1_000_000))
        found.append(worse_of(item) * (of_all.candidate - of_all.baseline))
    return float(np.mean(found))


# --- gates --------------------------------------------------------------------------------------------------------


def chosen_of(metric: str) -> Chosen:
    """Return a built-in metric as a suite that lists it does."""
    return find_metric(MetricSpec(metric, metric), "binary", {})


def worse_of(item: Chosen) -> int:
    """Return +1 where a rise of the metric is a loss, else -1."""
    return 1 if item.better == "lower" else -1


def pairs_of(item: Chosen, sample: Sample) -> Pairs:
    """Return a metric of both models, as it can be compared row by row."""
    found = paired(item, sample.baseline, sample.candidate)
    if found is None:
        raise SystemExit(f"{item.spec.name} cannot be compared")
    return found


@dataclass(frozen=True)
class Compared:
    """One metric on all slices: the package's comparisons, their p-values, and which of them it gives one."""

    item: Chosen
    tolerance: float
    results: list[Paired]
    tested: np.ndarray
    decidable: np.ndarray
    p: np.ndarray
    p_adjusted: np.ndarray

    @property
    def beyond(self) -> np.ndarray:
        """How far each loss is beyond its tolerance; minus infinity where the metric is undefined."""
        found = [worse_of(self.item) * result.change - result.margin for result in self.results]
        return np.nan_to_num(np.array(found), nan=-np.inf)

    def verdicts(self) -> list[str]:
        """Return the package's verdict on each slice."""
        return [
            self._verdict(result, Tolerance(self.tolerance), *judged)
            for result, *judged in zip(self.results, self.p_adjusted.tolist(), self.decidable.tolist(), strict=True)
        ]

    def _verdict(self, result: Paired, tolerance: Tolerance, p_adjusted: float, decidable: bool) -> str:
        defined = not math.isnan(result.baseline)
        change = Change(
            value=result.baseline if defined else None,
            change=result.change if defined else None,
            n=result.n,
            tolerance=result.margin,
            p_adjusted=p_adjusted,
        )
        return judge_change(
            change,
            tolerance,
            name="max_regression",
            worse=worse_of(self.item),
            decide=None,
            alpha=ALPHA,
            differs=result.differs,
            decidable=decidable,
            coverage=1.0,
            needed=MOST_SEARCHED,
        ).verdict


@cache
def decides(count: int, margin: float) -> bool:
    """Tell whether any outcome on so many independent pairs could be a regression."""
    return can_decide(count, margin, ALPHA)


def compare(
    item: Chosen, pairs: Pairs, slices: Slices, tolerance: float, clusters: np.ndarray | None = None
) -> Compared:
    """Compare two models on all slices by the rules of ``judge/comparisons.py``."""
    settings = Settings(units_of(np.arange(ROWS) if clusters is None else clusters), clusters)
    margins = [Margin(tolerance)] * len(slices.rows)
    results = compare_pairs(pairs, slices.rows, margins, worse_of(item), settings)
    units = [
        result.n if clusters is None else len(np.unique(clusters[rows]))
        for result, rows in zip(results, slices.rows, strict=True)
    ]
    decidable = np.array(
        [not math.isnan(result.baseline) and decides(n, tolerance) for result, n in zip(results, units, strict=True)]
    )
    tested = decidable & np.array([result.differs for result in results])
    p, together = np.ones((2, len(results)))
    some = [result for result, is_tested in zip(results, tested.tolist(), strict=True) if is_tested]
    if some:
        p[tested], together[tested] = adjusted([item.p for item in some], [item.flippable for item in some])
    return Compared(item, tolerance, results, tested, decidable, p, together)


def unpaired_z(compared: Compared, pairs: Pairs, slices: Slices) -> np.ndarray:
    """Return z of each loss beyond the tolerance, the models taken for independent samples."""
    if isinstance(pairs, PairedValues) and pairs.binary:
        shares = np.array([[result.baseline, result.candidate] for result in compared.results])
        variance = (shares * (1 - shares)).sum(axis=1) / [max(result.n, 1) for result in compared.results]
    else:
        variance = np.array([unpaired_variance(pairs, rows) for rows in slices.rows])
    z = np.divide(compared.beyond, np.sqrt(variance), out=np.zeros(len(variance)), where=variance > 0)
    return np.where(compared.decidable, z, 0.0)


def unpaired_variance(pairs: Pairs, rows: np.ndarray) -> float:
    """Return the variance of the change, had the models been measured on different rows."""
    found = influence.of_pairs(pairs).on(rows)
    return float((found.baseline_rows**2).sum() + (found.candidate_rows**2).sum())


def by_holm(compared: Compared) -> np.ndarray:
    """Return the p-values of the tests that the package makes, corrected by Holm; 1 for the others."""
    result = np.ones(len(compared.p))
    result[compared.tested] = holm(compared.p[compared.tested])
    return result


def flags(compared: Compared, pairs: Pairs, slices: Slices) -> dict[str, np.ndarray]:
    """Return which slices each gate flags."""
    lost = compared.beyond > ROUNDING
    return {
        "ours": np.array(compared.verdicts()) == "regressed",
        "dropped": lost,
        "unpaired z": upper_tail(unpaired_z(compared, pairs, slices)) <= ALPHA,
        "paired": lost & (compared.p <= ALPHA),
        "Holm": lost & (by_holm(compared) <= ALPHA),
    }


# --- studies ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Study:
    """A world in which nothing is worse than tolerated, apart from the first slice where ``apart`` asks for the others.

    ``tolerance`` may be a function of the metric.
    """

    name: str
    draw: Callable[[Random, Slices], Sample]
    metric: str = "accuracy"
    slices: tuple[int, int, int] = (200, 40, 2_500)
    tolerance: float | Callable[[str], float] = 0.0
    apart: bool = False
    clustered: bool = False
    required: bool = True

    @property
    def tolerated(self) -> float:
        """The tolerance as a number."""
        return self.tolerance(self.metric) if callable(self.tolerance) else self.tolerance

    def drawn(self, run: int) -> tuple[Slices, Sample]:
        """Return the slices and outputs of one run; studies of the same world get the same."""
        random = np.random.default_rng([SEED, 2, run])
        clusters = draw_clusters(random) if self.clustered else None
        slices = draw_slices(random, *self.slices, clusters)
        return slices, self.draw(random, slices)

    def clusters(self, slices: Slices) -> np.ndarray | None:
        """Return the clusters that the suite declares."""
        return slices.clusters if self.required else None


FIFTY = (50, 100, 2_500)
STUDIES = (
    Study("accuracy", even),
    Study("accuracy, tolerance 0.01", even, tolerance=0.01),
    Study("accuracy, tolerance 0.01 *", worse_by_a_point, tolerance=0.01),
    Study("accuracy, one slice 10 points worse: others", worse_on_the_first, apart=True),
    Study("fnr", even, "fnr"),
    Study("roc_auc", even_scores, "roc_auc", slices=FIFTY),
    Study("log_loss", even_scores, "log_loss", slices=FIFTY),
    Study("log_loss, baseline overconfident", less_overconfident, "log_loss", slices=FIFTY),
    Study("f1", even_scores, "f1", slices=FIFTY),
    Study("roc_auc, its loss tolerated *", worse_scores, "roc_auc", FIFTY, true_loss),
    Study("log_loss, its loss tolerated *", worse_scores, "log_loss", FIFTY, true_loss),
    Study("f1, its loss tolerated *", worse_scores, "f1", FIFTY, true_loss),
    Study("accuracy, 20 to 200 rows, errors 1 %", rare, slices=(200, 20, 200)),
    Study("accuracy, disagreement 1 % to 40 %", uneven),
    Study("accuracy, clusters of rows, declared", by_cluster, clustered=True),
    Study("accuracy, clusters of rows, not declared", by_cluster, clustered=True, required=False),
)


def run_once(study: Study, run: int) -> dict[str, bool]:
    """Return which gates raise a false alarm."""
    slices, sample = study.drawn(run)
    item = chosen_of(study.metric)
    pairs = pairs_of(item, sample)
    compared = compare(item, pairs, slices, study.tolerated, study.clusters(slices))
    if run == 0:
        check_suite(study, slices, sample, compared.verdicts())
    counted = slices.apart_from(0) if study.apart else np.ones(len(slices.rows), dtype=bool)
    found = flags(compared, pairs, slices)
    return {gate: bool((flagged & counted).any()) for gate, flagged in found.items()}


def check_suite(study: Study, slices: Slices, sample: Sample, verdicts: Sequence[str]) -> None:
    """Let the package itself judge the run, from a suite file on; the verdicts must be the same."""
    names = [f"s{index}" for index in range(len(slices.rows))]
    masks = np.zeros((len(names), ROWS), dtype=bool)
    for mask, rows in zip(masks, slices.rows, strict=True):
        mask[rows] = True
    frame = pd.DataFrame(
        {"id": np.arange(ROWS), "target": sample.baseline.target, **dict(zip(names, masks, strict=True))}
    )
    output = "prediction" if sample.baseline.score is None else "score"
    dataset: dict[str, object] = {"path": "rows.parquet", "id": "id", "target": "target", "positive": 1}
    for name, outcome in (("old", sample.baseline), ("new", sample.candidate)):
        frame[name] = outcome.predicted if output == "prediction" else outcome.score
    clusters = study.clusters(slices)
    if clusters is not None:
        frame["cluster"], dataset["cluster"] = clusters, "cluster"
    suite = {
        "suite": "check",
        "dataset": dataset,
        "models": {name: {"column": name, "as": output} for name in ("old", "new")},
        "baseline": "old",
        "slices": {name: name for name in names},
        "metrics": [study.metric],
        "expect": {name: {study.metric: {"max_regression": study.tolerated}} for name in names},
    }
    with tempfile.TemporaryDirectory() as folder:
        frame.to_parquet(Path(folder, "rows.parquet"))
        path = Path(folder, "check.behave.yaml")
        path.write_text(yaml.safe_dump(suite, sort_keys=False), encoding="utf-8")
        found = {item.slice: item.verdict for item in evaluate_suite(path).behaviors}
    different = [(name, found[name], own) for name, own in zip(names, verdicts, strict=True) if found[name] != own]
    if different:
        raise SystemExit(f"{study.name}: the suite comes to other verdicts (slice, its, ours): {different}")


# --- report -------------------------------------------------------------------------------------------------------


def shares(study: Study, runs: int) -> Mapping[str, float]:
    """Return the share of runs with a false alarm of each gate."""
    start = time.perf_counter()
    alarms = pd.DataFrame([run_once(study, run) for run in range(runs)])
    print(f"{study.name}: {time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True)
    return {gate: float(alarms[gate].mean()) for gate in GATES}


def limit(runs: int) -> float:
    """Return what a gate that keeps its level exceeds once in forty times."""
    return ALPHA + 2 * math.sqrt(ALPHA * (1 - ALPHA) / runs)


def line(study: Study, found: Mapping[str, float], runs: int) -> str:
    """Return one line of the table."""
    error = math.sqrt(found["ours"] * (1 - found["ours"]) / runs)
    verdict = "-" if not study.required else "pass" if found["ours"] <= limit(runs) else "FAIL"
    others = "".join(f"{found[gate]:>12.3f}" for gate in GATES[1:])
    return f"{study.name:46}{study.slices[0]:>6} {found['ours']:>8.3f} +-{error:.3f} {verdict:>5} {others}"


def main() -> int:
    """Print the table; 1 if there are too many false alarms."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--only", default="", help="studies whose name contains this")
    options.add_argument("--runs", type=int, default=RUNS)
    chosen = options.parse_args()
    start = time.process_time()
    print(f"share of {chosen.runs} runs with a false alarm; required of ours: at most {limit(chosen.runs):.3f}\n")
    print(f"{'':46}{'slices':>6} {'ours':>8}{'':14} {''.join(f'{gate:>12}' for gate in GATES[1:])}")
    failed = 0
    for study in [study for study in STUDIES if chosen.only in study.name]:
        runs = chosen.runs if study.required else max(chosen.runs // 5, 1)
        found = shares(study, runs)
        print(line(study, found, runs), flush=True)
        failed += study.required and found["ours"] > limit(chosen.runs)
    print(f"\n{failed} above the limit; {time.process_time() - start:.0f} s of processor time")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
