"""How servers are asked and what they answer: one small class per protocol, each without a network of its own."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Protocol
from urllib.parse import quote, urlsplit, urlunsplit

import numpy as np
import pandas as pd

from pytest_behave.errors import ModelError
from pytest_behave.predict.inputs import Rows, check_columns, json_rows, sent_columns
from pytest_behave.predict.templates import filled, filled_text, found_at
from pytest_behave.records import ModelSpec, ServiceSpec

SCALARS = (str, int, float, bool, type(None))


class AnswerError(Exception):
    """An answer is JSON, but not one of this protocol; the text goes on from "answered"."""


class Wire(Protocol):
    """One way to ask a server."""

    url: str

    def inputs(self, frame: pd.DataFrame) -> Rows:
        """Return what the requests need of the rows."""

    def request(self, rows: Rows, size: int) -> Any:
        """Return the JSON that asks for some rows."""

    def outputs(self, answer: Any, size: int) -> Any:
        """Return the outputs in an answer as a list or a data frame; raises AnswerError."""


def wire_of(spec: ModelSpec, service: ServiceSpec, withheld: frozenset[str]) -> Wire:
    """Return the protocol that a model declares. ``withheld`` are columns that are sent only if asked for by name."""
    match service.protocol:
        case "mlflow":
            return Mlflow(spec, withheld)
        case "v2":
            return Tensors(spec, service, withheld)
        case "openai-chat":
            return Chat(spec, service)
    return Templated(spec, service)


class Mlflow:
    """MLflow's scoring server: a data frame in, ``predictions`` out."""

    def __init__(self, spec: ModelSpec, withheld: frozenset[str]) -> None:
        self.url = spec.location
        self._spec = spec
        self._withheld = withheld

    def inputs(self, frame: pd.DataFrame) -> Rows:
        """Return the columns to send."""
        return json_rows(frame, sent_columns(self._spec, frame, self._withheld))

    def request(self, rows: Rows, size: int) -> Any:  # noqa: ARG002 - as every protocol
        """Return the rows in the form that keeps columns in order."""
        return {"dataframe_split": {"columns": list(rows), "data": list(zip(*rows.values(), strict=True))}}

    def outputs(self, answer: Any, size: int) -> Any:
        """Return the predictions; older servers answer with the bare list."""
        predictions = answer["predictions"] if isinstance(answer, dict) and "predictions" in answer else answer
        if not isinstance(predictions, list):
            raise AnswerError("without a list of `predictions`")
        if predictions and all(isinstance(item, dict) for item in predictions):
            return _of_records(predictions, size)
        return _listed(predictions, size)


class Tensors:
    """The open inference protocol of KServe, Triton and MLServer: a tensor per column in, a tensor per output out."""

    def __init__(self, spec: ModelSpec, service: ServiceSpec, withheld: frozenset[str]) -> None:
        self.url = _below(spec.location, f"v2/models/{quote(service.model, safe='')}/infer", "/infer")
        self._spec = spec
        self._service = service
        self._withheld = withheld

    def inputs(self, frame: pd.DataFrame) -> Rows:
        """Return the columns to send; raises ModelError where one has a value missing, which no tensor can have."""
        names = sent_columns(self._spec, frame, self._withheld)
        check_columns(self._spec, list(self._service.datatypes), frame)
        self._types = {name: self._service.datatypes.get(name) or datatype_of(frame[name]) for name in names}
        rows = json_rows(frame, names)
        for name, values in rows.items():
            if None in values:
                raise ModelError(
                    f"model {self._spec.name!r} is sent the column {name!r}, which has missing values, and a tensor "
                    "cannot: leave the column out by `features` or those rows by `where`"
                )
        return {name: _typed(values, self._types[name]) for name, values in rows.items()}

    def request(self, rows: Rows, size: int) -> Any:
        """Return a tensor of one column for each column."""
        inputs = [
            {"name": name, "shape": [size, 1], "datatype": self._types[name], "data": values}
            for name, values in rows.items()
        ]
        return {"inputs": inputs}

    def outputs(self, answer: Any, size: int) -> Any:
        """Return the tensors that the suite names, else those called prediction or score, else the only one."""
        tensors = answer.get("outputs") if isinstance(answer, dict) else None
        if not isinstance(tensors, list) or not all(isinstance(item, dict) and "data" in item for item in tensors):
            raise AnswerError("without a list of `outputs`")
        found = {str(item.get("name")): item["data"] for item in tensors}
        wanted = self._service.response or _outputs_by_name(list(found))
        absent = [name for name in wanted.values() if name not in found]
        if absent:
            raise AnswerError(f"without an output {absent[0]!r} (it has {', '.join(found) or 'none'})")
        return frame_of({name: _flat(found[output], output, size) for name, output in wanted.items()})


def datatype_of(series: pd.Series) -> str:
    """Return the tensor datatype of a column."""
    if series.dtype.kind == "b":
        return "BOOL"
    if series.dtype.kind in "iuf":
        return series.dtype.name.upper().replace("FLOAT", "FP")
    return "BYTES"


def _typed(values: Sequence[Any], datatype: str) -> list[Any]:
    if datatype == "BYTES":
        return [value if isinstance(value, str) else str(value) for value in values]
    try:
        if datatype.startswith("FP"):
            return [float(value) for value in values]
        return [bool(value) if datatype == "BOOL" else int(value) for value in values]
    except (TypeError, ValueError):
        raise ModelError(f"a column is to be sent as {datatype}, but holds other values: see `datatypes`") from None


def _outputs_by_name(names: Sequence[str]) -> dict[str, str]:
    known = {name: name for name in names if name in ("prediction", "score") or name.startswith("proba:")}
    if known:
        return known
    if len(names) != 1:
        raise AnswerError(
            f"with the outputs {', '.join(names) or 'none'}: say which is meant by `response: {{prediction: NAME}}`"
        )
    return {"prediction": names[0]}


def _flat(data: Any, name: str, size: int) -> list[Any]:
    values = [data] if not isinstance(data, list) else data
    while values and all(isinstance(item, list) and len(item) == 1 for item in values):
        values = [item[0] for item in values]
    if not all(isinstance(item, SCALARS) for item in values):
        raise AnswerError(f"with more than one value per row in the output {name!r}")
    _check_size(values, size)
    return values


class Chat:
    """Chat completions as OpenAI and compatible servers have them: one conversation per row."""

    def __init__(self, spec: ModelSpec, service: ServiceSpec) -> None:
        self.url = _below(spec.location, "chat/completions", "/chat/completions")
        self._spec = spec
        self._service = service

    def inputs(self, frame: pd.DataFrame) -> Rows:
        """Return the columns that the messages name."""
        check_columns(self._spec, self._service.columns, frame)
        return json_rows(frame, self._service.columns)

    def request(self, rows: Rows, size: int) -> Any:  # noqa: ARG002 - as every protocol
        """Return the conversation, with the parameters that the suite gives."""
        (row,) = _by_row(rows, 1)
        messages = [
            {"role": message["role"], "content": filled_text(message["content"], row)}
            for message in self._service.request
        ]
        return {"model": self._service.model, "messages": messages, **self._service.parameters}

    def outputs(self, answer: Any, size: int) -> Any:  # noqa: ARG002 - as every protocol
        """Return the text, empty if the model only refused, with tokens and the reason why it ended."""
        try:
            choice = answer["choices"][0]
            message = choice["message"]
            text = message.get("content")
        except (LookupError, TypeError, AttributeError):
            raise AnswerError("without `choices.0.message.content`") from None
        if not isinstance(text, (str, type(None))):
            raise AnswerError("with a message that is no text")
        found = answer.get("usage")
        usage = found if isinstance(found, dict) else {}
        columns: dict[str, list[Any]] = {"prediction": [text if text is not None else message.get("refusal") or ""]}
        columns |= {name: [_number(usage.get(name))] for name in ("prompt_tokens", "completion_tokens", "total_tokens")}
        return frame_of({**columns, "finish_reason": [str(choice.get("finish_reason") or "")]})


class Templated:
    """Any JSON: a request made from a template, an answer read by paths."""

    def __init__(self, spec: ModelSpec, service: ServiceSpec) -> None:
        self.url = spec.location
        self._spec = spec
        self._service = service
        self._is_batched = any("*" in path.split(".") for path in service.response.values())

    def inputs(self, frame: pd.DataFrame) -> Rows:
        """Return the columns that the template names."""
        check_columns(self._spec, self._service.columns, frame)
        return json_rows(frame, self._service.columns)

    def request(self, rows: Rows, size: int) -> Any:
        """Return the template filled with the rows."""
        return filled(self._service.request, _by_row(rows, size))

    def outputs(self, answer: Any, size: int) -> Any:
        """Return what stands at the paths of ``response``."""
        columns = {name: self._at(answer, path, size) for name, path in self._service.response.items()}
        return _listed(columns["prediction"], size) if columns.keys() == {"prediction"} else frame_of(columns)

    def _at(self, answer: Any, path: str, size: int) -> list[Any]:
        try:
            found = found_at(answer, path)
        except LookupError:
            raise AnswerError(f"without {path!r}") from None
        values = found if self._is_batched else [found]
        if not all(isinstance(value, SCALARS) for value in values):
            raise AnswerError(f"with a mapping or list at {path!r}, where a text, number or boolean is wanted")
        _check_size(values, size)
        return values


def _by_row(rows: Rows, size: int) -> list[dict[str, Any]]:
    return [{name: values[row] for name, values in rows.items()} for row in range(size)]


def _below(url: str, path: str, ending: str) -> str:
    """Return an address with a path below it, unless it has that ending already."""
    address = urlsplit(url)
    if address.path.endswith(ending):
        return url
    return urlunsplit(address._replace(path=f"{address.path.rstrip('/')}/{path}"))


# --- from JSON to outputs -----------------------------------------------------------------------------------------


def _listed(values: list[Any], size: int) -> list[Any]:
    if not all(isinstance(value, SCALARS) for value in values):
        raise AnswerError("with lists or mappings instead of one output per row")
    _check_size(values, size)
    return values


def _of_records(records: Sequence[Mapping[str, Any]], size: int) -> Any:
    """Return a data frame of records; of records with one column of any name, the list of its values."""
    _check_size(records, size)
    names = list(dict.fromkeys(name for record in records for name in record))
    columns = {name: [record.get(name) for record in records] for name in names}
    if len(names) == 1 and names[0] not in ("prediction", "score") and not names[0].startswith("proba:"):
        return _listed(columns[names[0]], size)
    return frame_of(columns)


def _check_size(values: Sequence[Any], size: int) -> None:
    if len(values) != size:
        raise AnswerError(f"with {len(values):,} outputs for {size:,} instances")


def frame_of(columns: Mapping[str, list[Any]]) -> pd.DataFrame:
    """Return columns of JSON values as a data frame; texts stay objects, whatever dtype this pandas would choose."""
    return pd.DataFrame({name: _series(values) for name, values in columns.items()})


def _series(values: list[Any]) -> pd.Series:
    """Return values as numbers where all are, else as the objects they are."""
    if all(isinstance(value, (int, float, type(None))) and not isinstance(value, bool) for value in values):
        try:
            numbers = [math.nan if value is None else value for value in values]
            return pd.Series(numbers, dtype=np.float64 if any(isinstance(v, float) for v in numbers) else np.int64)
        except OverflowError:
            return pd.Series(values, dtype=object)
    if all(isinstance(value, bool) for value in values):
        return pd.Series(values, dtype=bool)
    return pd.Series(values, dtype=object)


def _number(value: Any) -> float | int | None:
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None
