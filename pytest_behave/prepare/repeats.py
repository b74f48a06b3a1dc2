"""Models that answer several times: a row per answer, and how alike the answers to an instance are."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pandas as pd

from pytest_behave.codes import factorize
from pytest_behave.prepare.preparation import Prepared
from pytest_behave.records import Agreement, Outcome, Predictions, Slice
from pytest_behave.records.bits import packed

MOST_LEAST = 10  # instances that agree least, in the record
SHOWN_LEAST = 3  # of them in the note


def with_repeats(prepared: Prepared, repeats: int) -> Prepared:
    """Return a suite with a row per answer of a model, all first answers before the second ones.

    Rows of one instance are a cluster: intervals and tests know that they are not independent.
    """
    if repeats == 1 or prepared.table is None or prepared.parts is not None:
        return prepared
    return replace(
        prepared,
        table=prepared.table.repeated(repeats),
        slices=tuple(_with_answers(slice_, repeats) for slice_ in prepared.slices),
    )


def _with_answers(slice_: Slice, repeats: int) -> Slice:
    return replace(slice_, bits=packed(np.tile(slice_.mask, repeats)), repeats=repeats)


def answers_again(predictions: Predictions, given: int, repeats: int) -> Predictions:
    """Return ``repeats`` answers per instance of a model that gave fewer: its own over and over."""
    size = len(next(iter(_columns(predictions)))) // given
    rows = (np.arange(repeats)[:, None] % given * size + np.arange(size)).ravel()
    return rows_of(predictions, rows)


def rows_of(predictions: Predictions, rows: np.ndarray) -> Predictions:
    """Return some rows of what a model said."""
    series, embedding = predictions.prediction, predictions.embedding
    return Predictions(
        prediction=None if series is None else series.iloc[rows].reset_index(drop=True),
        score=None if predictions.score is None else predictions.score[rows],
        proba={name: values[rows] for name, values in predictions.proba.items()},
        embedding=None if embedding is None else embedding[rows],
        extra={name: values.iloc[rows].reset_index(drop=True) for name, values in predictions.extra.items()},
    )


def _columns(predictions: Predictions) -> list[pd.Series | np.ndarray]:
    found = [predictions.prediction, predictions.score, *predictions.proba.values()]
    return [values for values in found if values is not None]


def with_agreement(outcome: Outcome, repeats: int) -> Outcome:
    """Return an outcome that knows how often a model answered, and how alike the answers to each instance are."""
    if repeats == 1:
        return outcome
    shares = None
    if outcome.task != "regression" and outcome.predicted is not None:
        shares = np.full(outcome.size, np.nan)  # of first answers only, so that an instance counts once
        shares[: outcome.size // repeats] = agreement(_codes(outcome).reshape(repeats, -1))
    return replace(outcome, repeats=repeats, agreement=shares)


def agreement(answers: np.ndarray) -> np.ndarray:
    """Return the share of pairs of answers that are alike, per instance, from a (repeats, instances) array of codes.

    This is the observed agreement P_i of Fleiss 1971 (Psychological Bulletin 76:378), with answers for raters.
    """
    repeats, size = answers.shape
    ranked = np.sort(answers, axis=0)
    starts = np.vstack([np.ones((1, size), dtype=bool), ranked[1:] != ranked[:-1]])
    runs = np.cumsum(starts, axis=0) - 1
    counts = np.zeros((repeats, size))
    np.add.at(counts, (runs, np.broadcast_to(np.arange(size), runs.shape)), 1.0)
    return np.asarray((counts * (counts - 1)).sum(axis=0) / (repeats * (repeats - 1)))


def _codes(outcome: Outcome) -> np.ndarray:
    predicted = np.asarray(outcome.predicted)
    return predicted if predicted.dtype != object else factorize(predicted)[0]


def agreement_of(outcome: Outcome, ids: np.ndarray) -> Agreement | None:
    """Return how alike a model's answers are; ``ids`` name the instances. None for one that answered once."""
    repeats = outcome.repeats
    if repeats == 1 or outcome.predicted is None:
        return None
    answers = np.asarray(outcome.predicted).reshape(repeats, -1)
    if outcome.agreement is None:
        alike = (answers == answers[0]).all(axis=0)
        spread = float(np.sqrt(answers.var(axis=0, ddof=1).mean()))
        return Agreement(repeats, len(ids), None, int(alike.sum()), spread, ())
    shares = outcome.agreement[: len(ids)]
    worst = [row for row in np.argsort(shares, kind="stable")[:MOST_LEAST].tolist() if shares[row] < 1]
    least = [(str(ids[row]), answers_to(outcome, row)) for row in worst]
    return Agreement(repeats, len(ids), float(shares.mean()), int((shares == 1).sum()), None, tuple(least))


def answers_to(outcome: Outcome, row: int) -> dict[str, int]:
    """Return how often each answer was given to the instance of a row; nothing for numbers or a single answer."""
    if outcome.agreement is None or outcome.predicted is None:
        return {}
    given = np.asarray(outcome.predicted)[row % (outcome.size // outcome.repeats) :: outcome.size // outcome.repeats]
    named = [str(answer) if outcome.task == "text" else outcome.classes[answer] for answer in given.tolist()]
    return dict(Counter(named).most_common())


def agreement_note(model: str, found: Agreement) -> str:
    """Return how alike the answers are, as a sentence."""
    said = f"model {model!r} answered each instance {found.repeats} times: "
    alike = f"{found.unanimous:,} of {found.instances:,} instances always alike"
    if found.share is None:
        return f"{said}{alike}; standard deviation within an instance {found.spread:.4g}"
    least = "; ".join(
        f"{id_} ({', '.join(f'{answer!r} {count}' for answer, count in given.items())})"
        for id_, given in found.least[:SHOWN_LEAST]
    )
    return f"{said}{found.share:.1%} of pairs of answers agree, {alike}" + (f"; least: {least}" if least else "")
