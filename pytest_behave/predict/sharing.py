"""One prediction pass for several processes of one test run: the first predicts, the others read what it wrote."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pytest_behave.errors import ModelError
from pytest_behave.records import Predictions


def shared(folder: Path, key: str, compute: Callable[[], Predictions]) -> Predictions:
    """Return ``compute()``, run by one of the processes that share ``folder``; its failure is everybody's."""
    from filelock import FileLock

    folder.mkdir(parents=True, exist_ok=True)
    path, failure = folder / f"{key}.parquet", folder / f"{key}.failed"
    with FileLock(folder / f"{key}.lock"):
        if failure.exists():
            raise ModelError(failure.read_text(encoding="utf-8"))
        if path.exists():
            return _read(path)
        try:
            predictions = compute()
        except Exception as error:
            failure.write_text(str(error), encoding="utf-8")
            raise
        _write(path, predictions)
        return predictions


def _write(path: Path, predictions: Predictions) -> None:
    columns: dict[str, Any] = {}
    if predictions.prediction is not None:
        columns["prediction"] = predictions.prediction
    if predictions.score is not None:
        columns["score"] = predictions.score
    columns |= {f"proba:{name}": values for name, values in predictions.proba.items()}
    columns |= {f"extra:{name}": values for name, values in predictions.extra.items()}
    frame = pd.DataFrame(columns)
    encoded = [name for name in frame.columns if frame[name].dtype == object and not _all_text(frame[name])]
    for name in encoded:
        frame[name] = [json.dumps(_plain(value)) for value in frame[name]]
    if predictions.embedding is not None:
        frame["embedding"] = list(predictions.embedding)
    frame.attrs["encoded"] = encoded
    unfinished = path.with_suffix(f".{os.getpid()}")
    frame.to_parquet(unfinished)
    unfinished.replace(path)


def _read(path: Path) -> Predictions:
    frame = pd.read_parquet(path)
    names = [str(name) for name in frame.columns]
    for name in frame.attrs.get("encoded", ()):
        frame[name] = pd.Series([json.loads(text) for text in frame[name]], dtype=object)
    embedding = np.vstack(frame["embedding"].tolist()) if "embedding" in frame else None
    return Predictions(
        prediction=frame.get("prediction"),
        score=frame["score"].to_numpy() if "score" in frame else None,
        proba={name.removeprefix("proba:"): frame[name].to_numpy() for name in names if name.startswith("proba:")},
        embedding=embedding,
        extra={name.removeprefix("extra:"): frame[name] for name in names if name.startswith("extra:")},
    )


def _all_text(series: pd.Series) -> bool:
    return all(isinstance(value, str) for value in series)


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
