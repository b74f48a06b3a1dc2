"""The two models of a comparison with their outputs exchanged on some rows: a world in which neither is better."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pytest_behave.measure.paired import paired
from pytest_behave.measure.registry import Chosen
from pytest_behave.records import Outcome
from pytest_behave.records.pairs import PairedStates, PairedValues, Pairs


@dataclass(frozen=True)
class Swaps:
    """The rows on which baseline and candidate are exchanged."""

    rows: np.ndarray

    def of(self, pairs: Pairs | None, chosen: Chosen, baseline: Outcome, candidate: Outcome) -> Pairs | None:
        """Return a metric of the exchanged models; None for one of the user's own, that reads what it likes."""
        if isinstance(pairs, (PairedValues, PairedStates)):
            before, after = self._exchanged(pairs.baseline, pairs.candidate)
            return replace(pairs, baseline=before, candidate=after)
        if pairs is None or chosen.metric.name == "python":
            return None
        return paired(chosen, *self._outcomes(baseline, candidate))

    def _exchanged(self, one: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.where(self.rows, other, one), np.where(self.rows, one, other)

    def _outcomes(self, baseline: Outcome, candidate: Outcome) -> tuple[Outcome, Outcome]:
        """Exchange scores and values; metrics of classes have the form of states or values, exchanged above."""
        changed: list[dict[str, np.ndarray]] = [{}, {}]
        for name in ("score", "predicted"):
            one, other = getattr(baseline, name), getattr(candidate, name)
            if one is not None and other is not None:
                changed[0][name], changed[1][name] = self._exchanged(one, other)
        return replace(baseline, **changed[0]), replace(candidate, **changed[1])  # type: ignore[arg-type]
