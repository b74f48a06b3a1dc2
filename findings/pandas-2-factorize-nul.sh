#!/usr/bin/env bash
# pandas 2.3.3: `factorize`, `unique`, `groupby` and `astype("category")` compare texts only up to their first NUL, so
# that "a\0b" and "a\0c" become one value; `duplicated`, `get_indexer` and `==` of the same release tell them apart.
# An array that also holds one cell which is no text goes another way, and keeps all apart. pandas 3.1.1 is right.
# Guessed: all of them see values as Python does. Seen with pandas 2.3.3 and numpy 2.3.5:
#   2.3.3 unique 1 groupby 1 category 1 duplicated 2 mixed 3
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install --quiet --disable-pip-version-check pandas==2.3.3 numpy==2.3.5
seen=$("$work/env/bin/python" - <<'PY'
import numpy as np
import pandas as pd

texts = ["a\0b", "a\0c"]
array = np.array(texts, dtype=object)
series = pd.Series(texts)
print(
    pd.__version__,
    "unique", len(pd.unique(array)),
    "groupby", series.groupby(series).ngroups,
    "category", len(series.astype("category").cat.categories),
    "duplicated", int((~series.duplicated()).sum()),
    "mixed", len(pd.unique(np.array([*texts, 1], dtype=object))),
)
PY
)
echo "$seen"
[ "$seen" = "2.3.3 unique 1 groupby 1 category 1 duplicated 2 mixed 3" ]
