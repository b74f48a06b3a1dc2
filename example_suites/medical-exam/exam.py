"""How the exam is marked: as OpenAI Evals did it, and by the letter of the option alone."""

import re

import numpy as np
import pandas as pd

LETTER = re.compile(r"\b([a-d])\)")


def match(frame: pd.DataFrame) -> np.ndarray:
    """Give 1 where the answer starts with the expected one: the rule of OpenAI Evals' `Match`."""
    pairs = zip(frame["prediction"], frame["target"], strict=True)
    return np.array([float(answer.startswith(expected)) for answer, expected in pairs])


def letter(frame: pd.DataFrame) -> np.ndarray:
    """Give 1 where the answer names the right option, whatever else it says or however it spells it."""
    pairs = zip(frame["prediction"], frame["target"], strict=True)
    return np.array([float(_letter(answer) == _letter(expected)) for answer, expected in pairs])


def right_option(frame: pd.DataFrame) -> pd.Series:
    """Return the letter of the expected option, a to d."""
    return frame["expected"].map(_letter)


def _letter(text: str) -> str:
    found = LETTER.search(text)
    return found[1] if found else ""
