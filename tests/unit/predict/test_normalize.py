"""Batches of outputs come together in the order of the rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from pytest_behave.predict.normalize import Batch, joined
from pytest_behave.records import Predictions


def batch_of(rows):
    """Return a batch whose every output says which row it is for."""
    rows = np.array(rows)
    return Batch(
        rows,
        Predictions(
            prediction=pd.Series([f"row {row}" for row in rows], dtype=object),
            score=rows / 10,
            proba={"yes": rows / 20},
            embedding=np.column_stack([rows, -rows]),
            extra={"tokens": pd.Series(rows * 2)},
        ),
    )


@given(st.integers(2, 30).flatmap(lambda size: st.permutations(range(size))), st.integers(1, 7))
def test_batches_that_finish_in_any_order_give_outputs_in_the_order_of_the_rows(order, size):
    found = joined([batch_of(order[start : start + size]) for start in range(0, len(order), size)])
    rows = np.arange(len(order))
    assert found.prediction.tolist() == [f"row {row}" for row in rows]
    assert found.score.tolist() == (rows / 10).tolist()
    assert found.proba["yes"].tolist() == (rows / 20).tolist()
    assert found.embedding.tolist() == np.column_stack([rows, -rows]).tolist()
    assert found.extra["tokens"].tolist() == (rows * 2).tolist()
