"""Headers whose secrets come from environment variables, and keeping those out of everything that is said."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from pytest_behave.errors import ModelError

VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
TELLING = re.compile(r"auth|key|token|secret|password|cookie|credential|session|signature", re.IGNORECASE)
SHORTEST = 4  # a shorter value would black out words that have nothing to do with it


def resolved(headers: Mapping[str, str], name: str) -> dict[str, str]:
    """Return the headers of a model with the values of variables; raises ModelError naming one that is not set."""
    return {header: _value(header, text, name) for header, text in headers.items()}


def _value(header: str, text: str, name: str) -> str:
    for variable in VARIABLE.findall(text):
        if not os.environ.get(variable):
            raise ModelError(
                f"model {name!r} needs the environment variable {variable} for its header {header}: set it where the "
                "tests run"
            )
    value = VARIABLE.sub(lambda match: os.environ[match[1]].strip(), text).strip()
    if not re.fullmatch(r"[\t\x20-\x7e]*", value):
        raise ModelError(
            f"model {name!r}: an environment variable makes its header {header} hold more than ASCII characters of one "
            "line: set it anew"
        )
    return value


def scrubbed(text: str, headers: Mapping[str, str]) -> str:
    """Return a text without the values of the variables that headers name, and without values of secret headers."""
    known = {os.environ.get(name, "").strip() for value in headers.values() for name in VARIABLE.findall(value)}
    known |= {value for header, value in headers.items() if TELLING.search(header)}
    for secret in sorted(known, key=len, reverse=True):
        text = text.replace(secret, "***") if len(secret) >= SHORTEST else text
    return text


def public(headers: Mapping[str, str]) -> dict[str, str]:
    """Return what of the headers may be part of a fingerprint: names, and values that hold no secret."""
    return {
        name.lower(): "" if VARIABLE.search(value) or TELLING.search(name) else value
        for name, value in sorted(headers.items())
    }
