"""Metrics of any task: sizes, means of columns, rates of predicates, and the user's own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from pytest_behave.errors import MetricError
from pytest_behave.guard import guarded
from pytest_behave.measure import intervals
from pytest_behave.measure.kernel import Masks
from pytest_behave.measure.means import Mean
from pytest_behave.measure.metric import Metric, always
from pytest_behave.measure.states import Counts
from pytest_behave.measure.statistics import Proportion, bootstrap_rows
from pytest_behave.records import Estimate, MetricSpec, Outcome

RESAMPLES_OF_CALLABLES = 200  # each costs a call of the user's function


class Count:
    """Number of instances; known exactly."""

    floor: ClassVar[float] = 0.0

    def estimates(self, outcome: Outcome, masks: Masks) -> list[Estimate]:
        """Return the sizes."""
        return self.finish(self.state(outcome, masks))

    def state(self, outcome: Outcome, masks: Masks) -> Counts:
        """Return sizes of the slices and of the dataset; of a model that answers several times, their mean."""
        sizes = np.column_stack([masks.sizes, np.full(len(masks), outcome.size, dtype=np.int64)])
        return Counts(sizes if outcome.repeats == 1 else sizes / outcome.repeats)

    def figures(self, state: Counts) -> np.ndarray:
        """Return the sizes."""
        return state.counts[:, 0].astype(np.float64)

    def finish(self, state: Counts) -> list[Estimate]:
        """Return the sizes."""
        return [Estimate(float(n), float(n), float(n), int(n), interval="exact") for n in state.counts[:, 0].tolist()]


class Share(Count):
    """Size of the slice as a share of all instances."""

    ceiling: ClassVar[float] = 1.0

    def figures(self, state: Counts) -> np.ndarray:
        """Return the shares."""
        return np.asarray(state.counts[:, 0] / state.counts[:, 1])

    def finish(self, state: Counts) -> list[Estimate]:
        """Return Wilson intervals of the shares."""
        low, high = intervals.wilson(state.counts[:, 0], state.counts[:, 1])
        return [
            Estimate(n / total, one, other, int(total), interval="wilson")
            for (n, total), one, other in zip(state.counts.tolist(), low.tolist(), high.tolist(), strict=True)
        ]


def column_mean(name: str) -> Mean:
    """Return the mean of a numeric column, rows without a value left out."""

    def values(outcome: Outcome) -> np.ndarray:
        column = outcome.column(name)
        if column.kind not in ("number", "bool", "empty"):
            raise MetricError(f"the mean of column {name!r}: it holds {column.kind}")
        if column.kind == "empty":
            return np.full(outcome.size, np.nan)
        return np.where(column.missing, np.nan, column.values.astype(np.float64))

    return Mean(values, f"no value of {name}")


def _rate(spec: MetricSpec) -> Proportion:
    def planes(outcome: Outcome) -> tuple[np.ndarray, np.ndarray]:
        if spec.predicate is None:
            raise MetricError(f"{spec.name}: `rate` needs a predicate")
        true, unknown = outcome.condition(spec.predicate)
        return true, ~unknown

    return Proportion(planes, "no instance for which the predicate is known")


@dataclass(frozen=True)
class Custom:
    """The user's callable(DataFrame) -> a number, or one number per row (then it is a mean)."""

    name: str
    function: Callable[[pd.DataFrame], Any]

    def estimates(self, outcome: Outcome, masks: Masks) -> list[Estimate]:
        """Return t intervals for values per row, a bootstrap of rows for a number."""
        frame = outcome.frame()
        values = self.values(frame)
        if values is None:
            return [self._estimate(frame, masks.rows(index)) for index in range(len(masks))]
        present = ~np.isnan(values)
        is_yes_or_no = np.isin(values[present], (0, 1)).all()  # then a proportion, whose interval ends at 1
        statistic = Proportion(lambda _outcome: (values == 1, present)) if is_yes_or_no else Mean(lambda _: values)
        return [
            self._broken(int(size)) if found.value is None and size else found
            for found, size in zip(statistic.estimates(outcome, masks), masks.sizes, strict=True)
        ]

    def _broken(self, n: int) -> Estimate:
        reason = f"metric {self.name!r} gives no finite number for the slice"
        return Estimate(None, None, None, n, reason, is_broken=True)

    def values(self, frame: pd.DataFrame) -> np.ndarray | None:
        """Return one number per row, or None if the function gives one number for all."""
        whole = self._call(frame)
        if whole.ndim > 1:
            raise MetricError(f"metric {self.name!r} returned an array of {whole.ndim} dimensions")
        if whole.ndim == 0:
            return None
        if len(whole) != len(frame):
            raise MetricError(f"metric {self.name!r} returned {len(whole)} values for {len(frame)} rows")
        return whole

    def number(self, frame: pd.DataFrame, rows: np.ndarray) -> float:
        """Return what the function says of some rows, which may repeat."""
        returned = self._call(frame.iloc[rows].reset_index(drop=True))
        if returned.ndim:
            raise MetricError(
                f"metric {self.name!r} returned {returned.size} values for a slice, and one for the dataset"
            )
        return float(returned)

    def _call(self, frame: pd.DataFrame) -> np.ndarray:
        """Return what the function says as float64, NaN for None."""
        with guarded(MetricError, f"metric {self.name!r} raised"):
            returned = self.function(frame)
            try:
                return np.asarray(np.nan if returned is None else returned, dtype=np.float64)
            except (TypeError, ValueError):
                raise MetricError(
                    f"metric {self.name!r} returned {type(returned).__name__}, not a number or one number per row"
                ) from None

    def _estimate(self, frame: pd.DataFrame, rows: np.ndarray) -> Estimate:
        if len(rows) == 0:
            return Estimate(None, None, None, 0, "the slice has no instance")
        measured = self.number(frame, rows)
        if not np.isfinite(measured):
            return self._broken(len(rows))
        low, high = bootstrap_rows(lambda chosen: self.number(frame, chosen), rows, RESAMPLES_OF_CALLABLES)
        if np.isnan(low):
            return Estimate(measured, None, None, len(rows), "most resamples leave the metric undefined")
        if low == high:
            return Estimate(measured, None, None, len(rows), "all resamples give the same value")
        return Estimate(measured, low, high, len(rows), interval="bootstrap of rows")


def _custom(spec: MetricSpec) -> Custom:
    if spec.function is None:
        raise MetricError(f"metric {spec.name!r} has no function")
    return Custom(spec.name, spec.function)


def _agreement(outcome: Outcome) -> np.ndarray:
    if outcome.agreement is None:
        raise MetricError("agreement is that of several answers: ask the model for as many, by `repeats`")
    return outcome.agreement


METRICS = (
    Metric(
        name="count",
        better="higher",
        needs="nothing",
        statistic=always(Count()),
        definition="number of instances",
        undefined="never",
        source="plain count",
    ),
    Metric(
        name="share",
        better="higher",
        needs="nothing",
        statistic=always(Share()),
        definition="size of the slice / size of the dataset",
        undefined="never",
        source="plain count",
    ),
    Metric(
        name="agreement",
        better="higher",
        tasks=("binary", "multiclass", "text"),
        statistic=always(Mean(_agreement, floor=0.0, ceiling=1.0)),
        definition="share of pairs of answers to the same instance that are alike, of a model with `repeats`",
        undefined="never",
        source="Fleiss 1971, Psychological Bulletin 76:378, P_i with answers for raters",
    ),
    Metric(
        name="mean",
        parameters=("mean",),
        better="higher",
        needs="nothing",
        statistic=lambda spec: column_mean(str(spec.parameters["mean"])),
        definition="mean of a column, of the dataset or of the output: `{name: ..., mean: column}`",
        undefined="no row of the slice has a value",
        source="plain mean",
    ),
    Metric(
        name="rate",
        better="higher",
        needs="nothing",
        statistic=_rate,
        definition="share of instances that meet a predicate, which may look at outputs: `{name: ..., rate: predicate}`",
        undefined="the predicate is unknown (missing values) for every row of the slice",
        source="plain share",
    ),
    Metric(
        name="latency",
        better="lower",
        needs="nothing",
        statistic=always(column_mean("latency")),
        definition="mean of the column `latency` that the model returns",
        undefined="no row of the slice has a value",
        source="plain mean",
    ),
    Metric(
        name="cost",
        better="lower",
        needs="nothing",
        statistic=always(column_mean("cost")),
        definition="mean of the column `cost` that the model returns",
        undefined="no row of the slice has a value",
        source="plain mean",
    ),
    Metric(
        name="python",
        better="higher",
        needs="nothing",
        statistic=_custom,
        definition="your own: `{name: ..., python: module:callable}` from a DataFrame to a number or one number per row",
        undefined="never: NaN, None and infinity are violated, where the slice has rows",
        source="your own",
    ),
)
