"""What VADER 2.5 said, from the scores that stand in the dataset; no release of VADER need be installed."""

import numpy as np
import pandas as pd

NEUTRAL_BELOW = 0.05  # the authors' own cut: a compound score nearer to 0 than this is neutral


def release_2_5(frame: pd.DataFrame) -> pd.DataFrame:
    """Name the class that the stored compound score stands for."""
    compound = frame["vader_2_5"]
    classes = np.select([compound >= NEUTRAL_BELOW, compound <= -NEUTRAL_BELOW], ["positive", "negative"], "neutral")
    return pd.DataFrame({"prediction": classes, "score": compound})
