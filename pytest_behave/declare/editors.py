"""What editors are told about a suite file beyond the types in ``schema.py``: rules between keys, and names to complete.

``build.py`` checks the same rules with better sentences. Here they are written so that an editor marks the key at fault:
`dependencies` and `false` do that, `oneOf` and `not` mark the whole mapping.
"""

from __future__ import annotations

from typing import Any

from pydantic.config import JsonDict
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema


def _forbids(*keys: str) -> JsonDict:
    return {"properties": dict.fromkeys(keys, False)}


def _needs_any(*keys: str) -> JsonDict:
    return {"anyOf": [{"required": [key]} for key in keys]}


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
    *("agreement", "count", "share", "latency", "cost"),
)
# Fits no finished name: an editor completes from it, and does not list it whenever the mouse is over a metric.
METRIC_NAMES: JsonDict = {
    "enum": [*BUILT_IN_METRICS],
    "not": {"pattern": f"^({'|'.join(BUILT_IN_METRICS)})$"},
    "title": "built-in metric",
}
METRIC_NAME: JsonDict = {"anyOf": [{}, METRIC_NAMES]}
SLICES: JsonDict = {**NAMES, **_forbids("overall", "cases", "*")}

RATE = r"^[1-9][0-9]{0,8} */ *(s|min|h)$"
LARGEST_RATE = 1e9
RATE_OR_NUMBER: JsonDict = {
    "type": ["number", "string"],
    "exclusiveMinimum": 0,
    "exclusiveMaximum": LARGEST_RATE,
    "pattern": RATE,
}
SECONDS: JsonDict = {"type": "number", "exclusiveMinimum": 0, "maximum": 86_400}
CALLED = ("python", "estimator", "plugin", "url", "command")
MODEL: JsonDict = {
    "type": ["string", "object"],
    "minProperties": 1,
    "dependencies": {
        "python": _forbids("predictions", "column", "estimator", "plugin", "url", "command"),
        "predictions": {
            **_forbids("column", "estimator", "plugin", "url", "command", "batch_size"),
            **_needs_any("prediction", "score"),
        },
        "column": _forbids("estimator", "plugin", "url", "command", "batch_size"),
        "estimator": _forbids("plugin", "url", "command"),
        "url": {"required": ["protocol"], **_forbids("plugin", "command")},
        "command": _forbids("plugin"),
        "prediction": ["predictions"],
        "score": ["predictions"],
        "as": ["column"],
        "features": _needs_any("estimator", "url", "command"),
        "allow_pickle": ["estimator"],
        "options": ["plugin"],
        "threshold": _needs_any("predictions", "column", *CALLED),
        "batch_size": _needs_any("predictions", "column", *CALLED),
        "fingerprint": _needs_any("python", "plugin", "url", "command"),
        "timeout": _needs_any("url", "command"),
        "prompt": _forbids("messages"),
        **{
            key: ["url"]
            for key in (
                *("protocol", "model", "messages", "temperature", "max_tokens", "seed", "request", "response"),
                *("datatypes", "headers", "retries", "concurrency", "rate"),
            )
        },
    },
}
METADATA: JsonDict = {
    "type": ["string", "object"],
    "minProperties": 1,
    "dependencies": {
        "expression": _forbids("column", "python"),
        "column": {**_forbids("python"), **_needs_any("edges", "quantiles")},
        "edges": ["column"],
        "quantiles": {"required": ["column"], **_forbids("edges")},
    },
}
SLICE: JsonDict = {
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
METRIC: JsonDict = {
    "type": ["string", "object"],
    "dependencies": {
        "metric": _forbids("python", "mean", "rate"),
        "python": _forbids("mean", "rate"),
        "mean": _forbids("rate"),
        "name": _needs_any("metric", "python", "mean", "rate"),
    },
}
GAPS = ("max_gap", "max_gap_regression")
LIMITS = ("min", "max", "max_regression", *GAPS, "known_failure")
PERCENTAGE = r"^([0-9]{1,9}|[0-9]{0,9}\.[0-9]{1,9}) *%$"
AMOUNT: JsonDict = {"type": ["number", "string"], "minimum": 0, "pattern": PERCENTAGE}
BOUNDS: JsonDict = {
    "minProperties": 1,
    "dependencies": {
        "decide": _needs_any(*LIMITS),
        "gap_to": _needs_any(*GAPS),
    },
}
# its only key: an editor that is told `required` as well shows two mistakes for one
PASS_RATE: JsonDict = {"required": [], "minProperties": 1}
CHECKS: JsonDict = {"minProperties": 1}
CASE: JsonDict = {
    "if": {"properties": {"template": False}},
    "then": {"required": ["input"]},
    "dependencies": {"fill": ["template"]},
}
SUITE: JsonDict = {"dependencies": {"models": _forbids("model")}}


def amount_or_mapping(schema: JsonDict) -> None:
    """Let a mapping be an amount too; its keys stand apart so that an editor, completing the key, starts an amount."""
    apart = {key: schema.pop(key) for key in ("properties", "required", "additionalProperties")}
    schema.update({**AMOUNT, "type": ["number", "string", "object"], "allOf": [apart]})


def absolute(schema: JsonDict) -> None:
    """Turn a reference to bounds into one to bounds of a pass rate, which has neither gap nor baseline."""
    relative = _forbids("gap_to", "max_regression", *GAPS)
    schema.update(allOf=[{"$ref": schema.pop("$ref")}], **relative)


def offering_metrics(schema: JsonDict) -> None:
    """Add the names of the built-in metrics to what an item of the list may be."""
    schema["items"] = {"anyOf": [schema["items"], METRIC_NAMES]}


def expectations_by_place(schema: Any) -> None:
    """Tell bounds from pass rates by where they stand."""
    of_slice = schema["additionalProperties"]
    bounds, of_tag = of_slice["additionalProperties"].pop("oneOf")
    of_slice["additionalProperties"] = bounds
    single: JsonDict = {"allOf": [{"$ref": bounds["$ref"]}], "dependencies": {gap: ["gap_to"] for gap in GAPS}}
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


def case_or_include(schema: Any) -> None:
    """Tell an include from a case by its key."""
    include, case = schema["items"]["oneOf"]
    schema["items"] = {
        "properties": {"include": {"type": "string", "description": INCLUDE}},
        "if": {"properties": {"include": False}},
        "then": case,
        "else": include,
    }


ANNOTATIONS = {"description", "examples"}


def referring_alone(schema: Any, definitions: JsonDict) -> Any:
    """Return the schema with a copy of the definition for each reference that has keys beside it.

    Draft 7 would not see those keys, and with the reference in an `allOf` editors show the definition's description.
    """
    if isinstance(schema, list):
        return [referring_alone(part, definitions) for part in schema]
    if not isinstance(schema, dict):
        return schema
    parts = {key: referring_alone(part, definitions) for key, part in schema.items()}
    if set(parts) - ANNOTATIONS == {"allOf"} and len(parts) > 1 and set(parts["allOf"][0]) == {"$ref"}:
        parts |= parts.pop("allOf")[0]  # so older releases of pydantic write it
    if "$ref" not in parts or len(parts) == 1:
        return parts
    return {**referring_alone(definitions[parts.pop("$ref").rpartition("/")[2]], definitions), **parts}


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
