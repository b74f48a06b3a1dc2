"""One prediction pass for several processes of one test run: the first predicts, the others read what it wrote."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa

from pytest_behave.errors import ModelError
from pytest_behave.predict.encoding import predictions_in, record_batch
from pytest_behave.predict.plain import NotPlainError
from pytest_behave.predict.segments import batch_bytes, batch_in
from pytest_behave.predict.waiting import Audience, held
from pytest_behave.records import Predictions


def shared(
    folder: Path, key: str, compute: Callable[[], Predictions], audience: Audience, what: str = "outputs"
) -> Predictions:
    """Return ``compute()``, run by one of the processes that share ``folder``; its failure is everybody's.

    Outputs that cannot be written down, or not on a full disk, are computed by each process.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path, failure = folder / f"{key}.arrow", folder / f"{key}.failed"
    with held(folder / f"{key}.lock", audience, what):
        if failure.exists():
            raise ModelError(failure.read_text(encoding="utf-8"))
        if path.exists():
            return predictions_in(pa.Table.from_batches([batch_in(path.read_bytes())]))
        try:
            predictions = compute()
        except Exception as error:
            with contextlib.suppress(OSError):
                failure.write_text(str(error), encoding="utf-8")
            raise
        _write(path, predictions)
        return predictions


def _write(path: Path, predictions: Predictions) -> None:
    unfinished = path.with_suffix(f".{os.getpid()}")
    with contextlib.suppress(NotPlainError, OSError):
        unfinished.write_bytes(batch_bytes(record_batch(predictions)))
        unfinished.replace(path)
