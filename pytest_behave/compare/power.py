"""How many instances it takes: to decide anything, to confirm an observed loss, to see a loss of a given size."""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist
from typing import Literal

import numpy as np

from pytest_behave.compare.proportions import loss_p
from pytest_behave.compare.tails import Z

MOST_SEARCHED = 10_000_000
CAUGHT = 0.9
Z_CAUGHT = NormalDist().inv_cdf(CAUGHT)
Test = Literal["mid-p", "exact"]


def can_decide(n: int, margin: float, alpha: float, mcnemar: Test = "mid-p") -> bool:
    """Tell whether any outcome on ``n`` pairs could be a regression: the worst is that all of them break."""
    return n > 0 and bool(loss_p(n, 0, n, margin, mcnemar) <= alpha)


def fewest_pairs(margin: float, alpha: float, mcnemar: Test = "mid-p") -> int:
    """Return the smallest number of pairs on which any outcome could be a regression."""
    return _first(lambda n: can_decide(n, margin, alpha, mcnemar))


def pairs_to_decide(  # noqa: PLR0913 - what was observed, and what decides
    broken: int, fixed: int, n: int, *, margin: float = 0.0, alpha: float = 0.05, mcnemar: Test = "mid-p"
) -> int:
    """Return how many pairs would decide at the observed disagreement.

    If the observed loss is beyond the margin: as many as make it a regression. Else as many as could show one, were
    every disagreement a loss. ``MOST_SEARCHED`` if no number does.
    """
    if n <= 0 or broken + fixed == 0:
        return fewest_pairs(margin, alpha, mcnemar)
    lost, won = (broken / n, fixed / n) if (broken - fixed) / n > margin else ((broken + fixed) / n, 0.0)
    return _first(lambda size: bool(loss_p(round(lost * size), round(won * size), size, margin, mcnemar) <= alpha))


def pairs_for_error(width: float, beyond: float, n: int, alpha: float) -> int:
    """Return how many instances make a loss ``beyond`` its margin a regression, from the interval's width on ``n``."""
    if not np.isfinite(width) or width <= 0 or beyond <= 0:
        return MOST_SEARCHED
    error = width / (2 * Z)
    return min(math.ceil(n * (NormalDist().inv_cdf(1 - alpha) * error / beyond) ** 2), MOST_SEARCHED)


def _first(decides: Callable[[int], bool]) -> int:
    """Return the smallest size that decides, by doubling and halving; exact up to the steps of rounded counts."""
    high = 1
    while not decides(high):
        high *= 2
        if high > MOST_SEARCHED:
            return MOST_SEARCHED
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if decides(middle) else (middle, high)
    return high


def smallest_loss_caught(disagreement: float, n: int, margin: float, critical: float) -> float:
    """Return the loss of a paired proportion that is found nine times in ten, above which all are.

    ``disagreement`` is the share of pairs that differ while nothing is lost, ``critical`` the value of the statistic
    that makes a regression. With a loss L beyond it, (broken - fixed) / n has mean L and variance
    (disagreement + L - L^2) / n (Miettinen 1968, Biometrics 24:339). 1 if no loss is.
    """
    low, high = margin, 1.0
    for _ in range(50):
        loss = (low + high) / 2
        spread = math.sqrt(max(disagreement + loss - loss**2, 0.0) / n)
        null = math.sqrt(max(disagreement + loss - margin**2, 0.0) / n)
        if loss - margin >= critical * null + Z_CAUGHT * spread:
            high = loss
        else:
            low = loss
    return high


def smallest_shift_caught(error: float, margin: float, critical: float) -> float:
    """Return the loss that is found nine times in ten where the change has this standard error."""
    return margin + (critical + Z_CAUGHT) * error


def pairs_for_loss(loss: float, disagreement: float, margin: float, critical: float) -> int:
    """Return how many pairs would catch a loss nine times in ten."""
    if loss <= margin:
        return MOST_SEARCHED
    spread = math.sqrt(max(disagreement + loss - loss**2, 0.0))
    null = math.sqrt(max(disagreement + loss - margin**2, 0.0))
    return math.ceil(((critical * null + Z_CAUGHT * spread) / (loss - margin)) ** 2)
