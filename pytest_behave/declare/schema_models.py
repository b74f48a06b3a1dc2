"""The shape of a model: the part of a suite that says where the outputs come from."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Discriminator, Field, Tag, WithJsonSchema
from pydantic_core import PydanticCustomError

from pytest_behave.declare import editors
from pytest_behave.declare.values import Distance, Mapping, Number, Part

RATE = re.compile(editors.RATE)


def _as_rate(value: Any) -> Any:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < editors.LARGEST_RATE
    if not is_number and not (isinstance(value, str) and RATE.fullmatch(value)):
        raise PydanticCustomError("rate", "must be requests per second, or a text such as 300/min")
    return value


def _as_structure(value: Any) -> Any:
    if not isinstance(value, (dict, list)) or not value:
        raise PydanticCustomError("structure", "must be a mapping or a list")
    return value


Rate = Annotated[Any, BeforeValidator(_as_rate), WithJsonSchema(editors.RATE_OR_NUMBER)]
Seconds = Annotated[Number, Field(gt=0, le=86_400), WithJsonSchema(editors.SECONDS)]
Datatype = Literal[
    "BOOL", "INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64", "FP16", "FP32", "FP64", "BYTES"
]  # fmt: skip
Structure = Annotated[
    Any,
    BeforeValidator(_as_structure),
    WithJsonSchema({"type": ["object", "array"], "minProperties": 1, "minItems": 1}),
]


class MessagePart(Part):
    """A message of a conversation."""

    role: str = Field(description="Who says it: system, user or assistant.", examples=["user"])
    content: str = Field(description="What is said; {{column}} stands for the row's value.")


class ModelPart(Part):
    """Where the outputs come from: module:callable, or a mapping with the key of a source, such as predictions or url."""

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
    url: str | None = Field(
        default=None, description="Address of a server that has the model; `protocol` says how it is asked."
    )
    command: str | None = Field(
        default=None,
        description="Program, with arguments, that reads a JSON line per row and writes a JSON line per answer; it runs "
        "in the suite's folder, without a shell.",
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
        default=[],
        description="Columns that the model gets. Default: those that the estimator was fitted on; for a server or "
        "command, all but id, target and the outputs of other models.",
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
        description="Version of the model, also in the prediction cache: change it whenever the outputs may change. "
        "Default: the code and the files that the model reaches; what is behind a url cannot be seen.",
        examples=["2026-11-03"],
    )
    repeats: int = Field(
        default=1,
        ge=1,
        le=1000,
        description="How often the model is asked about each instance, for one whose answers differ from time to time. A "
        "callable with a parameter `seed` gets 0, 1, ...; a chat model's `seed` rises with each. Default: 1.",
        examples=[5],
    )
    protocol: Literal["mlflow", "openai-chat", "v2", "json"] | None = Field(
        default=None,
        description="How the server is asked: mlflow (/invocations), openai-chat (any compatible server), v2 (KServe, "
        "Triton, MLServer), or json with `request` and `response` of your own.",
    )
    model: str | None = Field(default=None, min_length=1, description="The model's name on the server.")
    prompt: str | None = Field(
        default=None, description="What the chat model is asked; {{column}} stands for the row's value."
    )
    messages: list[MessagePart] | None = Field(
        default=None, min_length=1, description="What the chat model is asked, as a conversation instead of a `prompt`."
    )
    temperature: Distance | None = Field(
        default=None, description="Temperature of the chat model. Default: the server's.", examples=[0]
    )
    max_tokens: int | None = Field(
        default=None, ge=1, description="Most tokens of an answer. Default: the server's.", examples=[16]
    )
    seed: int | None = Field(default=None, description="Seed of the chat model. Default: none.", examples=[1])
    request: Structure | None = Field(
        default=None,
        description="The JSON that is sent: {{column}} stands for the row's value, `for_each:` for a list with an entry "
        "per row.",
    )
    response: (
        Annotated[
            Annotated[str, Tag("<path>")] | Annotated[dict[str, str], Tag("<paths>")],
            Discriminator(lambda value: "<path>" if isinstance(value, str) else "<paths>"),
            WithJsonSchema({"type": ["string", "object"], "additionalProperties": {"type": "string"}}),
        ]
        | None
    ) = Field(
        default=None,
        description="Where the answer holds the prediction, such as data.0.label; a mapping says it of `prediction`, "
        "`score` and further columns.",
    )
    datatypes: dict[str, Datatype] = Field(
        default={},
        description="Tensor datatypes of columns, such as FP32, where the column's own is not what is wanted.",
    )
    headers: dict[str, str] = Field(
        default={},
        description="HTTP headers; ${NAME} stands for an environment variable, as in: Bearer ${API_KEY}.",
    )
    timeout: Seconds = Field(default=60.0, description="Seconds to wait for an answer. Default: 60.", examples=[60])
    retries: int = Field(
        default=5,
        ge=0,
        le=100,
        description="How often a request is sent again after 429, 5xx or a lost connection. Default: 5.",
        examples=[5],
    )
    concurrency: int = Field(
        default=4, ge=1, le=256, description="Requests at the same time, at most. Default: 4.", examples=[4]
    )
    rate: Rate | None = Field(
        default=None, description="Most requests per second, or a text such as 300/min.", examples=["300/min"]
    )


Model = Annotated[
    Annotated[str, Tag("<name>")] | Annotated[ModelPart, Tag("<model>")],
    Discriminator(lambda value: "<name>" if isinstance(value, str) else "<model>"),
]
