"""The shape of a suite file, for checking and for editors (``behave.schema.json`` is made from it).

Only shapes are checked here; names and expressions are checked when records are built (``build.py``).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import PydanticCustomError


def _as_float(value: Any) -> Any:
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _as_scalar(value: Any) -> Any:
    if not isinstance(value, (str, int, float, bool)):
        raise PydanticCustomError("scalar", "must be a text, a number, true or false")
    return value


Number = Annotated[float, Field(allow_inf_nan=False), BeforeValidator(_as_float)]
Scalar = Annotated[Any, BeforeValidator(_as_scalar), WithJsonSchema({"type": ["string", "number", "boolean"]})]


def scalar_text(value: Any) -> str:
    """Return an id or a filling as text; 1.0 is "1"."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Names = Annotated[list[str], BeforeValidator(_listed), Field(json_schema_extra={"type": ["array", "string"]})]
Texts = Annotated[list[Scalar], Field(min_length=1)]


class Part(BaseModel):
    """A part of a suite: strict types, no unknown keys."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _note_keys(cls, value: Any, info: ValidationInfo) -> Any:
        """Tell the caller (in ``context``) which keys this mapping may have, for suggestions."""
        if info.context is not None:
            info.context[id(value)] = [field.alias or name for name, field in cls.model_fields.items()]
        return value


class DatasetPart(Part):
    """The instances: a file, a glob of parts, or `module:function` that returns a DataFrame."""

    path: str = Field(
        description="csv, tsv, jsonl or parquet file, a glob of parts, or module:function; relative to this file."
    )
    id: Names = Field(
        default=[], description="Column (or columns) that names an instance; pairs instances across runs."
    )
    target: str | None = Field(default=None, description="Column that holds the true answer.")
    positive: Scalar | None = Field(
        default=None, description="The positive class of a binary task; default: the larger or true value."
    )
    where: str | None = Field(default=None, description="Predicate: only these rows are used.")
    na_values: list[str] = Field(default=[], description="Texts that mean `missing`, besides empty cells.")
    encoding: str = Field(default="utf-8", description="Encoding of csv, tsv and jsonl files.")
    delimiter: str | None = Field(default=None, description="Column separator of a csv file.")


class ModelPart(Part):
    """Where the outputs come from: exactly one of python, predictions, column, estimator, plugin."""

    python: str | None = Field(default=None, description="module:callable that takes a DataFrame and returns outputs.")
    predictions: str | None = Field(default=None, description="File of outputs computed elsewhere, joined by id.")
    column: str | None = Field(default=None, description="A column of the dataset that holds the outputs.")
    estimator: str | None = Field(
        default=None, description="A scikit-learn estimator: .skops, or .joblib / .pkl with allow_pickle."
    )
    plugin: str | None = Field(default=None, description="Name of a model source that a pytest plugin provides.")
    prediction: str | None = Field(
        default=None, description="Column of the predictions file with labels, values or texts."
    )
    score: str | None = Field(
        default=None, description="Column of the predictions file with scores of the positive class."
    )
    as_: Literal["prediction", "score"] | None = Field(
        default=None, alias="as", description="What the dataset column holds."
    )
    threshold: Number | None = Field(default=None, description="Scores at or above it are positive; default 0.5.")
    features: list[str] = Field(
        default=[], description="Columns that the estimator gets; default: those it was fitted on."
    )
    batch_size: int = Field(default=1024, ge=1, description="Instances per call of the model.")
    allow_pickle: bool = Field(default=False, description="Load a pickled estimator. Pickle files can run any code.")
    options: dict[str, Any] = Field(default={}, description="Options for a plugin's model source.")


Model = Annotated[
    Annotated[str, Tag("<name>")] | Annotated[ModelPart, Tag("<model>")],
    Discriminator(lambda value: "<name>" if isinstance(value, str) else "<model>"),
]


class MetadataPart(Part):
    """A derived column: bins of a column, or a callable."""

    column: str | None = Field(default=None, description="Column to divide by edges or quantiles.")
    edges: list[Number] | None = Field(
        default=None, min_length=1, description="Bin edges, rising; bins are closed on the left."
    )
    quantiles: int | None = Field(default=None, ge=2, le=100, description="Number of bins of about equal size.")
    expression: str | None = Field(default=None, description="Expression of the predicate language.")
    python: str | None = Field(
        default=None, description="module:callable that takes a DataFrame and returns one value per row."
    )
    from_: Literal["input", "output"] | None = Field(
        default=None, alias="from", description="`output`: computed after the model has run, or returned by the model."
    )


Metadata = Annotated[
    Annotated[str, Tag("<expression>")] | Annotated[MetadataPart, Tag("<metadata>")],
    Discriminator(lambda value: "<expression>" if isinstance(value, str) else "<metadata>"),
]


class SlicePart(Part):
    """A slice with options, or (with `by`) a family of slices made by one rule."""

    where: str | None = Field(default=None, description="Predicate; restricts a family.")
    ids: list[Scalar] | None = Field(default=None, min_length=1, description="These instances, by id.")
    by: Names | None = Field(default=None, description="Column or columns: one slice per value or bin.")
    edges: list[Number] | None = Field(
        default=None, min_length=1, description="Bin edges, rising; bins are closed on the left."
    )
    quantiles: int | None = Field(default=None, ge=2, le=100, description="Number of bins of about equal size.")
    every: Literal["day", "week", "month", "quarter", "year"] | None = Field(
        default=None, description="Calendar period of a date column."
    )
    min_size: int = Field(default=1, ge=1, description="Below this many instances the verdict is `undecided`.")


Slice = Annotated[
    Annotated[str, Tag("<predicate>")]
    | Annotated[list[str], Field(min_length=1), Tag("<all of>")]
    | Annotated[SlicePart, Tag("<slice>")],
    Discriminator(lambda value: {str: "<predicate>", list: "<all of>"}.get(type(value), "<slice>")),
]


class MetricPart(Part):
    """A metric with parameters, or one of your own."""

    name: str = Field(description="How expectations and reports call it.")
    metric: str | None = Field(default=None, description="Built-in metric that the parameters are for.")
    python: str | None = Field(default=None, description="module:callable(DataFrame) -> number, or one number per row.")
    mean: str | None = Field(default=None, description="Column to average.")
    rate: str | None = Field(
        default=None, description="Predicate over inputs and outputs: the share of instances that meet it."
    )
    better: Literal["higher", "lower"] | None = Field(default=None, description="Which direction is better.")
    k: int | None = Field(default=None, ge=1, description="top_k_accuracy: how many guesses count.")
    q: Number | None = Field(default=None, ge=0, le=1, description="absolute_error_quantile: which quantile.")
    bins: int | None = Field(default=None, ge=2, description="ece: number of bins.")
    normalize: bool | None = Field(default=None, description="Text metrics: lower-case and drop punctuation first.")


Metric = Annotated[
    Annotated[str, Tag("<name>")] | Annotated[MetricPart, Tag("<metric>")],
    Discriminator(lambda value: "<name>" if isinstance(value, str) else "<metric>"),
]


class KnownFailurePart(Part):
    """A failure that is accepted for now."""

    reason: str = Field(description="Why it is accepted; an issue number helps.")
    until: str | None = Field(
        default=None, pattern=r"^\d{4}-\d{2}-\d{2}$", description="Last day on which it is accepted: 2027-03-01."
    )


class BoundsPart(Part):
    """What a metric must keep to."""

    min: Number | None = Field(default=None, description="The metric must be at least this.")
    max: Number | None = Field(default=None, description="The metric must be at most this.")
    max_gap: Number | None = Field(default=None, ge=0, description="Widest difference between two members of a family.")
    decide: Literal["observed", "proven", "refuted"] = Field(
        default="observed",
        description="observed: the measured value decides; proven: its interval must meet the bound; refuted: fails only if the interval rules the bound out.",
    )
    known_failure: KnownFailurePart | None = Field(default=None, description="Accept a failure for now.")


class PassRatePart(Part):
    """What the cases with a tag must keep to."""

    pass_rate: BoundsPart = Field(description="Share of the cases that pass all their checks.")


Expected = Annotated[
    Annotated[BoundsPart, Tag("<bounds>")] | Annotated[PassRatePart, Tag("<tag>")],
    Discriminator(lambda value: "<tag>" if isinstance(value, dict) and "pass_rate" in value else "<bounds>"),
]


class RangePart(Part):
    """A range of scores."""

    min: Number | None = None
    max: Number | None = None


class CloseToPart(Part):
    """A number and how far from it an output may be."""

    value: Number
    abs: Number = Field(default=0.0, ge=0, description="Allowed difference.")
    rel: Number = Field(default=0.0, ge=0, description="Allowed difference as a share of the value.")


class ChecksPart(Part):
    """What one golden case asks of the output."""

    equals: Any = Field(default=None, description="The output is exactly this.")
    one_of: Texts | None = Field(default=None, description="The output is one of these.")
    contains: Names | None = Field(default=None, description="The output contains this text (each of these).")
    not_contains: Names | None = Field(default=None, description="The output contains none of these.")
    matches: str | None = Field(default=None, description="A regular expression found in the output.")
    not_matches: str | None = Field(default=None, description="A regular expression not found in the output.")
    starts_with: str | None = Field(default=None, description="The output starts with this.")
    min_length: int | None = Field(default=None, ge=0, description="Least number of characters.")
    max_length: int | None = Field(default=None, ge=0, description="Most characters.")
    json_: Literal[True] | None = Field(default=None, alias="json", description="The output parses as JSON.")
    json_schema: dict[str, Any] | None = Field(
        default=None, description="The output is JSON that fits this JSON Schema."
    )
    close_to: CloseToPart | None = Field(default=None, description="The output is a number near this.")
    label: Scalar | None = Field(default=None, description="The predicted class.")
    score: RangePart | None = Field(default=None, description="Range of the positive class's score.")
    python: str | None = Field(default=None, description="module:check, called with the case's row.")


class CasePart(Part):
    """A golden case: one input with its checks; with `template` and `fill`, one case per combination."""

    id: str = Field(description="Name of the case.")
    input: dict[str, Any] = Field(default={}, description="The model's input columns.")
    expect: ChecksPart = Field(description="Checks on the output.")
    tags: Names = Field(default=[], description="Tags are slices over cases.")
    template: (
        Annotated[
            Annotated[str, Tag("<text>")] | Annotated[dict[str, str], Tag("<columns>")],
            Discriminator(lambda value: "<text>" if isinstance(value, str) else "<columns>"),
        ]
        | None
    ) = Field(default=None, description="Text with {names} to fill; a plain text fills the column `text`.")
    fill: dict[str, list[Scalar]] = Field(default={}, description="Values for each {name} of the template.")


class IncludePart(Part):
    """Cases from other files (a glob, relative to this file)."""

    include: str


CaseEntry = Annotated[
    Annotated[IncludePart, Tag("<include>")] | Annotated[CasePart, Tag("<case>")],
    Discriminator(lambda value: "<include>" if isinstance(value, dict) and "include" in value else "<case>"),
]


class SuitePart(Part):
    """A suite of behaviors: dataset, model, slices, metrics, expectations and golden cases."""

    suite: str | None = Field(default=None, description="Name of the suite; default: the file's name.")
    description: str = Field(default="", description="What the suite is for.")
    owner: str = Field(default="", description="Who answers for it; shown in reports.")
    extends: str | None = Field(default=None, description="A suite file to inherit from: what stands here wins.")
    python: str | None = Field(
        default=None, description="Module with functions marked by @behave.model, @behave.metadata, @behave.metric."
    )
    dataset: DatasetPart | None = Field(default=None, description="The instances.")
    task: Literal["binary", "multiclass", "regression", "text"] | None = Field(
        default=None, description="Default: inferred from the target."
    )
    model: Model | SkipJsonSchema[None] = Field(default=None, description="The model under test.")
    models: dict[str, Model] = Field(default={}, description="Several models; the last is the candidate.")
    metadata: dict[str, Metadata] = Field(default={}, description="Derived columns.")
    slices: dict[str, Slice] = Field(default={}, description="name: predicate | list (all of) | rule for a family.")
    metrics: list[Metric] = Field(default=[], description="Metrics measured on every slice.")
    expect: dict[str, dict[str, Expected]] = Field(default={}, description="slice or family -> metric -> bounds.")
    cases: list[CaseEntry] = Field(default=[], description="Golden cases.")
