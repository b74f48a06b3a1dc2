"""The shape of a suite file, for checking and for editors (``schema.json`` is made from it and ``editors.py``).

Only shapes are checked here; names and expressions are checked when records are built (``build.py``).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Discriminator, Field, Tag, WithJsonSchema
from pydantic.json_schema import SkipJsonSchema

from pytest_behave.declare import editors
from pytest_behave.declare.values import (
    Amount,
    Distance,
    Level,
    Mapping,
    Names,
    Number,
    Part,
    Scalar,
    Share,
    Texts,
    Yes,
)


class DatasetPart(Part):
    """The instances: a file, a glob of files, or a function that returns a DataFrame."""

    path: str = Field(
        description="A csv, tsv, jsonl or parquet file, a glob of files that belong together (relative to this file), "
        "or module:function that returns a DataFrame."
    )
    id: Names = Field(
        default=[],
        description="Column that names each instance, or a list of columns. Instances are told apart, and paired with "
        "predictions, by it. Default: the number of the row.",
    )
    target: str | None = Field(default=None, description="Column that holds the right answer.")
    positive: Scalar | None = Field(
        default=None, description="The positive class of a binary task. Default: the larger value, or true."
    )
    where: str | None = Field(
        default=None, description='Only rows that meet this predicate are used, such as: age >= 18 and country == "FR"'
    )
    na_values: list[str] = Field(
        default=[], description="Texts that mean a missing value. Empty cells are missing in any case."
    )
    encoding: str = Field(default="utf-8", description="Encoding of csv, tsv and jsonl files. Default: utf-8.")
    delimiter: str | None = Field(default=None, description="Column separator of csv files. Default: a comma.")
    cluster: str | None = Field(
        default=None,
        min_length=1,
        description="Column that groups rows which are not independent, such as those of one speaker. Intervals and "
        "tests then count groups, not rows.",
    )


class ModelPart(Part):
    """Where the outputs come from: module:callable, or a mapping with one of predictions, column, python, estimator, plugin."""

    model_config = ConfigDict(json_schema_extra=editors.MODEL)

    python: str | None = Field(
        default=None, description="module:callable that takes a DataFrame and returns one output per row."
    )
    predictions: str | None = Field(
        default=None,
        description="File of outputs made elsewhere, joined to the dataset by id; `prediction` or `score` names its column.",
    )
    column: str | None = Field(
        default=None, description="Column of the dataset that holds the outputs; `as` says what they are."
    )
    estimator: str | None = Field(
        default=None,
        description="A saved scikit-learn estimator: .skops, or .joblib and .pkl with `allow_pickle: true`.",
    )
    plugin: str | None = Field(default=None, description="Name of a model source that a pytest plugin provides.")
    prediction: str | None = Field(
        default=None, description="Column of the predictions file with the predicted labels, values or texts."
    )
    score: str | None = Field(
        default=None, description="Column of the predictions file with scores of the positive class."
    )
    as_: Literal["prediction", "score"] | None = Field(
        default=None,
        alias="as",
        description="What the column of the dataset holds: predictions (default), or scores of the positive class.",
    )
    threshold: Number | None = Field(
        default=None, description="Scores at or above it are predicted positive. Default: 0.5.", examples=[0.5]
    )
    features: list[str] = Field(
        default=[], description="Columns that the estimator gets. Default: those it was fitted on."
    )
    batch_size: int = Field(
        default=1024, ge=1, description="Instances per call of the model. Default: 1024.", examples=[256]
    )
    allow_pickle: bool = Field(
        default=False, description="Allow an estimator in a pickle file. Such a file can run any code: trust it first."
    )
    options: Mapping = Field(default={}, description="Options for the plugin's model source.")
    fingerprint: str | None = Field(
        default=None,
        description="Stands for the model in the prediction cache: change it whenever the outputs may change. "
        "Default: the code of the model and the files it reaches.",
        examples=["2026-11-03"],
    )


Model = Annotated[
    Annotated[str, Tag("<name>")] | Annotated[ModelPart, Tag("<model>")],
    Discriminator(lambda value: "<name>" if isinstance(value, str) else "<model>"),
]


class MetadataPart(Part):
    """A derived column: an expression such as words(text), bins of a column, or a function."""

    model_config = ConfigDict(json_schema_extra=editors.METADATA)

    column: str | None = Field(default=None, description="Column to divide into bins by `edges` or `quantiles`.")
    edges: list[Number] | None = Field(default=None, min_length=1, description=editors.EDGES)
    quantiles: int | None = Field(default=None, ge=2, le=100, description=editors.QUANTILES, examples=[4])
    expression: str | None = Field(
        default=None, description="Expression over columns, such as: lower(country) or words(text)"
    )
    python: str | None = Field(
        default=None,
        description="module:callable that takes a DataFrame and returns one value per row.",
        json_schema_extra=editors.REFERENCE,
    )
    from_: Literal["input", "output"] | None = Field(
        default=None,
        alias="from",
        description="input (default): computed before the model runs; output: computed from its outputs or returned by it.",
    )


Metadata = Annotated[
    Annotated[str, Tag("<expression>")] | Annotated[MetadataPart, Tag("<metadata>")],
    Discriminator(lambda value: "<expression>" if isinstance(value, str) else "<metadata>"),
]


class SlicePart(Part):
    """A slice: a predicate such as age < 30, a list of which all must hold, or a mapping; with `by`, a family of slices."""

    model_config = ConfigDict(json_schema_extra=editors.SLICE)

    where: str | None = Field(
        default=None, description="Predicate of the slice, such as: age < 30; restricts the rows of a family."
    )
    ids: list[Scalar] | None = Field(default=None, min_length=1, description="These instances, by id.")
    by: Names | None = Field(
        default=None, description="Column, or list of columns: one slice per value, bin or combination of values."
    )
    edges: list[Number] | None = Field(default=None, min_length=1, description=editors.EDGES)
    quantiles: int | None = Field(default=None, ge=2, le=100, description=editors.QUANTILES, examples=[4])
    every: Literal["day", "week", "month", "quarter", "year"] | None = Field(
        default=None, description="One slice per calendar period of a column of dates."
    )
    min_size: int = Field(
        default=1,
        ge=1,
        description="With fewer instances than this, nothing is decided about the slice. Default: 1.",
        examples=[30],
    )


Slice = Annotated[
    Annotated[str, Tag("<predicate>")]
    | Annotated[list[str], Field(min_length=1), Tag("<all of>")]
    | Annotated[SlicePart, Tag("<slice>")],
    Discriminator(lambda value: {str: "<predicate>", list: "<all of>"}.get(type(value), "<slice>")),
]


class MetricPart(Part):
    """A metric: the name of a built-in one, or a mapping for one with parameters or of your own."""

    model_config = ConfigDict(json_schema_extra=editors.METRIC)

    name: str = Field(description="What expectations and reports call the metric.", json_schema_extra=editors.NAME)
    metric: str | None = Field(
        default=None,
        description="Name of the built-in metric that gets the parameters.",
        json_schema_extra=editors.METRIC_NAME,
    )
    python: str | None = Field(
        default=None,
        description="module:callable that takes a DataFrame and returns a number, or one number per row.",
        json_schema_extra=editors.REFERENCE,
    )
    mean: str | None = Field(default=None, description="Column or derived column to average.")
    rate: str | None = Field(
        default=None, description='Share of the instances that meet this predicate, such as: output == ""'
    )
    better: Literal["higher", "lower"] | None = Field(default=None, description="Which direction is better.")
    k: int | None = Field(default=None, ge=1, description="Of top_k_accuracy: how many guesses count.", examples=[3])
    q: Share | None = Field(default=None, description="Of absolute_error_quantile: which quantile.", examples=[0.9])
    bins: int | None = Field(default=None, ge=2, description="Of ece: the number of bins.", examples=[15])
    normalize: bool | None = Field(
        default=None, description="Of text metrics: ignore case, punctuation and extra blanks."
    )


Metric = Annotated[
    Annotated[str, Tag("<name>")] | Annotated[MetricPart, Tag("<metric>")],
    Discriminator(lambda value: "<name>" if isinstance(value, str) else "<metric>"),
]


class TolerancePart(Part):
    """How much worse than the baseline a metric may get."""

    model_config = ConfigDict(json_schema_extra=editors.amount_or_mapping)

    by: Amount = Field(description="A number in the metric's own unit, or a share of the baseline's value such as 2%.")
    from_: Literal["accepted", "best"] = Field(
        default="accepted",
        alias="from",
        description="accepted (default): from the accepted value; best: from the best value that was ever accepted, so "
        "that small accepted losses cannot add up.",
    )


class ComparisonPart(Part):
    """How the suite is compared with its baseline."""

    alpha: Level = Field(
        default=0.05,
        description="Chance of any false alarm in a run, over all regression bounds of the suite. Default: 0.05.",
        examples=[0.05],
    )
    mcnemar: Literal["mid-p", "exact"] = Field(
        default="mid-p",
        description="Test of paired proportions: mid-p (default), or exact, which is never above its level but sees less.",
    )


class KnownFailurePart(Part):
    """A failure that is accepted for now: it does not fail the run, until it is mended or its date has passed."""

    reason: str = Field(description="Why it is accepted; an issue number helps.")
    until: str | None = Field(
        default=None,
        pattern=r"^\d{4}-\d{2}-\d{2}$",
        description="Last day on which it is accepted.",
        examples=["2027-03-01"],
    )


Tolerated = Annotated[
    Annotated[Amount, Tag("<amount>")] | Annotated[TolerancePart, Tag("<tolerance>")],
    Discriminator(lambda value: "<tolerance>" if isinstance(value, (dict, TolerancePart)) else "<amount>"),
]


class BoundsPart(Part):
    """The bounds that the value must keep to."""

    model_config = ConfigDict(json_schema_extra=editors.BOUNDS)

    min: Number | None = Field(default=None, description="The metric must be at least this.")
    max: Number | None = Field(default=None, description="The metric must be at most this.")
    max_regression: Tolerated | SkipJsonSchema[None] = Field(
        default=None,
        description="How much worse than the baseline the metric may get: a number in its own unit, a share of the "
        "baseline's value such as 2%, or a mapping with `by` and `from`.",
    )
    max_gap: Distance | None = Field(
        default=None,
        description="Widest difference of the metric between two members of a family of slices or, with `gap_to`, "
        "between a slice and another.",
    )
    gap_to: str | None = Field(
        default=None, description="The slice that `max_gap` is measured from: overall, or the name of one."
    )
    max_gap_regression: Tolerated | SkipJsonSchema[None] = Field(
        default=None, description="How much wider than in the baseline the gap may get; written like `max_regression`."
    )
    decide: Literal["observed", "proven", "refuted"] = Field(
        default="observed",
        description="observed (default): the measured value decides; proven: its confidence interval must meet the "
        "bound; refuted (default of max_regression): it fails only if its interval, or test, rules the bound out.",
    )
    severity: Literal["error", "warning"] = Field(
        default="error", description="warning: it is reported when the bound is not met, but never fails the run."
    )
    known_failure: KnownFailurePart | None = None


class PassRatePart(Part):
    """What the golden cases with a tag must keep to: the share of them that pass all their checks."""

    model_config = ConfigDict(json_schema_extra=editors.PASS_RATE)

    pass_rate: BoundsPart = Field(
        description="Share of the cases that pass all their checks.", json_schema_extra=editors.absolute
    )


Expected = Annotated[
    Annotated[BoundsPart, Tag("<bounds>")] | Annotated[PassRatePart, Tag("<tag>")],
    Discriminator(lambda value: "<tag>" if isinstance(value, dict) and "pass_rate" in value else "<bounds>"),
]


class RangePart(Part):
    """The score of the positive class is in this range."""

    min: Number | None = Field(default=None, description="The score is at least this.")
    max: Number | None = Field(default=None, description="The score is at most this.")


class CloseToPart(Part):
    """The output is a number near this one."""

    value: Number = Field(description="The number.")
    abs: Distance = Field(default=0.0, description="Allowed difference. Default: 0.")
    rel: Distance = Field(default=0.0, description="Allowed difference as a share of the value. Default: 0.")


class ChecksPart(Part):
    """Checks on the output of the case: all of them must hold."""

    model_config = ConfigDict(json_schema_extra=editors.CHECKS)

    equals: Any = Field(default=None, description="The output is exactly this.", json_schema_extra=editors.ANYTHING)
    one_of: Texts | None = Field(default=None, description="The output is one of these.")
    contains: Names | None = Field(default=None, description="The output contains this text, or each text of a list.")
    not_contains: Names | None = Field(
        default=None, description="The output does not contain this text, or any text of a list."
    )
    matches: str | None = Field(default=None, description="This regular expression is found in the output.")
    not_matches: str | None = Field(default=None, description="This regular expression is not found in the output.")
    starts_with: str | None = Field(default=None, description="The output starts with this.")
    min_length: int | None = Field(default=None, ge=0, description="The output has at least this many characters.")
    max_length: int | None = Field(default=None, ge=0, description="The output has at most this many characters.")
    json_: Yes | None = Field(default=None, alias="json", description="true: the output is JSON.")
    json_schema: Mapping | None = Field(default=None, description="The output is JSON that fits this JSON Schema.")
    close_to: CloseToPart | None = None
    label: Scalar | None = Field(default=None, description="The predicted class is this.")
    score: RangePart | None = None
    python: str | None = Field(
        default=None,
        description="module:function that gets the case's row, inputs and outputs, and says whether it is right.",
        json_schema_extra=editors.REFERENCE,
    )


class CasePart(Part):
    """A golden case: one input and the checks on its output; with `template` and `fill`, one case per combination."""

    model_config = ConfigDict(json_schema_extra=editors.CASE)

    id: str = Field(description="Name of the case, unique in the suite.", json_schema_extra=editors.NAME)
    input: Mapping = Field(default={}, description="What the model gets: a value for each column it reads.")
    expect: ChecksPart
    tags: Names = Field(default=[], description="Tag, or list of tags; `expect: cases:` sets a pass rate per tag.")
    template: (
        Annotated[
            Annotated[str, Tag("<text>")] | Annotated[dict[str, str], Tag("<columns>")],
            Discriminator(lambda value: "<text>" if isinstance(value, str) else "<columns>"),
            WithJsonSchema({"type": ["string", "object"], "additionalProperties": {"type": "string"}}),
        ]
        | None
    ) = Field(
        default=None,
        description='Text with {names} to fill, such as "I {neg} like it". It goes to the column `text`; a mapping names '
        "the columns.",
    )
    fill: dict[str, Annotated[list[Scalar], Field(json_schema_extra={"minItems": 1})]] = Field(
        default={}, description="The values of each {name} in the template."
    )


class IncludePart(Part):
    """Golden cases from other files."""

    include: str = Field(description=editors.INCLUDE)


CaseEntry = Annotated[
    Annotated[IncludePart, Tag("<include>")] | Annotated[CasePart, Tag("<case>")],
    Discriminator(lambda value: "<include>" if isinstance(value, dict) and "include" in value else "<case>"),
]


class SuitePart(Part):
    """A suite of behaviors: where the instances and outputs come from, the slices and metrics, and what is expected."""

    model_config = ConfigDict(json_schema_extra=editors.SUITE)

    suite: str | None = Field(
        default=None, description="Name of the suite. Default: the file's name.", json_schema_extra=editors.NAME
    )
    description: str = Field(default="", description="The question that the suite answers.")
    owner: str = Field(default="", description="Who answers for the model; shown in reports.")
    extends: str | None = Field(
        default=None,
        description="Suite file whose metadata, slices, metrics and expectations this one inherits; what stands here wins.",
    )
    python: str | None = Field(
        default=None, description="Module with functions marked by @behave.model, @behave.metadata or @behave.metric."
    )
    dataset: DatasetPart | None = None
    task: Literal["binary", "multiclass", "regression", "text"] | None = Field(
        default=None, description="What the model does. Default: inferred from the target."
    )
    model: Model | SkipJsonSchema[None] = None
    models: dict[str, Model] = Field(default={}, description="Several models by name; the last is the candidate.")
    baseline: Model | SkipJsonSchema[None] = Field(
        default=None,
        description="A model to compare with instead of the stored baseline: a name in `models`, module:callable, or a "
        "mapping as for `model`.",
    )
    comparison: ComparisonPart | None = None
    metadata: dict[str, Metadata] = Field(
        default={}, description="Derived columns by name, for slices and metrics.", json_schema_extra=editors.NAMES
    )
    slices: dict[str, Slice] = Field(default={}, description="Slices by name.", json_schema_extra=editors.SLICES)
    metrics: list[Metric] = Field(
        default=[], description="What is measured on every slice.", json_schema_extra=editors.offering_metrics
    )
    expect: dict[str, dict[str, Expected]] = Field(
        default={},
        description="What must hold: slice or family, then metric, then bounds.",
        json_schema_extra=editors.expectations_by_place,
    )
    cases: list[CaseEntry] = Field(
        default=[],
        description="The golden set: single instances, each with its own checks.",
        json_schema_extra=editors.case_or_include,
    )
