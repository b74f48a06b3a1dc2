"""Which model it is: a key under which its outputs are kept, found without opening the model where that can be."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_behave.guard import own_place, said
from pytest_behave.predict.code import Reach, file_digest, version_of
from pytest_behave.predict.plain import NotPlainError, to_text
from pytest_behave.records import ModelSpec

FORMAT = "1"  # of keys and files; another one starts anew
GIVE = "give the model a `fingerprint:` that changes whenever its outputs do"


@dataclass(frozen=True, slots=True)
class Identity:
    """``key`` is 32 hexadecimal digits; empty where outputs are not to be kept, for a ``reason`` if it is worth saying."""

    key: str = ""
    reason: str = ""


def identity_of(spec: ModelSpec, folder: Path, function: Callable[..., Any] | None = None) -> Identity:
    """Return which model a declaration means; ``function`` is its callable where it is at hand already.

    ``folder`` is the suite's. Threshold and batch size are no part of it, as they change no raw output.
    """
    # nobody sees what is behind an address or a command, and that is no surprise
    if spec.kind in ("predictions", "column") or (spec.service is not None and spec.fingerprint is None):
        return Identity()
    try:
        declared = [spec.kind, _where(spec, folder), to_text(dict(spec.options)), to_text(list(spec.features))]
        facts = [*declared, *_asked(spec), *_content(spec, folder, function)]
    except NotPlainError as error:
        return Identity(reason=f"it holds {error}, whose state cannot be told: {GIVE}")
    except OSError:
        return Identity()  # opening the model will say what is wrong
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - what a model holds may be of the user's own classes
        return Identity(reason=f"its state cannot be told ({said(error)}{own_place(error)}): {GIVE}")
    if not facts[-1]:
        return Identity(reason=f"what its outputs depend on cannot be told: {GIVE}")
    python = f"python {sys.version_info.major}.{sys.version_info.minor}"
    text = "\n".join((FORMAT, python, *facts))
    return Identity(hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:32])


def _where(spec: ModelSpec, folder: Path) -> str:
    path = Path(spec.location)
    return path.name if path.is_absolute() and path.is_relative_to(folder) else spec.location


def _asked(spec: ModelSpec) -> list[str]:
    """Return what a server is asked and how its answer is read; headers, which may hold secrets, are no part of it."""
    service = spec.service
    if service is None:
        return []
    mappings = (service.response, service.parameters, service.datatypes)
    asked = [service.protocol, service.model, service.request, *map(dict, mappings)]
    return [repr(asked)]


def _content(spec: ModelSpec, folder: Path, function: Callable[..., Any] | None) -> list[str]:
    if spec.fingerprint is not None:
        return ["given", spec.fingerprint]
    if spec.kind == "estimator":
        return [version_of("sklearn"), file_digest(Path(spec.location))]
    if function is not None:
        from pytest_behave.predict.state import callable_digest

        return ["callable", callable_digest(function, folder)]
    if spec.kind != "python":
        return [""]
    reach = Reach(folder)
    known = reach.add_reference(spec.location.partition(":")[0])
    return [reach.digest() if known else ""]
