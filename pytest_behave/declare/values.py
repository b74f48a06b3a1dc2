"""The kinds of value that a suite file holds, and what all of its parts have in common."""

from __future__ import annotations

import math
import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from pytest_behave.declare import editors

PERCENTAGE = re.compile(editors.PERCENTAGE)


def _as_float(value: Any) -> Any:
    if not isinstance(value, int) or isinstance(value, bool):
        return value
    try:
        return float(value)
    except OverflowError:  # from Python; in YAML so large a number is a text
        return math.inf


def _as_scalar(value: Any) -> Any:
    if not isinstance(value, (str, int, float, bool)):
        raise PydanticCustomError("scalar", "must be a text, a number, true or false")
    return value


def _as_amount(value: Any) -> Any:
    value = _as_float(value)
    is_amount = isinstance(value, float) and 0 <= value < math.inf
    if not is_amount and not (isinstance(value, str) and PERCENTAGE.fullmatch(value)):
        raise PydanticCustomError("amount", "must be a number of at least 0, or a percentage such as 2%")
    return value


Number = Annotated[float, Field(allow_inf_nan=False), BeforeValidator(_as_float)]
Distance = Annotated[Number, Field(ge=0), WithJsonSchema({"type": "number", "minimum": 0})]
Share = Annotated[Number, Field(ge=0, le=1), WithJsonSchema({"type": "number", "minimum": 0, "maximum": 1})]
Level = Annotated[
    Number,
    Field(gt=0, lt=1),
    WithJsonSchema({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}),
]
Amount = Annotated[Any, BeforeValidator(_as_amount), WithJsonSchema(editors.AMOUNT)]
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


class Part(BaseModel):
    """A part of a suite: strict types, no unknown keys."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _note_keys(cls, value: Any, info: ValidationInfo) -> Any:
        """Tell the caller (in ``context``) which part this mapping is, for suggestions."""
        if info.context is not None:
            info.context[id(value)] = cls
        return value
