"""What a metric is, and the few words each one says about itself for the reference page."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from pytest_behave.errors import MetricError
from pytest_behave.measure.statistics import Statistic
from pytest_behave.records import Better, MetricSpec, Outcome, Task

Needs = Literal["nothing", "prediction", "score", "probability", "class probabilities"]


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A metric by name. ``statistic`` makes it from the parameters of a declaration; no ``tasks`` means any task."""

    name: str
    better: Better
    statistic: Callable[[MetricSpec], Statistic]
    definition: str
    undefined: str
    source: str
    tasks: tuple[Task, ...] = ()
    needs: Needs = "prediction"
    parameters: tuple[str, ...] = ()

    def range_of(self, spec: MetricSpec) -> tuple[float, float]:
        """Return the least and the largest value that there can be, infinite where none is known."""
        statistic = self.statistic(spec)
        return getattr(statistic, "floor", -math.inf), getattr(statistic, "ceiling", math.inf)

    def check(self, outcome: Outcome) -> None:
        """Raise MetricError if the model does not give what the metric needs."""
        if self.needs == "prediction" and outcome.predicted is None:
            raise MetricError(f"{self.name} needs predictions, and the model gives none")
        if self.needs in ("score", "probability") and outcome.score is None:
            raise MetricError(f"{self.name} needs scores of the positive class, and the model gives labels only")
        wants_probability = self.needs == "probability" or (self.needs == "class probabilities" and not outcome.proba)
        if wants_probability and outcome.score is not None and not outcome.is_probability:
            raise MetricError(f"{self.name} needs probabilities, and the model's scores leave the range from 0 to 1")
        if self.needs == "class probabilities" and not outcome.proba and outcome.score is None:
            raise MetricError(f"{self.name} needs probabilities (`proba:<class>` columns), and the model gives none")


def always(statistic: Statistic) -> Callable[[MetricSpec], Statistic]:
    """Return a maker for a metric without parameters."""
    return lambda _spec: statistic
