"""Whole numbers in place of values and texts, by what pandas offers and without its traps."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

KEY = "0123456789123456"  # that of pandas.util.hash_array


def factorize(values: Any) -> tuple[np.ndarray, Any]:
    """Return a number per value, in order of appearance and -1 where it is missing, and the distinct values.

    ``values`` is a one-dimensional array, Series or Index; raises TypeError for lists and mappings.
    """
    import pandas as pd

    if _cuts_texts() and values.dtype.kind == "O":
        index = pd.Index(values)
        distinct = index[~(index.isna() | index.duplicated())]
        return distinct.get_indexer(index), distinct.to_numpy()
    return pd.factorize(values)


def hashes_of(texts: np.ndarray, key: str = KEY) -> np.ndarray:
    """Return a hash (uint64) per text of an array, the same in every process; ``key`` of 16 bytes gives other hashes."""
    import pandas as pd

    try:  # categorize=True takes no less time, and before pandas 3 it saw a text only up to its first NUL
        return pd.util.hash_array(texts.astype(object), hash_key=key, categorize=False)
    except UnicodeEncodeError:  # half of a surrogate pair, as JSON may hold
        plain = [text.encode("utf-8", "backslashreplace").decode() for text in texts.tolist()]
        return pd.util.hash_array(np.array(plain, dtype=object), hash_key=key, categorize=False)


@cache
def _cuts_texts() -> bool:
    """Return whether pandas takes texts for one that differ only behind a NUL, as releases before 3 do."""
    import pandas as pd

    return len(pd.unique(np.array(["\0a", "\0b"], dtype=object))) == 1
