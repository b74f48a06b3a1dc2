"""From whatever a model returned to Predictions: labels, scores, or a data frame with both and more."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from numbers import Real
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from pytest_behave.errors import ModelError
from pytest_behave.records import Predictions

PROBA = "proba:"


class Batch(NamedTuple):
    """What a model said of some rows, by their numbers; ``is_known`` if the cache held it."""

    rows: np.ndarray
    predictions: Predictions
    is_known: bool = False


def predictions_of(returned: Any, ids: Sequence[str], where: str) -> Predictions:
    """Return what a model returned for the instances ``ids`` as Predictions; raises ModelError naming ``where``."""
    if isinstance(returned, Predictions):
        return returned
    if isinstance(returned, pd.DataFrame):
        return _of_frame(returned, ids, where)
    if isinstance(returned, (str, bytes, Mapping)) or np.ndim(returned) == 0:
        raise ModelError(f"{where} returned {type(returned).__name__}, not one output per instance")
    if np.ndim(returned) > 1 and isinstance(returned, np.ndarray):
        raise ModelError(
            f"{where} returned an array of shape {returned.shape}: return a DataFrame with columns "
            "`proba:<class>`, so that each column says which class it is for"
        )
    series = _series(returned)
    _check_length(len(series), ids, where)
    _check_known(series, ids, where, "prediction")
    return Predictions(prediction=series)


def _of_frame(frame: pd.DataFrame, ids: Sequence[str], where: str) -> Predictions:
    _check_length(len(frame), ids, where)
    names = [str(name) for name in frame.columns]
    doubled = next((name for name, count in Counter(names).items() if count > 1), None)
    if doubled is not None:
        raise ModelError(f"{where} returned a DataFrame with more than one column {doubled!r}")
    frame = frame.set_axis(pd.Index(names, dtype=object), axis=1).reset_index(drop=True)
    proba = {
        name.removeprefix(PROBA): _numbers(frame[name], ids, where, name) for name in names if name.startswith(PROBA)
    }
    if not {"prediction", "score"} & set(names) and not proba:
        raise ModelError(
            f"{where} returned a DataFrame without `prediction`, `score` or `proba:<class>` (it has {', '.join(names)})"
        )
    prediction = frame["prediction"] if "prediction" in names else None
    if prediction is not None:
        _check_known(prediction, ids, where, "prediction")
    known = {"prediction", "score", "embedding", *(PROBA + name for name in proba)}
    return Predictions(
        prediction=prediction,
        score=_numbers(frame["score"], ids, where, "score") if "score" in names else None,
        proba=proba,
        embedding=np.vstack(frame["embedding"].tolist()) if "embedding" in names else None,
        extra={name: frame[name] for name in names if name not in known},
    )


def joined(batches: Sequence[Batch]) -> Predictions:
    """Return the predictions of batches as one, in the order of the rows."""
    parts = [batch.predictions for batch in batches]
    order = np.argsort(np.concatenate([batch.rows for batch in batches]))
    if len(parts) == 1 and (order == np.arange(len(order))).all():
        return parts[0]
    first = parts[0]
    series = [part.prediction for part in parts if part.prediction is not None]
    scores = [part.score for part in parts if part.score is not None]
    embeddings = [part.embedding for part in parts if part.embedding is not None]
    if any(set(part.extra) != set(first.extra) or set(part.proba) != set(first.proba) for part in parts):
        raise ModelError("the model returned other columns for some batches than for others")

    def in_order(of_batches: Sequence[pd.Series]) -> pd.Series:
        return pd.concat(of_batches, ignore_index=True).iloc[order].reset_index(drop=True)

    return Predictions(
        prediction=in_order(series) if series else None,
        score=np.concatenate(scores)[order] if scores else None,
        proba={name: np.concatenate([part.proba[name] for part in parts])[order] for name in first.proba},
        embedding=np.vstack(embeddings)[order] if embeddings else None,
        extra={name: in_order([part.extra[name] for part in parts]) for name in first.extra},
    )


def encodable(predictions: Predictions) -> Predictions:
    r"""Return predictions whose texts are UTF-8: half of a surrogate pair, as JSON may hold, becomes ``\ud800``."""
    series = predictions.prediction
    return replace(
        predictions,
        prediction=None if series is None else _encodable(series),
        extra={name: _encodable(values) for name, values in predictions.extra.items()},
    )


def _encodable(series: pd.Series) -> pd.Series:
    if series.dtype != object:
        return series
    try:
        for value in series.tolist():
            if isinstance(value, str):
                value.encode()
    except UnicodeEncodeError:
        texts = [
            value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value
            for value in series.tolist()
        ]
        return pd.Series(texts, index=series.index, dtype=object)
    return series


def score_of(series: pd.Series, ids: Sequence[str], where: str) -> np.ndarray:
    """Return a column of scores as float64; raises ModelError if one is missing, infinite or not a number."""
    return _numbers(series, ids, where, str(series.name))


def check_complete(series: pd.Series, ids: Sequence[str], where: str) -> None:
    """Raise ModelError if an output is missing or infinite."""
    _check_known(series, ids, where, "prediction")


def _series(values: Any) -> pd.Series:
    if isinstance(values, pd.Series):
        return values.reset_index(drop=True)
    if isinstance(values, np.ndarray):
        return pd.Series(values)
    values = list(values)
    # a list of texts stays object, whatever dtype this pandas would choose
    return pd.Series(values, dtype=object) if values and isinstance(values[0], str) else pd.Series(values)


def _check_length(found: int, ids: Sequence[str], where: str) -> None:
    if found != len(ids):
        raise ModelError(f"{where} returned {found:,} outputs for {len(ids):,} instances (the first is {ids[0]!r})")


def _check_known(series: pd.Series, ids: Sequence[str], where: str, what: str) -> None:
    for said, found in (
        (f"no {what} (NaN or None)", series.isna().to_numpy(dtype=bool)),
        (f"an infinite {what}", _infinite(series)),
    ):
        if found.any():
            first, count = ids[int(np.flatnonzero(found)[0])], int(found.sum())
            raise ModelError(
                f"{where} returned {said} for {count:,} instance{'s' * (count != 1)}, the first is {first!r}"
            )


def _infinite(series: pd.Series) -> np.ndarray:
    """Return where values are infinite, a bool per row; texts are not, whatever they say."""
    if pd.api.types.is_float_dtype(series.dtype):
        return np.isinf(series.to_numpy(dtype=np.float64, na_value=np.nan))
    if series.dtype != object or not any(issubclass(kind, (Real, Decimal)) for kind in set(map(type, series))):
        return np.zeros(len(series), dtype=bool)
    return np.array([isinstance(value, (float, Real, Decimal)) and _is_infinite(value) for value in series], dtype=bool)


def _is_infinite(value: Any) -> bool:
    try:
        return math.isinf(value)
    except OverflowError:  # an integer that is no double
        return False


def _numbers(series: pd.Series, ids: Sequence[str], where: str, what: str) -> np.ndarray:
    try:
        values = series.to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError):
        raise ModelError(f"{where} returned a `{what}` that is not a number") from None
    _check_known(pd.Series(values), ids, where, what)
    return values
