"""Putting harmless parts in place of wrong ones, so that the rest of a file can be checked in the same pass."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import ValidationError

from pytest_behave.declare.schema import SuitePart
from pytest_behave.declare.yaml_positions import Loc

NAMELESS_SLICE, FAMILY, METADATA, MODEL = "isnull(_)", {"by": "_"}, "isnull(_)", "_:_"
DATASET = {"path": "_"}
BOUNDS = {"min": 0}
LIMITS = {"min", "max", "max_regression"}
GAP = {"max_gap", "gap_to", "max_gap_regression"}  # each may need another of them
TOP: dict[str, Any] = {"dataset": DATASET, "model": MODEL}


def mended(data: dict[str, Any], mistakes: Iterable[Loc]) -> SuitePart | None:
    """Return the suite with each wrong part replaced by one of the same name that no check objects to.

    None if that cannot be done; then the file's other mistakes show once these are corrected.
    """
    copy = {key: dict(value) if isinstance(value, dict) else value for key, value in data.items()}
    copy["expect"] = {
        name: dict(value) for name, value in _mapping(copy.get("expect")).items() if isinstance(value, dict)
    }
    for key in ("metrics", "cases"):
        copy[key] = list(copy[key]) if isinstance(copy.get(key), list) else []
    for loc in mistakes:
        if loc:
            _mend(copy, loc)
    copy["metrics"] = [item for item in copy.get("metrics", []) if item is not None]
    try:
        return SuitePart.model_validate(copy)
    except ValidationError:
        return None


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _mend(copy: dict[str, Any], loc: Loc) -> None:
    key = str(loc[0])
    section: Any = copy.get(key)
    name: Any = loc[1] if len(loc) > 1 else None
    if key in ("slices", "metadata", "models", "expect") and name in _mapping(section):
        _mend_named(key, section, loc)
    elif key == "metrics" and isinstance(name, int):
        section[name] = _named_metric(section[name])
    elif key == "cases" and isinstance(name, int):
        section[name] = _case(section[name], name)
    elif key == "dataset" and isinstance(section, dict):
        copy[key] = DATASET | {option: value for option, value in section.items() if option != name}
    elif key in TOP:
        copy[key] = TOP[key]
    elif key != "expect" or name is None:  # an expectation that is not in the copy was left out before
        copy.pop(key, None)
        _forget_names(copy, key)


def _forget_names(copy: dict[str, Any], key: str) -> None:
    """Drop expectations on names that a whole section, now gone, may have held."""
    if key in ("slices", "metrics"):
        copy.pop("expect", None)
    elif key == "cases":
        _mapping(copy.get("expect")).pop("cases", None)


def _mend_named(key: str, section: dict[str, Any], loc: Loc) -> None:
    name = str(loc[1])
    if key == "expect":
        _mend_expectation(section, loc)
    elif key == "slices":
        section[name] = FAMILY if "by" in _mapping(section[name]) else NAMELESS_SLICE
    else:
        section[name] = METADATA if key == "metadata" else MODEL


def _named_metric(item: Any) -> Any:
    metric = _mapping(item).get("name")
    return {"name": metric, "mean": "_"} if isinstance(metric, str) else None


def _case(item: Any, index: int) -> dict[str, Any]:
    tags = _mapping(item).get("tags", [])
    texts = tags if isinstance(tags, list) and all(isinstance(tag, str) for tag in tags) else []
    return {"id": f"_{index}", "input": {"_": 0}, "expect": {"equals": 0}, "tags": texts}


def _mend_expectation(section: dict[Any, Any], loc: Loc) -> None:
    _, name, *metric_and_key = loc[:4]
    if not metric_and_key:
        section.pop(name)
        return
    metric, *wrong = metric_and_key
    if name == "cases":
        section[name][metric] = {"pass_rate": BOUNDS}
    else:
        section[name][metric] = _bounds(_mapping(section[name][metric]), set(wrong))


def _bounds(item: dict[str, Any], wrong: set[Any]) -> dict[str, Any]:
    """Return the bounds without what is wrong; they go on to bound, as others may make exceptions from them."""
    dropped = wrong | GAP if wrong & GAP else wrong
    kept = {key: value for key, value in item.items() if key not in dropped}
    return kept if kept.keys() & LIMITS else {**kept, **BOUNDS}
