"""Scikit-learn's handwritten digits: the held-out half, a classifier trained on the other half, and what an image is like."""

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.svm import SVC

TRAINED_ON = 898  # the first rows, in the order scikit-learn ships them; the other 899 are held out
PIXELS = [f"p{number:02d}" for number in range(64)]
GREY_LEVELS = 17  # a pixel is a whole number from 0 (paper) to 16 (ink)
IMAGES = Path(__file__).parent / "images"


def load() -> pd.DataFrame:
    """Return the held-out rows: id, target, 64 pixels, and the path of a picture where one was kept."""
    digits = load_digits()
    ids = [f"digit-{row:04d}" for row in range(TRAINED_ON, len(digits.target))]
    frame = pd.DataFrame(digits.data[TRAINED_ON:], columns=PIXELS)
    frame.insert(0, "id", ids)
    frame.insert(1, "target", digits.target[TRAINED_ON:])
    frame["image"] = [f"images/{name}.png" if (IMAGES / f"{name}.png").exists() else None for name in ids]
    return frame


def predict(frame: pd.DataFrame) -> pd.DataFrame:
    """Name the digit, and the margin by which it beat the runner-up."""
    pixels = frame[PIXELS].to_numpy(dtype=float)
    votes = np.sort(_classifier().decision_function(pixels), axis=1)
    return pd.DataFrame(
        {"prediction": _classifier().predict(pixels), "margin": votes[:, -1] - votes[:, -2]}, index=frame.index
    )


def ink(frame: pd.DataFrame) -> pd.Series:
    """Return the share of the paper that is covered, 0 to 1."""
    return frame[PIXELS].mean(axis=1) / (GREY_LEVELS - 1)


def contrast(frame: pd.DataFrame) -> pd.Series:
    """Return the standard deviation of the grey levels."""
    return frame[PIXELS].std(axis=1, ddof=0)


def entropy(frame: pd.DataFrame) -> pd.Series:
    """Return the Shannon entropy of the grey levels, in bits."""
    return pd.Series([_entropy(row) for row in frame[PIXELS].to_numpy(dtype=int)], index=frame.index)


@cache
def _classifier() -> SVC:
    digits = load_digits()
    return SVC(gamma=0.001).fit(digits.data[:TRAINED_ON], digits.target[:TRAINED_ON])


def _entropy(levels: np.ndarray) -> float:
    shares = np.bincount(levels, minlength=GREY_LEVELS) / levels.size
    present = shares[shares > 0]
    return float(-(present * np.log2(present)).sum())
