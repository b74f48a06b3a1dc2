"""Tails of the normal and Student's distribution, and what follows from them for p-values."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import numpy.typing as npt

CONFIDENCE = 0.95
Z = NormalDist().inv_cdf(0.5 + CONFIDENCE / 2)
SEED = 20_270_102  # fixed, so that the same artifacts give the same report

Floats = npt.NDArray[np.float64]


def upper_tail(z: npt.ArrayLike) -> Floats:
    """Return the chance that a standard normal value is above z."""
    from scipy.special import ndtr

    return np.asarray(ndtr(-np.asarray(z, dtype=np.float64)))


def upper_tail_t(t: npt.ArrayLike, freedom: npt.ArrayLike) -> Floats:
    """Return the chance that a value of Student's distribution is above t."""
    from scipy.special import stdtr

    return np.asarray(stdtr(freedom, -np.asarray(t, dtype=np.float64)))


def t_quantile(freedom: npt.ArrayLike) -> Floats:
    """Return the number of standard errors on each side of a 95 % interval."""
    from scipy.special import stdtrit

    return np.asarray(stdtrit(freedom, 0.5 + CONFIDENCE / 2))
