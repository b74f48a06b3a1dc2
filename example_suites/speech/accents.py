"""The transcript that the recogniser made for the speaker's accent wrote."""

import numpy as np
import pandas as pd

RECOGNISER = {"england": "google_uk", "australia": "google_au", "indian": "google_in"}


def for_the_accent(frame: pd.DataFrame) -> np.ndarray:
    """Return the transcript of each clip; an empty cell is one in which nothing was heard."""
    spoken = [frame["accent"] == accent for accent in RECOGNISER]
    written = [frame[column].fillna("") for column in RECOGNISER.values()]
    return np.select(spoken, written, "")
