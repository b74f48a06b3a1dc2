"""What a self-check finds: how often a suite would cry wolf, and what each of its bounds sees."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_behave.records.baseline import Key


@dataclass(frozen=True, slots=True)
class Sight:
    """What one bound sees: the smallest loss that is found nine times in ten, None if there is none.

    ``rows`` are independent ones, so clusters where there are any; ``share`` says that the metric is a share of rows.
    ``wanted_loss`` is about half of the loss and ``wanted_rows`` how many rows would see that; None where nobody can tell.
    """

    slice: str
    metric: str
    rows: int
    clusters: bool
    share: bool
    loss: float | None = None
    wanted_loss: float | None = None
    wanted_rows: int | None = None


@dataclass(frozen=True, slots=True)
class SelfCheck:
    """``alarms`` of ``runs`` had any regression, a share with a 95 % ``interval``; ``naive`` had any loss at all.

    ``flagged`` are the bounds that cried most often, with how often; ``alike`` says that the two models differ in none.
    """

    suite: str
    rows: int
    bounds: int
    alpha: float
    runs: int
    alarms: int
    interval: tuple[float, float]
    naive: int
    flagged: tuple[tuple[Key, int], ...]
    sights: tuple[Sight, ...]
    alike: bool

    @property
    def cries_wolf(self) -> bool:
        """Whether false alarms are proven to be more frequent than the suite says."""
        return self.interval[0] > self.alpha
