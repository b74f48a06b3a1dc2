"""What a suite says, checked and with every path resolved."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pytest_behave.records.expressions import Expr, Scalar

Task = Literal["binary", "multiclass", "regression", "text"]
Better = Literal["higher", "lower"]
Decide = Literal["observed", "proven", "refuted"]
Severity = Literal["error", "warning"]
BATCH_SIZE = 1024
ModelKind = Literal["python", "predictions", "column", "estimator", "plugin", "url", "command"]
Protocol = Literal["mlflow", "openai-chat", "v2", "json"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands in a file; line and column count from 1."""

    path: Path
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class DatasetSpec:
    """Where the instances come from. ``source`` is a path or glob (absolute) or ``module:function``.

    ``cluster`` is a column whose values group rows that are not independent, such as those of one speaker.
    """

    source: str
    id: tuple[str, ...] = ()
    target: str | None = None
    positive: Scalar | None = None
    where: Expr | None = None
    na_values: tuple[str, ...] = ()
    encoding: str = "utf-8"
    delimiter: str | None = None
    cluster: str | None = None
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class ServiceSpec:
    """How a model behind an address or a command is called: ``timeout`` in seconds, ``rate`` in requests per second.

    ``request`` is the template of a request (for ``openai-chat`` its messages) and ``columns`` those that it names,
    ``response`` tells by output name where the answer holds it, ``parameters`` go along as they are. ``headers`` still say ``${NAME}`` where a secret goes.
    ``protocol`` is None for a command, which runs in ``folder``.
    """

    protocol: Protocol | None
    folder: Path
    model: str = ""
    request: Any = None
    columns: tuple[str, ...] = ()
    response: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    datatypes: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    timeout: float = 60.0
    retries: int = 5
    concurrency: int = 4
    rate: float | None = None


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """One way to get outputs. ``kind`` names the source, ``location`` is its file, column, callable, plugin or address.

    ``fingerprint`` is what the user says of the version of a model that cannot be read from here. ``repeats`` is how often
    the model is asked about each instance.
    """

    name: str
    kind: ModelKind
    location: str
    prediction: str | None = None
    score: str | None = None
    threshold: float = 0.5
    features: tuple[str, ...] = ()
    batch_size: int = BATCH_SIZE
    allow_pickle: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)
    fingerprint: str | None = None
    repeats: int = 1
    function: Callable[..., Any] | None = None
    service: ServiceSpec | None = None
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class MetadataSpec:
    """A derived column: exactly one of expression, edges, quantiles, python. ``stage`` says what it may look at."""

    name: str
    expression: Expr | None = None
    column: str | None = None
    edges: tuple[float, ...] = ()
    quantiles: int | None = None
    python: str | None = None
    function: Callable[..., Any] | None = None
    stage: Literal["input", "output"] = "input"
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class SliceSpec:
    """A slice (predicate, list of parts, ids) or, with ``by``, a family of slices made by one rule."""

    name: str
    predicate: Expr | None = None
    parts: tuple[str | Expr, ...] = ()
    ids: tuple[str, ...] = ()
    by: tuple[str, ...] = ()
    edges: tuple[float, ...] = ()
    quantiles: int | None = None
    every: Literal["day", "week", "month", "quarter", "year"] | None = None
    min_size: int = 1
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class MetricSpec:
    """A metric as the suite names it: a built-in or plugin one with parameters, or one of the user's own."""

    name: str
    metric: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    predicate: Expr | None = None
    python: str | None = None
    function: Callable[..., Any] | None = None
    better: Better | None = None
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class KnownFailure:
    """A failure that the team has accepted, until a date (ISO) at most."""

    reason: str
    until: str | None = None


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How much worse than the baseline a metric may get: ``by``, in the metric's unit or as a share of the baseline.

    ``best`` holds it against the best value that was ever accepted, so that small accepted losses cannot add up.
    """

    by: float
    relative: bool = False
    best: bool = False

    def __str__(self) -> str:
        return f"{100 * self.by:g}%" * self.relative + f"{self.by:g}" * (not self.relative) + " from best" * self.best


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a behavior must keep to. No ``decide`` means observed, and refuted for ``max_regression``.

    ``max_gap`` is between the members of a family or, with ``gap_to``, between each slice and that one;
    ``max_gap_regression`` is how much wider than in the baseline the gap may get. ``severity`` warning never fails.
    """

    min: float | None = None
    max: float | None = None
    max_gap: float | None = None
    gap_to: str | None = None
    max_regression: Tolerance | None = None
    max_gap_regression: Tolerance | None = None
    decide: Decide | None = None
    severity: Severity | None = None
    known_failure: KnownFailure | None = None
    place: Place | None = None

    @property
    def limits_a_value(self) -> bool:
        """Whether there is a bound on the metric of a slice itself."""
        return any(bound is not None for bound in (self.min, self.max, self.max_regression))

    @property
    def limits_a_gap(self) -> bool:
        """Whether there is a bound on a difference between slices."""
        return self.max_gap is not None or self.max_gap_regression is not None


@dataclass(frozen=True, slots=True)
class ComparisonSpec:
    """How a suite is compared with its baseline: ``alpha`` is the chance of any false alarm in a run.

    ``mcnemar`` picks the test of paired proportions: mid-p, or the exact one, which is never above its level.
    """

    alpha: float = 0.05
    mcnemar: Literal["mid-p", "exact"] = "mid-p"


@dataclass(frozen=True, slots=True)
class Expectation:
    """Bounds on one metric of one slice, family, ``overall`` or ``*``."""

    slice: str
    metric: str
    bounds: Bounds


@dataclass(frozen=True, slots=True)
class Case:
    """One golden instance with its own checks: (check name, argument) pairs."""

    id: str
    input: Mapping[str, Any]
    checks: tuple[tuple[str, Any], ...]
    tags: tuple[str, ...] = ()
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Suite:
    """A whole declaration. ``baseline`` is a model to compare with instead of the stored baseline.

    ``files`` are those that it stands in, ``patterns`` the globs of its `include` (absolute).
    """

    name: str
    path: Path
    description: str = ""
    owner: str = ""
    dataset: DatasetSpec | None = None
    task: Task | None = None
    models: tuple[ModelSpec, ...] = ()
    baseline: ModelSpec | None = None
    comparison: ComparisonSpec = ComparisonSpec()
    metadata: tuple[MetadataSpec, ...] = ()
    slices: tuple[SliceSpec, ...] = ()
    metrics: tuple[MetricSpec, ...] = ()
    expectations: tuple[Expectation, ...] = ()
    cases: tuple[Case, ...] = ()
    tag_expectations: tuple[Expectation, ...] = ()
    python: str | None = None
    files: tuple[Path, ...] = ()
    patterns: tuple[str, ...] = ()
