"""Sizes in bytes as people write them."""

from __future__ import annotations

import re

POWERS = "kmgt"


def bytes_of(text: str) -> int:
    """Return the bytes of a size such as ``500MB``, ``2 G`` or ``1GiB`` (of 1,024 MiB); raises ValueError."""
    found = re.fullmatch(rf"\s*(\d+(?:\.\d+)?)\s*(?:([{POWERS}])(i?)b?|(b?))\s*", text.lower())
    if found is None:
        raise ValueError(f"{text!r} is not a size: write 500MB or 2GB, for example")
    number, power, is_binary, plain = found.groups()
    if not power and not plain:
        raise ValueError(f"{text!r} could be bytes or anything: give a unit, such as 500MB")
    return int(float(number) * (1024 if is_binary else 1000) ** (POWERS.index(power) + 1 if power else 0))
