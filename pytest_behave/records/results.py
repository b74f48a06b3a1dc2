"""What was measured, compared and decided."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from pytest_behave.records.declarations import Better, Decide, Severity
from pytest_behave.records.verdicts import VerdictName

Interval: TypeAlias = str  # the name of the method of an interval, as the record has it; empty for none
PLAIN_SHARE: Interval = "wilson"
MEANS: tuple[Interval, ...] = ("t", "delta method, t")


@dataclass(frozen=True, slots=True)
class Estimate:
    """A metric on a slice. ``n`` counts the rows it is computed over; ``value`` is None with a ``reason``.

    ``is_broken`` says that what the metric is computed from, not the choice of rows, leaves it without a value: infinite
    outputs, or a function that returns no number. That never passes.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    reason: str = ""
    interval: Interval = ""
    is_broken: bool = False

    @property
    def is_share(self) -> bool:
        """Whether the value is a share of ``n`` independent rows, so that whole numbers stand behind it."""
        return self.interval == PLAIN_SHARE and self.value is not None

    @property
    def is_mean(self) -> bool:
        """Whether the interval is Student's, around a mean."""
        return self.interval in MEANS


@dataclass(frozen=True, slots=True)
class Verdict:
    """The decision on a behavior, with one sentence that says why."""

    verdict: VerdictName
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Instance:
    """An instance as reports show it; the ``baseline_`` fields are what the baseline's model said of it.

    Of a model that answered several times, ``answers`` counts how often each answer was given.
    """

    id: str
    target: str | None
    output: str | None
    score: float | None
    input: Mapping[str, str]
    baseline_output: str | None = None
    baseline_score: float | None = None
    answers: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Change:
    """A behavior against the baseline.

    ``value`` is the baseline's value, ``change`` candidate minus baseline over the ``n`` instances that both have (with
    its interval), ``p`` the one-sided p-value of a loss beyond ``tolerance``, ``p_adjusted`` the same within all
    regression bounds of the suite. ``tolerance`` is in the unit of the metric. ``broken`` and ``fixed`` count the
    instances that got worse and better, their ids worst first. Without ``paired``, ``reason`` says why.
    ``accepted`` says that this change was accepted since the commit compared with, and why.
    """

    value: float | None
    change: float | None = None
    low: float | None = None
    high: float | None = None
    n: int = 0
    test: str = ""
    p: float | None = None
    p_adjusted: float | None = None
    tolerance: float | None = None
    broken: int | None = None
    fixed: int | None = None
    broken_ids: tuple[str, ...] = ()
    fixed_ids: tuple[str, ...] = ()
    paired: bool = True
    reason: str = ""
    accepted: str = ""


@dataclass(frozen=True, slots=True)
class Behavior:
    """A metric on a slice, held against its bounds. ``bounds`` is empty for what is only observed (no verdict then)."""

    slice: str
    metric: str
    better: Better
    size: int
    n: int
    value: float | None
    low: float | None
    high: float | None
    bounds: Mapping[str, float | str] = field(default_factory=dict)
    decide: Decide = "observed"
    severity: Severity = "error"
    baseline: Change | None = None
    verdict: VerdictName | None = None
    reason: str = ""
    interval: Interval = ""
    line: int | None = None
    file: str | None = None
    family: str | None = None
    between: tuple[str, str] | None = None
    instances: tuple[Instance, ...] = ()
    confidence: float = 0.95

    @property
    def is_share(self) -> bool:
        """Whether the value is a share of ``n`` independent rows, so that whole numbers stand behind it."""
        return self.interval == PLAIN_SHARE and self.value is not None


@dataclass(frozen=True, slots=True)
class CaseResult:
    """A golden case after the run; ``failures`` holds one sentence per failed check.

    Of a model that answered several times, ``passed`` of ``answers`` met all checks; ``output`` is the first that did not.
    """

    id: str
    verdict: VerdictName
    input: Mapping[str, Any]
    output: Any
    failures: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    reason: str = ""
    line: int | None = None
    file: str | None = None
    answers: int = 1
    passed: int = 0


@dataclass(frozen=True, slots=True)
class Agreement:
    """How alike the ``repeats`` answers to an instance are: ``share`` of pairs that agree, ``unanimous`` instances.

    Of numbers it is ``spread``, the root of the mean variance within an instance. ``least`` are the instances that agree
    least: their id, and how often each answer was given.
    """

    repeats: int
    instances: int
    share: float | None
    unanimous: int
    spread: float | None
    least: tuple[tuple[str, Mapping[str, int]], ...]


@dataclass(frozen=True, slots=True)
class Accepted:
    """An entry of the baseline file that differs from the one in the commit compared with."""

    slice: str
    metric: str
    before: float | None
    after: float | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class BaselineUse:
    """What a run was compared with: the ``stored`` baseline, the one of a ``commit`` (``ref``), or a ``model``.

    ``common`` rows are in both and unchanged; ``changed`` ones have another content or target and are left out.
    ``tests`` counts the regression bounds that share the level ``alpha``.
    """

    kind: Literal["stored", "commit", "model"]
    name: str
    alpha: float
    tests: int
    seed: int
    common: int
    added: int = 0
    removed: int = 0
    changed: int = 0
    ref: str = ""
    accepted: tuple[Accepted, ...] = ()


@dataclass(frozen=True, slots=True)
class SuiteRun:
    """One suite with one model, measured and judged; ``strict`` runs fail what is undecided or suspect.

    ``flips`` holds every instance on which the model and the baseline's model differ.
    """

    suite: str
    path: str
    rows: int
    task: str | None
    model: str
    model_fingerprint: str
    dataset_fingerprint: str | None
    description: str = ""
    owner: str = ""
    strict: bool = False
    notes: tuple[str, ...] = ()
    baseline: BaselineUse | None = None
    agreement: Agreement | None = None
    behaviors: tuple[Behavior, ...] = ()
    observed: tuple[Behavior, ...] = ()
    cases: tuple[CaseResult, ...] = ()
    flips: tuple[Instance, ...] = ()


@dataclass(frozen=True, slots=True)
class Unread:
    """A file from which pytest could not collect anything, and what it says of that."""

    path: str
    message: str


@dataclass(frozen=True, slots=True)
class Run:
    """Everything one invocation measured; what it could not read; suites left out, as nothing changed.

    The run record does not hold what was left out.
    """

    suites: tuple[SuiteRun, ...]
    unread: tuple[Unread, ...] = ()
    left_out: tuple[str, ...] = ()
