"""The shape of a suite file, for checking and for editors (``schema.json`` is made from it).

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
from pydantic.config import JsonDict
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, SkipJsonSchema
from pydantic_core import PydanticCustomError, core_schema


def _as_float(value: Any) -> Any:
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _as_scalar(value: Any) -> Any:
    if not isinstance(value, (str, int, float, bool)):
        raise PydanticCustomError("scalar", "must be a text, a number, true or false")
    return value


Number = Annotated[float, Field(allow_inf_nan=False), BeforeValidator(_as_float)]
Distance = Annotated[Number, Field(ge=0), WithJsonSchema({"type": "number", "minimum": 0})]
Share = Annotated[Number, Field(ge=0, le=1), WithJsonSchema({"type": "number", "minimum": 0, "maximum": 1})]
Scalar = Annotated[Any, BeforeValidator(_as_scalar), WithJsonSchema({"type": ["string", "number", "boolean"]})]


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def scalar_text(value: Any) -> str:
    """Return an id or a filling as text; 1.0 is "1"."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


Names = Annotated[
    list[str],
    BeforeValidator(_listed),
    # `items` stands apart so that an editor, completing the key, starts a text and not a list
    WithJsonSchema({"type": ["string", "array"], "allOf": [{"items": {"type": "string"}}]}),
]
Texts = Annotated[list[Scalar], Field(min_length=1)]
# pydantic's versions differ in the JSON Schema of these two
Mapping = Annotated[dict[str, Any], WithJsonSchema({"type": "object"})]
Yes = Annotated[Literal[True], WithJsonSchema({"type": "boolean", "const": True})]


# --- what editors are told beyond types --------------------------------------------------------------------------
# Rules between keys stand in the JSON Schema only (``build.py`` checks them with better sentences). They are written so
# that an editor marks the key at fault: `dependencies` and `false` do that, `oneOf` and `not` mark the whole mapping.

ANYTHING: JsonDict = {"type": ["string", "number", "boolean", "object", "array", "null"]}
NAME: JsonDict = {"pattern": r"^(?!.*::)[^\[\]\r\n]*$"}
NAMES: JsonDict = {"patternProperties": {r"[\[\]\r\n]|::": False}}
REFERENCE: JsonDict = {"pattern": r"^[^:\s]+:[^:\s]+$"}
EDGES = "Where the bins begin, rising: [25, 45] makes below 25, from 25 to below 45, and from 45 up."
INCLUDE = "File, or glob of files, that each hold a list of cases; relative to this file."
QUANTILES = "Number of bins, each with about as many instances."
BUILT_IN_METRICS = (
    *("accuracy", "balanced_accuracy", "precision", "recall", "specificity", "fpr", "fnr", "f1", "selection_rate"),
    *("positive_rate", "mcc", "roc_auc", "average_precision", "log_loss", "brier", "ece", "top_k_accuracy"),
    *("micro_precision", "macro_precision", "weighted_precision", "micro_recall", "macro_recall", "weighted_recall"),
    *("micro_f1", "macro_f1", "weighted_f1", "mae", "mse", "rmse", "bias", "mape", "r2", "median_ae"),
    *("absolute_error_quantile", "exact_match", "contains", "wer", "cer", "rouge_l", "chrf", "length"),
    *("count", "share", "latency", "cost"),
)
# Fits no finished name: an editor completes from it, and does not list it whenever the mouse is over a metric.
METRIC_NAMES: JsonDict = {
    "enum": [*BUILT_IN_METRICS],
    "not": {"pattern": f"^({'|'.join(BUILT_IN_METRICS)})$"},
    "title": "built-in metric",
}


def _forbids(*keys: str) -> JsonDict:
    return {"properties": dict.fromkeys(keys, False)}


def _needs_any(*keys: str) -> JsonDict:
    return {"anyOf": [{"required": [key]} for key in keys]}


def _without_gap(schema: JsonDict) -> None:
    """Turn a reference to bounds into one to bounds of a single slice, which has no gap."""
    schema.update(allOf=[{"$ref": schema.pop("$ref")}], **_forbids("max_gap"))


def _offering_metrics(schema: JsonDict) -> None:
    schema["items"] = {"anyOf": [schema["items"], METRIC_NAMES]}


def _expectations_by_place(schema: Any) -> None:
    """Tell bounds from pass rates by where they stand."""
    of_slice = schema["additionalProperties"]
    bounds, of_tag = of_slice["additionalProperties"].pop("oneOf")
    single = {"$ref": bounds["$ref"]}
    _without_gap(single)
    of_slice["additionalProperties"] = bounds
    of_all = {"type": "object", "additionalProperties": single}
    schema["properties"] = {
        "overall": {**of_all, "description": "Bounds on all instances, by metric."},
        "*": {**of_all, "description": "Bounds on every slice, by metric."},
        "cases": {
            "type": "object",
            "additionalProperties": of_tag,
            "description": "Pass rates of the golden cases, by tag.",
        },
    }


def _case_or_include(schema: Any) -> None:
    include, case = schema["items"]["oneOf"]
    schema["items"] = {
        "properties": {"include": {"type": "string", "description": INCLUDE}},
        "if": {"properties": {"include": False}},
        "then": case,
        "else": include,
    }


class EditorSchema(GenerateJsonSchema):
    """JSON Schema that editors explain well: no titles made from names, and no unions where one form can do.

    A mapping that may also be a text or a list says so itself (``type`` in its ``json_schema_extra``). An empty value,
    which a suite may have for an optional key, is left out: in an editor it is an unfinished line.
    """

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - pydantic's signature
        """Return False: descriptions say more."""
        return False

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """Return the schema without the default, which editors would fill in."""
        return self.generate_inner(schema["schema"])

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        """Return the schema of a value that is given."""
        return self.generate_inner(schema["schema"])

    def tagged_union_schema(self, schema: core_schema.TaggedUnionSchema) -> JsonSchemaValue:
        """Return the mapping of a union of a mapping with simpler forms."""
        forms = [self.generate_inner(form) for form in schema["choices"].values()]
        mappings = [form for form in forms if "$ref" in form]
        return mappings[0] if len(mappings) == 1 else {"oneOf": mappings}


# --- the parts ---------------------------------------------------------------------------------------------------


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


class ModelPart(Part):
    """Where the outputs come from: module:callable, or a mapping with one of predictions, column, python, estimator, plugin."""

    model_config = ConfigDict(
        json_schema_extra={
            "type": ["string", "object"],
            "minProperties": 1,
            "dependencies": {
                "python": _forbids("predictions", "column", "estimator", "plugin"),
                "predictions": {
                    **_forbids("column", "estimator", "plugin", "batch_size"),
                    **_needs_any("prediction", "score"),
                },
                "column": _forbids("estimator", "plugin", "batch_size"),
                "estimator": _forbids("plugin"),
                "prediction": ["predictions"],
                "score": ["predictions"],
                "as": ["column"],
                "features": ["estimator"],
                "allow_pickle": ["estimator"],
                "options": ["plugin"],
                "threshold": _needs_any("predictions", "column", "python", "estimator", "plugin"),
                "batch_size": _needs_any("python", "estimator", "plugin"),
            },
        }
    )

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


Model = Annotated[
    Annotated[str, Tag("<name>")] | Annotated[ModelPart, Tag("<model>")],
    Discriminator(lambda value: "<name>" if isinstance(value, str) else "<model>"),
]


class MetadataPart(Part):
    """A derived column: an expression such as words(text), bins of a column, or a function."""

    model_config = ConfigDict(
        json_schema_extra={
            "type": ["string", "object"],
            "minProperties": 1,
            "dependencies": {
                "expression": _forbids("column", "python"),
                "column": {**_forbids("python"), **_needs_any("edges", "quantiles")},
                "edges": ["column"],
                "quantiles": {"required": ["column"], **_forbids("edges")},
            },
        }
    )

    column: str | None = Field(default=None, description="Column to divide into bins by `edges` or `quantiles`.")
    edges: list[Number] | None = Field(default=None, min_length=1, description=EDGES)
    quantiles: int | None = Field(default=None, ge=2, le=100, description=QUANTILES, examples=[4])
    expression: str | None = Field(
        default=None, description="Expression over columns, such as: lower(country) or words(text)"
    )
    python: str | None = Field(
        default=None,
        description="module:callable that takes a DataFrame and returns one value per row.",
        json_schema_extra=REFERENCE,
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

    model_config = ConfigDict(
        json_schema_extra={
            "type": ["string", "array", "object"],
            "items": {"type": "string"},
            "minItems": 1,
            "minProperties": 1,
            "dependencies": {
                "ids": _forbids("where", "by"),
                "edges": {"dependencies": {"edges": ["by"]}, **_forbids("quantiles", "every")},
                "quantiles": {"dependencies": {"quantiles": ["by"]}, **_forbids("every")},
                "every": ["by"],
                "min_size": _needs_any("by", "where", "ids"),
            },
        }
    )

    where: str | None = Field(
        default=None, description="Predicate of the slice, such as: age < 30; restricts the rows of a family."
    )
    ids: list[Scalar] | None = Field(default=None, min_length=1, description="These instances, by id.")
    by: Names | None = Field(
        default=None, description="Column, or list of columns: one slice per value, bin or combination of values."
    )
    edges: list[Number] | None = Field(default=None, min_length=1, description=EDGES)
    quantiles: int | None = Field(default=None, ge=2, le=100, description=QUANTILES, examples=[4])
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

    model_config = ConfigDict(
        json_schema_extra={
            "type": ["string", "object"],
            "dependencies": {
                "metric": _forbids("python", "mean", "rate"),
                "python": _forbids("mean", "rate"),
                "mean": _forbids("rate"),
                "name": _needs_any("metric", "python", "mean", "rate"),
            },
        }
    )

    name: str = Field(description="What expectations and reports call the metric.", json_schema_extra=NAME)
    metric: str | None = Field(
        default=None,
        description="Name of the built-in metric that gets the parameters.",
        json_schema_extra={"anyOf": [{}, METRIC_NAMES]},
    )
    python: str | None = Field(
        default=None,
        description="module:callable that takes a DataFrame and returns a number, or one number per row.",
        json_schema_extra=REFERENCE,
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


class KnownFailurePart(Part):
    """A failure that is accepted for now: it does not fail the run, until it is mended or its date has passed."""

    reason: str = Field(description="Why it is accepted; an issue number helps.")
    until: str | None = Field(
        default=None,
        pattern=r"^\d{4}-\d{2}-\d{2}$",
        description="Last day on which it is accepted.",
        examples=["2027-03-01"],
    )


class BoundsPart(Part):
    """The bounds that the value must keep to."""

    model_config = ConfigDict(
        json_schema_extra={
            "minProperties": 1,
            "dependencies": {"decide": _needs_any("min", "max", "max_gap", "known_failure")},
        }
    )

    min: Number | None = Field(default=None, description="The metric must be at least this.")
    max: Number | None = Field(default=None, description="The metric must be at most this.")
    max_gap: Distance | None = Field(
        default=None, description="Widest difference of the metric between two members of a family of slices."
    )
    decide: Literal["observed", "proven", "refuted"] = Field(
        default="observed",
        description="observed (default): the measured value decides; proven: its confidence interval must meet the "
        "bound; refuted: it fails only if its interval rules the bound out.",
    )
    known_failure: KnownFailurePart | None = None


class PassRatePart(Part):
    """What the golden cases with a tag must keep to: the share of them that pass all their checks."""

    # its only key: an editor that is told `required` as well shows two mistakes for one
    model_config = ConfigDict(json_schema_extra={"required": [], "minProperties": 1})

    pass_rate: BoundsPart = Field(
        description="Share of the cases that pass all their checks.", json_schema_extra=_without_gap
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

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    equals: Any = Field(default=None, description="The output is exactly this.", json_schema_extra=ANYTHING)
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
        json_schema_extra=REFERENCE,
    )


class CasePart(Part):
    """A golden case: one input and the checks on its output; with `template` and `fill`, one case per combination."""

    model_config = ConfigDict(
        json_schema_extra={
            "if": {"properties": {"template": False}},
            "then": {"required": ["input"]},
            "dependencies": {"fill": ["template"]},
        }
    )

    id: str = Field(description="Name of the case, unique in the suite.", json_schema_extra=NAME)
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

    include: str = Field(description=INCLUDE)


CaseEntry = Annotated[
    Annotated[IncludePart, Tag("<include>")] | Annotated[CasePart, Tag("<case>")],
    Discriminator(lambda value: "<include>" if isinstance(value, dict) and "include" in value else "<case>"),
]


class SuitePart(Part):
    """A suite of behaviors: where the instances and outputs come from, the slices and metrics, and what is expected."""

    model_config = ConfigDict(json_schema_extra={"dependencies": {"models": _forbids("model")}})

    suite: str | None = Field(
        default=None, description="Name of the suite. Default: the file's name.", json_schema_extra=NAME
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
    metadata: dict[str, Metadata] = Field(
        default={}, description="Derived columns by name, for slices and metrics.", json_schema_extra=NAMES
    )
    slices: dict[str, Slice] = Field(
        default={}, description="Slices by name.", json_schema_extra={**NAMES, **_forbids("overall", "cases", "*")}
    )
    metrics: list[Metric] = Field(
        default=[], description="What is measured on every slice.", json_schema_extra=_offering_metrics
    )
    expect: dict[str, dict[str, Expected]] = Field(
        default={},
        description="What must hold: slice or family, then metric, then bounds.",
        json_schema_extra=_expectations_by_place,
    )
    cases: list[CaseEntry] = Field(
        default=[],
        description="The golden set: single instances, each with its own checks.",
        json_schema_extra=_case_or_include,
    )
