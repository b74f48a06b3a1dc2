"""An engine that is no use but to test by: it does to parts and states what clusters do."""

from __future__ import annotations

import pickle
import random
from collections.abc import Callable, Sequence
from typing import Any


class Shuffled:
    """Pickles everything, takes the parts in random order, measures some twice as if a worker had died, adds anyhow."""

    def __init__(self, seed: int = 0) -> None:
        self._random = random.Random(seed)  # noqa: S311 - no secret

    def start(self) -> None:
        """Nothing is needed."""

    def total(self, measure: Callable[[Any], Any], parts: Sequence[Any], done: Callable[[Any], object]) -> Any:
        """Return the sum of ``measure(part)`` over all parts, two random states at a time."""
        states = []
        for part in self._random.sample(list(parts), len(parts)):
            function = pickle.loads(pickle.dumps(measure))  # noqa: S301 - our own
            for _ in range(self._random.choice([1, 1, 2])):  # of a lost worker's state nothing is kept
                found = pickle.dumps(function(part))
            states.append(pickle.loads(found))  # noqa: S301 - our own
            done(part)
        while len(states) > 1:
            one, other = (states.pop(self._random.randrange(len(states))) for _ in range(2))
            states.append(one + other)
        return states[0]

    def stop(self) -> None:
        """Nothing was taken."""
