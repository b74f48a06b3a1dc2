"""The records that travel between the stages: frozen, plain, without behavior of their own.

In the order in which data flows: a parsed expression, what a suite declares, columns and slices of the data,
predictions, estimates, verdicts, a run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

Task = Literal["binary", "multiclass", "regression", "text"]
Better = Literal["higher", "lower"]
Kind = Literal["number", "bool", "text", "date", "mixed", "empty"]
Decide = Literal["observed", "proven", "refuted"]
ModelKind = Literal["python", "predictions", "column", "estimator", "plugin"]
VerdictName = Literal["holds", "violated", "undecided", "known-failure", "error"]
Scalar: TypeAlias = str | int | float | bool


# --- expressions: what the predicate language parses to -----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Constant:
    """A literal; ``kind`` keeps ``1``, ``1.0`` and ``True`` apart, which compare equal in Python."""

    value: Scalar
    kind: str


@dataclass(frozen=True, slots=True)
class Name:
    """A column; ``quoted`` (written in backticks) always means the dataset's, never ``target``, ``output``, ``score``."""

    name: str
    quoted: bool = False


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """``left operator right`` with operator one of ``+ - * / // %``."""

    operator: str
    left: Expr
    right: Expr


@dataclass(frozen=True, slots=True)
class Negative:
    """``-operand``."""

    operand: Expr


@dataclass(frozen=True, slots=True)
class Call:
    """A function of the language applied to its arguments."""

    function: str
    arguments: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """``left operator right`` with operator one of ``== != < <= > >=``."""

    operator: str
    left: Expr
    right: Expr


@dataclass(frozen=True, slots=True)
class Membership:
    """``operand in options``."""

    operand: Expr
    options: tuple[Constant, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """``not operand``."""

    operand: Expr


@dataclass(frozen=True, slots=True)
class And:
    """All of the parts."""

    parts: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Any of the parts."""

    parts: tuple[Expr, ...]


Expr: TypeAlias = Constant | Name | Arithmetic | Negative | Call | Comparison | Membership | Not | And | Or


# --- declarations: what a suite says ------------------------------------------------------------------------------


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
    """Where the instances come from. ``source`` is a path or glob (absolute) or ``module:function``."""

    source: str
    id: tuple[str, ...] = ()
    target: str | None = None
    positive: Scalar | None = None
    where: Expr | None = None
    na_values: tuple[str, ...] = ()
    encoding: str = "utf-8"
    delimiter: str | None = None
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """One way to get outputs. ``kind`` names the source, ``location`` is its file, column, callable or plugin name."""

    name: str
    kind: ModelKind
    location: str
    prediction: str | None = None
    score: str | None = None
    threshold: float = 0.5
    features: tuple[str, ...] = ()
    batch_size: int = 1024
    allow_pickle: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)
    function: Callable[..., Any] | None = None
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
class Bounds:
    """What a behavior must keep to; ``max_gap`` is between the members of a family, no ``decide`` means observed."""

    min: float | None = None
    max: float | None = None
    max_gap: float | None = None
    decide: Decide | None = None
    known_failure: KnownFailure | None = None
    place: Place | None = None


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
    """A whole declaration, checked and with every path resolved."""

    name: str
    path: Path
    description: str = ""
    owner: str = ""
    dataset: DatasetSpec | None = None
    task: Task | None = None
    models: tuple[ModelSpec, ...] = ()
    metadata: tuple[MetadataSpec, ...] = ()
    slices: tuple[SliceSpec, ...] = ()
    metrics: tuple[MetricSpec, ...] = ()
    expectations: tuple[Expectation, ...] = ()
    cases: tuple[Case, ...] = ()
    tag_expectations: tuple[Expectation, ...] = ()
    python: str | None = None


# --- data ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Column:
    """One value per instance: ``values`` (float64, int64, bool, datetime64[ns] or object) where not ``missing``.

    ``codes``, where they are known, number the distinct texts of a text column, -1 where missing.
    """

    kind: Kind
    values: np.ndarray
    missing: np.ndarray
    codes: tuple[np.ndarray, list[str]] | None = None


@dataclass(frozen=True, slots=True)
class Slice:
    """A slice of the data at hand; ``mask`` is True for its instances. ``problem`` says why it could not be made."""

    name: str
    family: str | None
    min_size: int
    mask: np.ndarray
    place: Place | None = None
    problem: str | None = None


# --- predictions --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Predictions:
    """What a model said, row by row in the order of the dataset.

    ``prediction`` holds labels, values or texts (None where the source gives scores only), ``score`` the probability
    (or any rising score) of the positive class, ``proba`` one array per class, ``embedding`` an (n, d) array,
    ``extra`` further columns by name.
    """

    prediction: pd.Series | None = None
    score: np.ndarray | None = None
    proba: Mapping[str, np.ndarray] = field(default_factory=dict)
    embedding: np.ndarray | None = None
    extra: Mapping[str, pd.Series] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """Targets and outputs of all instances, as metrics see them.

    For binary and multiclass tasks ``target`` and ``predicted`` are codes into ``classes``; the first
    ``target_classes`` of those occur in the target, the others only in the output. For regression they are float64,
    for text object arrays of str. ``positive`` is a code, or -1.
    """

    task: Task | None
    size: int
    target: np.ndarray | None
    predicted: np.ndarray | None
    score: np.ndarray | None
    proba: Mapping[str, np.ndarray]
    classes: tuple[str, ...]
    target_classes: int
    positive: int
    column: Callable[[str], Column]
    condition: Callable[[Expr], tuple[np.ndarray, np.ndarray]]
    frame: Callable[[], pd.DataFrame]
    is_probability: bool = True
    threshold: float = 0.5


# --- estimates and verdicts ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Estimate:
    """A metric on a slice. ``n`` counts the rows it is computed over; ``value`` is None with a ``reason``."""

    value: float | None
    low: float | None
    high: float | None
    n: int
    reason: str = ""
    interval: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The decision on a behavior, with one sentence that says why."""

    verdict: VerdictName
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Instance:
    """An instance that counts against a behavior, as reports show it."""

    id: str
    target: str | None
    output: str | None
    score: float | None
    input: Mapping[str, str]


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
    bounds: Mapping[str, float] = field(default_factory=dict)
    decide: Decide = "observed"
    verdict: VerdictName | None = None
    reason: str = ""
    interval: str = ""
    line: int | None = None
    file: str | None = None
    family: str | None = None
    between: tuple[str, str] | None = None
    instances: tuple[Instance, ...] = ()
    confidence: float = 0.95


@dataclass(frozen=True, slots=True)
class CaseResult:
    """A golden case after the run; ``failures`` holds one sentence per failed check."""

    id: str
    verdict: VerdictName
    input: Mapping[str, Any]
    output: Any
    failures: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    reason: str = ""
    line: int | None = None
    file: str | None = None


@dataclass(frozen=True, slots=True)
class SuiteRun:
    """One suite with one model, measured and judged; ``strict`` runs fail what is undecided."""

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
    behaviors: tuple[Behavior, ...] = ()
    observed: tuple[Behavior, ...] = ()
    cases: tuple[CaseResult, ...] = ()


@dataclass(frozen=True, slots=True)
class Run:
    """Everything one invocation measured."""

    suites: tuple[SuiteRun, ...]
