"""VADER, the rule-based sentiment scorer, as the model of this suite."""

from functools import cache

import numpy as np
import pandas as pd
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

NEUTRAL_BELOW = 0.05  # the authors' own cut: a compound score nearer to 0 than this is neutral


def predict(frame: pd.DataFrame) -> pd.DataFrame:
    """Name the class of each text, and VADER's compound score from -1 (most negative) to 1."""
    compound = np.array([_analyzer().polarity_scores(text)["compound"] for text in frame["text"]])
    classes = np.select([compound >= NEUTRAL_BELOW, compound <= -NEUTRAL_BELOW], ["positive", "negative"], "neutral")
    return pd.DataFrame({"prediction": classes, "score": compound}, index=frame.index)


def correlation(frame: pd.DataFrame) -> float:
    """Return Pearson's r between the score and the mean of the human ratings, as the VADER paper reports it."""
    return float(frame["score"].corr(frame["human_mean"]))


@cache
def _analyzer() -> SentimentIntensityAnalyzer:
    return SentimentIntensityAnalyzer()
