"""Metrics of binary and multiclass classification.

Definitions are scikit-learn's where it has them; where it substitutes 0 for an undefined value, ours is undefined.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from pytest_behave.errors import MetricError
from pytest_behave.measure import intervals
from pytest_behave.measure.calibration import CalibrationError
from pytest_behave.measure.confusion import (
    Totals,
    averaged,
    balanced_accuracy,
    balanced_interval,
    matthews,
    matthews_interval,
    per_class,
)
from pytest_behave.measure.kernel import Masks
from pytest_behave.measure.means import Mean
from pytest_behave.measure.metric import Metric, always
from pytest_behave.measure.ranking import Ranked
from pytest_behave.measure.states import Counts
from pytest_behave.measure.statistics import CellFunction, Proportion, estimate_of
from pytest_behave.records import Estimate, MetricSpec, Outcome

SKLEARN = "scikit-learn user guide, section 3.4.4"
NO_POSITIVES = "no positives, neither in the target nor in the output"
Planes = tuple[np.ndarray, np.ndarray]


def _target(outcome: Outcome) -> np.ndarray:
    return np.asarray(outcome.target)


def _predicted(outcome: Outcome) -> np.ndarray:
    return np.asarray(outcome.predicted)


def _everything(outcome: Outcome) -> np.ndarray:
    return np.ones(outcome.size, dtype=bool)


def _correct(outcome: Outcome) -> Planes:
    return _target(outcome) == _predicted(outcome), _everything(outcome)


def _is_positive(outcome: Outcome) -> np.ndarray:
    return _target(outcome) == outcome.positive


def _says_positive(outcome: Outcome) -> np.ndarray:
    return _predicted(outcome) == outcome.positive


def _says_negative(outcome: Outcome) -> np.ndarray:
    return _predicted(outcome) == 1 - outcome.positive


class BinaryF1:
    """F1 of the positive class, which the positive code of an outcome picks."""

    floor: ClassVar[float] = 0.0
    ceiling: ClassVar[float] = 1.0

    def estimates(self, outcome: Outcome, masks: Masks) -> list[Estimate]:
        """Return Wilson intervals of the Jaccard index, mapped."""
        return self.finish(self.state(outcome, masks))

    def state(self, outcome: Outcome, masks: Masks) -> Counts:
        """Count true positives, positives and positive outputs, and all rows."""
        return self.state_of(outcome, masks.count(self.counted(outcome)))

    def counted(self, outcome: Outcome) -> Sequence[np.ndarray]:
        """Return true positives, positives, positive outputs, and all rows."""
        target, output = _is_positive(outcome), _says_positive(outcome)
        return target & output, target, output, _everything(outcome)

    def state_of(self, _outcome: Outcome, counts: np.ndarray) -> Counts:
        """Return the counts as they are."""
        return Counts(counts)

    def figures(self, state: Counts) -> np.ndarray:
        """Return 2 TP / (2 TP + errors)."""
        hits, support, predicted, _ = state.counts.T
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(2 * hits / (support + predicted))

    def finish(self, state: Counts) -> list[Estimate]:
        """Return Wilson intervals of the Jaccard index, mapped."""
        hits, support, predicted, sizes = state.counts.T
        low, high = intervals.jaccard_f1(hits, support + predicted - 2 * hits)
        columns = (self.figures(state), low, high, sizes)
        return [
            estimate_of(*ends, n=n, nothing=NO_POSITIVES, interval="wilson on the Jaccard index")
            for *ends, n in zip(*(column.tolist() for column in columns), strict=True)
        ]

    def function(self, outcome: Outcome) -> CellFunction:
        """Return F1 as a function of counts."""
        index = outcome.positive

        def counts_of(totals: Totals) -> tuple[np.ndarray, np.ndarray]:
            hits, support, predicted = (total[..., index] for total in totals)
            return hits, support + predicted - 2 * hits

        def value(totals: Totals) -> np.ndarray:
            hits, errors = counts_of(totals)
            with np.errstate(invalid="ignore", divide="ignore"):
                return np.asarray(2 * hits / (2 * hits + errors))

        return CellFunction(
            value,
            NO_POSITIVES,
            closed=lambda counts: intervals.jaccard_f1(*counts_of(per_class(counts))),
            interval="wilson on the Jaccard index",
        )


# --- probabilities ------------------------------------------------------------------------------------------------

EPSILON = float(np.finfo(np.float64).eps)


def _true_probability(outcome: Outcome) -> np.ndarray:
    """Return the probability that the model gave to the true class."""
    named = set(outcome.classes[: outcome.target_classes]) <= set(outcome.proba)
    if outcome.task == "binary" and outcome.score is not None and not named:
        return np.where(_is_positive(outcome), outcome.score, 1 - outcome.score)
    return _class_probabilities(outcome)[np.arange(outcome.size), _target(outcome)]


def _class_probabilities(outcome: Outcome) -> np.ndarray:
    """Return a column per class of the target, then those of classes that only the model has."""
    own = outcome.classes[: outcome.target_classes]
    absent = [name for name in own if name not in outcome.proba]
    if absent:
        raise MetricError(f"the model gives no `proba:{absent[0]}`")
    others = [name for name in outcome.proba if name not in own]
    return np.column_stack([outcome.proba[name] for name in (*own, *others)])


def _log_loss(outcome: Outcome) -> np.ndarray:
    return np.asarray(-np.log(np.clip(_true_probability(outcome), EPSILON, 1 - EPSILON)))


def _brier(outcome: Outcome) -> np.ndarray:
    return np.asarray((np.asarray(outcome.score) - _is_positive(outcome)) ** 2)


def _top_k(spec: MetricSpec) -> Proportion:
    k = int(spec.parameters.get("k", 2))

    def planes(outcome: Outcome) -> Planes:
        proba = _class_probabilities(outcome)
        own = proba[np.arange(outcome.size), _target(outcome)]
        return (proba > own[:, None]).sum(axis=1) < k, _everything(outcome)

    return Proportion(planes)


def of_a_class(kind: str, label: str) -> Metric:
    """Return the metric ``recall of <label>`` or ``precision of <label>``."""

    def planes(outcome: Outcome) -> Planes:
        if label not in outcome.classes:
            raise MetricError(
                f"{kind} of {label}: there is no class {label!r} (classes: {', '.join(outcome.classes[:8])})"
            )
        code = outcome.classes.index(label)
        correct = _target(outcome) == _predicted(outcome)
        return correct, (_target(outcome) if kind == "recall" else _predicted(outcome)) == code

    nothing = f"no instance of class {label}" if kind == "recall" else f"no prediction of class {label}"
    return Metric(
        name=f"{kind} of {label}",
        better="higher",
        statistic=always(Proportion(planes, nothing)),
        definition=f"{kind} of one class",
        undefined=nothing,
        source=SKLEARN,
        tasks=("binary", "multiclass"),
    )


# --- the list -----------------------------------------------------------------------------------------------------


def _averages() -> list[Metric]:
    result = []
    for name in ("precision", "recall", "f1"):
        result.append(
            Metric(
                name=f"micro_{name}",
                better="higher",
                tasks=("multiclass",),
                statistic=always(Proportion(_correct)),
                definition="hits over all classes / all decisions; with one label per instance it equals accuracy",
                undefined="never (a slice is not empty)",
                source=SKLEARN,
            )
        )
        for average, words in (("macro", "plain mean"), ("weighted", "mean weighted by support")):
            result.append(
                Metric(
                    name=f"{average}_{name}",
                    better="higher",
                    tasks=("multiclass",),
                    statistic=always(CellFunction(averaged(name, average), "no instance")),
                    definition=f"{words} of each class's {name} over classes in target or output; 0 for a class without any",
                    undefined="never (a slice is not empty)",
                    source=SKLEARN,
                )
            )
    return result


METRICS = (
    Metric(
        name="accuracy",
        better="higher",
        tasks=("binary", "multiclass"),
        statistic=always(Proportion(_correct)),
        definition="share of instances whose predicted class is the target",
        undefined="never (a slice is not empty)",
        source=SKLEARN,
    ),
    Metric(
        name="balanced_accuracy",
        better="higher",
        tasks=("binary", "multiclass"),
        statistic=always(
            CellFunction(balanced_accuracy, "only one class", closed=balanced_interval, interval="mover of wilson")
        ),
        definition="mean recall over the classes that occur in the slice's target",
        undefined="the slice has only one class",
        source="Brodersen et al. 2010, ICPR; interval: Zou & Donner 2008, Stat. Med. 27:1693",
    ),
    Metric(
        name="precision",
        better="higher",
        tasks=("binary",),
        statistic=always(
            Proportion(lambda o: (_is_positive(o), _says_positive(o)), "no instance that is predicted positive")
        ),
        definition="TP / (TP + FP)",
        undefined="nothing is predicted positive",
        source=SKLEARN,
    ),
    Metric(
        name="recall",
        better="higher",
        tasks=("binary",),
        statistic=always(Proportion(lambda o: (_says_positive(o), _is_positive(o)), "no positives")),
        definition="TP / positives",
        undefined="the slice has no positives",
        source=SKLEARN,
    ),
    Metric(
        name="specificity",
        better="higher",
        tasks=("binary",),
        statistic=always(Proportion(lambda o: (_says_negative(o), ~_is_positive(o)), "no negatives")),
        definition="TN / negatives; a class that the target never has is not a true negative",
        undefined="the slice has no negatives",
        source="Fawcett 2006, Pattern Recognit. Lett. 27:861",
    ),
    Metric(
        name="fpr",
        better="lower",
        tasks=("binary",),
        statistic=always(Proportion(lambda o: (_says_positive(o), ~_is_positive(o)), "no negatives")),
        definition="FP / negatives",
        undefined="the slice has no negatives",
        source="Fawcett 2006, Pattern Recognit. Lett. 27:861",
    ),
    Metric(
        name="fnr",
        better="lower",
        tasks=("binary",),
        statistic=always(Proportion(lambda o: (~_says_positive(o), _is_positive(o)), "no positives")),
        definition="positives not predicted positive / positives",
        undefined="the slice has no positives",
        source="Fawcett 2006, Pattern Recognit. Lett. 27:861",
    ),
    Metric(
        name="f1",
        better="higher",
        tasks=("binary",),
        statistic=always(BinaryF1()),
        definition="2 TP / (2 TP + FP + FN)",
        undefined=NO_POSITIVES,
        source=SKLEARN,
    ),
    Metric(
        name="selection_rate",
        better="higher",
        tasks=("binary",),
        statistic=always(Proportion(lambda o: (_says_positive(o), _everything(o)))),
        definition="share of instances predicted positive",
        undefined="never (a slice is not empty)",
        source="Fairlearn user guide, common fairness metrics",
    ),
    Metric(
        name="positive_rate",
        better="higher",
        tasks=("binary",),
        needs="nothing",
        statistic=always(Proportion(lambda o: (_is_positive(o), _everything(o)))),
        definition="share of instances whose target is positive (prevalence)",
        undefined="never (a slice is not empty)",
        source="Fawcett 2006, Pattern Recognit. Lett. 27:861",
    ),
    Metric(
        name="mcc",
        better="higher",
        tasks=("binary", "multiclass"),
        statistic=always(
            CellFunction(
                matthews,
                "only one class in the target or in the output",
                closed=matthews_interval,
                interval="delta method, fisher z",
                floor=-1.0,
            )
        ),
        definition="Matthews' correlation of target and output (Gorodkin's form for many classes)",
        undefined="only one class in the target or in the output",
        source="Gorodkin 2004, Comput. Biol. Chem. 28:367; interval: Bishop et al. 1975, 11.3",
    ),
    Metric(
        name="roc_auc",
        better="higher",
        tasks=("binary",),
        needs="score",
        statistic=always(Ranked("roc_auc")),
        definition="probability that a positive has a higher score than a negative, ties count one half",
        undefined="the slice has only one class",
        source="DeLong et al. 1988, Biometrics 44:837",
    ),
    Metric(
        name="average_precision",
        better="higher",
        tasks=("binary",),
        needs="score",
        statistic=always(Ranked("average_precision")),
        definition="sum over thresholds of (gain in recall) x precision, without interpolation",
        undefined="the slice has no positives",
        source="scikit-learn average_precision_score; interval: Boyd et al. 2013, ECML PKDD",
    ),
    Metric(
        name="log_loss",
        better="lower",
        tasks=("binary", "multiclass"),
        needs="class probabilities",
        statistic=always(Mean(_log_loss, floor=0.0, ceiling=-math.log(EPSILON))),
        definition="mean of -ln(probability of the true class), probabilities kept 2.2e-16 away from 0 and 1",
        undefined="never (a slice is not empty)",
        source=SKLEARN,
    ),
    Metric(
        name="brier",
        better="lower",
        tasks=("binary",),
        needs="probability",
        statistic=always(Mean(_brier, floor=0.0, ceiling=1.0)),
        definition="mean of (score - target)^2, target 1 for positives",
        undefined="never (a slice is not empty)",
        source="Brier 1950, Mon. Weather Rev. 78:1",
    ),
    Metric(
        name="ece",
        parameters=("bins",),
        better="lower",
        tasks=("binary",),
        needs="probability",
        statistic=lambda spec: CalibrationError(int(spec.parameters.get("bins", 10))),
        definition="expected calibration error: mean over equal-width score bins of |mean score - share of positives|",
        undefined="never (a slice is not empty)",
        source="Naeini et al. 2015, AAAI 29",
    ),
    Metric(
        name="top_k_accuracy",
        parameters=("k",),
        better="higher",
        tasks=("multiclass",),
        needs="class probabilities",
        statistic=_top_k,
        definition="share of instances for which fewer than k (default 2) classes score higher than the true one",
        undefined="never (a slice is not empty)",
        source="scikit-learn top_k_accuracy_score",
    ),
    *_averages(),
)
