"""From checked shapes to records: models, and the one that stands in for a baseline."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import cast

from pytest_behave.declare import schema
from pytest_behave.declare.files import exists, names_beside
from pytest_behave.declare.problems import REFERENCE, Problems
from pytest_behave.declare.schema_models import ModelPart
from pytest_behave.declare.services import KEYS, OF_EVERY_PROTOCOL, build_service, rows_per_request, service_name
from pytest_behave.declare.yaml_positions import Loc
from pytest_behave.errors import did_you_mean
from pytest_behave.records import ModelKind, ModelSpec

MODEL_KINDS = ("python", "predictions", "column", "estimator", "url", "command", "plugin")
FITTING = {
    "prediction": {"predictions"},
    "score": {"predictions"},
    "as_": {"column"},
    "threshold": set(MODEL_KINDS),
    "features": {"estimator", "url", "command"},
    "batch_size": {"python", "estimator", "plugin", "url", "command"},
    "allow_pickle": {"estimator"},
    "options": {"plugin"},
    "fingerprint": {"python", "estimator", "plugin", "url", "command"},
    "repeats": {"python", "plugin", "url", "command"},
    "protocol": {"url"},
    **{key: {"url"} for keys in (OF_EVERY_PROTOCOL, *KEYS.values()) for key in keys - {"features", "batch_size"}},
    "timeout": {"url", "command"},
}


def build_models(part: schema.SuitePart, folder: Path, problems: Problems) -> tuple[ModelSpec, ...]:
    """Return the models of a suite, adding every mistake to ``problems``."""
    if part.model is not None and part.models:
        problems.at_key(("models",), "give `model` or `models`, not both")
    if part.model is not None:
        name = part.model if isinstance(part.model, str) else ""
        return (_model(("model",), name, part.model, folder, problems),)
    if not part.models:
        problems.at_key((), "missing key 'model': say where the outputs come from")
    return tuple(_model(("models", name), name, value, folder, problems) for name, value in part.models.items())


def build_baseline(
    part: schema.SuitePart, models: tuple[ModelSpec, ...], folder: Path, problems: Problems
) -> ModelSpec | None:
    """Return the model to compare with instead of the stored baseline, None if the suite names none."""
    value = part.baseline
    if value is None:
        return None
    if value == part.model:
        problems.at_value(("baseline",), "this is the model itself: nothing can differ from it")
        return None
    named = {spec.name: spec for spec in models}
    if isinstance(value, str) and value in part.models:
        return named[value]
    if isinstance(value, str) and part.models and not REFERENCE.match(value):
        problems.at_value(("baseline",), f"there is no model {value!r}{did_you_mean(value, named)}")
        return None
    spec = _model(("baseline",), "", value, folder, problems)
    return replace(spec, name="baseline") if spec.name in named else spec


def _model(loc: Loc, name: str, value: str | ModelPart, folder: Path, problems: Problems) -> ModelSpec:
    place = problems.document.value_place(loc)
    if isinstance(value, str):
        return ModelSpec(name or value, "python", value, place=place)
    kind = problems.exactly_one(loc, value, MODEL_KINDS) or "python"
    location = str(getattr(value, kind) or "")
    if kind in ("predictions", "estimator") and location:
        location = _file((*loc, kind), location, folder, problems)
    _check_keys(loc, value, kind, problems)
    is_service = kind in ("url", "command")
    prediction, score = value.prediction, value.score
    if kind == "column":
        prediction, score = (None, location) if value.as_ == "score" else (location, None)
    return ModelSpec(
        name=name or (service_name(value) if is_service else Path(location).name),
        kind=cast("ModelKind", kind),
        location=location,
        prediction=prediction,
        score=score,
        threshold=0.5 if value.threshold is None else value.threshold,
        features=tuple(value.features),
        batch_size=rows_per_request(value) if kind == "url" else value.batch_size,
        allow_pickle=value.allow_pickle,
        options=value.options,
        service=build_service(loc, value, folder, problems) if is_service else None,
        fingerprint=value.fingerprint,
        repeats=value.repeats,
        place=place,
    )


def _file(loc: Loc, name: str, folder: Path, problems: Problems) -> str:
    path = folder / name
    if exists(path) and not path.is_file():
        problems.at_value(loc, f"{name} is a {'folder' if path.is_dir() else 'pipe or a device'}, not a file")
    elif not exists(path):
        problems.at_value(loc, f"there is no file {name}{did_you_mean(path.name, names_beside(path))}")
    return str(path)


def _check_keys(loc: Loc, value: ModelPart, kind: str, problems: Problems) -> None:
    for name in sorted(value.model_fields_set & set(FITTING)):
        if kind not in FITTING[name]:
            key = name.rstrip("_")
            problems.at_key((*loc, key), f"{key!r} does nothing for a model given by `{kind}`: remove it")
    if kind == "predictions" and not (value.prediction or value.score):
        problems.at_key(loc, "a predictions file needs `prediction: column` or `score: column`")
