"""What judging needs to know of a measured model. Two rooms fill it: from rows in memory, and from sums of parts."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from pytest_behave.compare.paired import Margin, Paired
from pytest_behave.errors import BehaveError
from pytest_behave.evidence.baseline import Against
from pytest_behave.measure.registry import Chosen
from pytest_behave.records import Agreement, BaselineEntry, Estimate, Instance, Key, Slice

MOST_INSTANCES = 10  # of a behavior, as reports show them
MOST_IDS = 50  # of a behavior, on either side

Estimates: TypeAlias = dict[Key, "Estimate | BehaveError"]
RowPlace: TypeAlias = Hashable  # where an instance stands; places of one evidence can be ordered


@dataclass(frozen=True, slots=True)
class Moved:
    """How many instances of a slice broke and were fixed, and where the worst of them stand, worst first, with ids."""

    broken: int
    fixed: int
    broken_at: tuple[RowPlace, ...] = ()
    fixed_at: tuple[RowPlace, ...] = ()
    broken_ids: tuple[str, ...] = ()
    fixed_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Unpairable:
    """A metric that cannot be compared instance by instance.

    ``reason`` is a clause for a comparison by values alone, ``why`` one for where not even those can be compared.
    """

    reason: str = "the metric cannot be measured on the stored predictions"
    why: str = "a value is missing on one side"


class Pairing(Protocol):
    """A metric of baseline and candidate on the instances that both have.

    ``is_costly`` ones are compared only where a bound asks, ``is_exact`` ones know the baseline's value to the last
    digit, and ``is_share`` ones are the share of instances with a 1.
    """

    @property
    def is_costly(self) -> bool: ...  # noqa: D102 - as above

    @property
    def is_exact(self) -> bool: ...  # noqa: D102 - as above

    @property
    def is_share(self) -> bool: ...  # noqa: D102 - as above

    def compare(self, slices: Sequence[str], margins: Sequence[Margin]) -> list[Paired]:
        """Return the comparison on each of some slices, by name."""

    def moved(self, slice_: str) -> Moved | None:
        """Return what became of the instances of a slice, None for a metric of which single ones have no part."""


@dataclass(frozen=True, slots=True)
class Gap:
    """The widest difference of a metric between slices.

    ``members`` are the slices that it may lie between, ``between`` the two that it does, ``reference`` the one that all
    others are held against, if there is one; ``size`` counts the rows of all.
    """

    estimate: Estimate
    between: tuple[str, str] | None
    members: tuple[Slice, ...]
    reference: Slice | None
    size: int


@dataclass(frozen=True, slots=True)
class Shown:
    """Instances as reports show them, by place; ``flipped`` ones with what the baseline said of them."""

    worst: Mapping[RowPlace, Instance] = field(default_factory=dict)
    flipped: Mapping[RowPlace, Instance] = field(default_factory=dict)


class Evidence(Protocol):
    """One model on one dataset, measured, and beside the baseline if there is one."""

    @property
    def slices(self) -> Sequence[Slice]:
        """Every slice, those that could not be made with their problem."""

    @property
    def against(self) -> Against | None:
        """What the model is compared with."""

    def estimates(self, wanted: set[Key]) -> Estimates:
        """Return every metric on every slice; of one's own metrics, which cost many calls, those ``wanted``."""

    def notes(self) -> list[str]:
        """Return what a reader should know of the outputs."""

    def agreement(self) -> Agreement | None:
        """Return how alike the answers to an instance are, None for a model that is asked once."""

    # -- slices

    def size_together(self, slices: Sequence[Slice]) -> int:
        """Return how many instances are in any of some slices."""

    def common(self, slice_: Slice) -> int:
        """Return how many rows of a slice can be compared with the baseline."""

    def clusters_in(self, slice_: Slice) -> int | None:
        """Return how many clusters those rows are in, None where rows are independent."""

    # -- both models

    def pairing(self, chosen: Chosen) -> Pairing | Unpairable:
        """Return a metric of baseline and candidate."""

    def baseline_entry(self, key: Key) -> BaselineEntry | None:
        """Return what another model as the baseline has, where instances cannot be compared."""

    def gap_interval(self, estimate: Estimate, one: Slice, other: Slice, chosen: Chosen) -> Estimate:
        """Return the difference of two slices with an interval that knows of rows in both, and of clusters."""

    def compare_gap(self, gap: Gap, chosen: Chosen, margin: Margin) -> Paired | Unpairable:
        """Return each model's own widest gap compared."""

    # -- instances

    def worst(self, chosen: Chosen, slice_: Slice) -> Sequence[RowPlace]:
        """Return where the instances stand that count most against a metric, worst first, at most ten."""

    def shown(self, worst: Sequence[RowPlace], flipped: Sequence[RowPlace]) -> Shown:
        """Return instances for reports: those that count against a metric, and those that changed."""
