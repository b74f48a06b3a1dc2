"""Measures of image files for slices and metadata, through Pillow (extra ``image``).

brightness and contrast are the mean and standard deviation of the grey levels on a 0..1 scale, entropy is Shannon's
of the 256-bin grey histogram in bits, sharpness the variance of the 4-neighbour Laplacian of the grey levels (0..1).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

from pytest_behave.errors import MissingExtraError, PredicateError
from pytest_behave.files import check_readable
from pytest_behave.records import Column


def _entropy(grey: np.ndarray) -> float:
    counts = np.bincount((grey * 255).astype(np.int64).ravel(), minlength=256)
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log2(shares)).sum()) + 0.0  # + 0.0: of one level it is 0, not -0.0


def _sharpness(grey: np.ndarray) -> float:
    if min(grey.shape) < 3:  # noqa: PLR2004 - the Laplacian needs a neighbour on every side
        return 0.0
    inner = grey[1:-1, 1:-1]
    laplacian = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:] - 4 * inner
    return float(laplacian.var())


MEASURES: dict[str, Callable[[np.ndarray], float]] = {
    "width": lambda grey: grey.shape[1],
    "height": lambda grey: grey.shape[0],
    "aspect_ratio": lambda grey: grey.shape[1] / grey.shape[0],
    "brightness": lambda grey: float(grey.mean()),
    "contrast": lambda grey: float(grey.std()),
    "entropy": _entropy,
    "sharpness": _sharpness,
}


def image_column(name: str, shown: str, column: Column, folder: str) -> Column:
    """Measure the image file that each row names (relative to ``folder``)."""
    if column.kind != "text":
        raise PredicateError(f"{name}() takes the path of an image, but {shown} is not text")
    values = np.zeros(len(column.values), dtype=np.float64)
    for row in np.flatnonzero(~column.missing):
        values[row] = MEASURES[name](_grey_levels(Path(folder) / column.values[row]))
    return Column("number", values, column.missing)


def _grey_levels(path: Path) -> np.ndarray:
    try:
        from PIL import Image
    except ImportError:
        raise MissingExtraError("measuring images", "Pillow", "image") from None
    check_readable(path, PredicateError)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what Pillow says of odd metadata does not touch the pixels
            with Image.open(path) as image:
                if image.mode.startswith("I"):  # 16 bits, which "L" would cut off at 255
                    return np.clip(np.asarray(image, dtype=np.float64) / 65_535, 0, 1)
                return np.asarray(image.convert("L"), dtype=np.float64) / 255
    except FileNotFoundError:
        raise PredicateError(f"there is no image {path}") from None
    except Exception as error:  # a broken file raises whatever its format's decoder stumbles over
        raise PredicateError(f"{path} cannot be read as an image: {error}") from error
