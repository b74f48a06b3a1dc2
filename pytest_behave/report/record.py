"""The run record: a Run as JSON and back. The contract is docs/reference/run-record.md; the schema ships beside this."""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from pytest_behave.records import (
    Accepted,
    Agreement,
    BaselineUse,
    Behavior,
    CaseResult,
    Change,
    Instance,
    Run,
    SuiteRun,
    Unread,
)
from pytest_behave.records.verdicts import FAILING
from pytest_behave.report.changes import behavior_sentence
from pytest_behave.report.lines import case_section, case_sentence, fails, instance_section, verdicts

FORMAT = "pytest-behave/run-1"
Relative = Callable[[str], str]


def run_to_json(run: Run) -> dict[str, Any]:
    """Return the run record: plain dicts, lists, texts and finite numbers."""
    suites = [suite_to_json(suite, str) for suite in run.suites]
    unread = [{"path": item.path, "verdict": "error", "message": item.message} for item in run.unread]
    return {"format": FORMAT, "suites": suites, "unread": unread, "totals": totals(run)}


def suite_to_json(suite: SuiteRun, relative: Relative) -> dict[str, Any]:
    """Return one suite of a record; ``relative`` says how paths are written."""
    results: dict[str, Any] = {
        "behaviors": [],
        "observed": [behavior_to_json(behavior, relative) for behavior in suite.observed],
        "cases": [],
        "flips": [instance_to_json(instance) for instance in suite.flips],
        "invariances": [],
    }
    results |= {
        name: [kind.to_json(item, relative) for item in getattr(suite, name)] for name, kind in RESULT_KINDS.items()
    }
    return {**header_to_json(suite, relative), **results}


def totals(run: Run) -> dict[str, int]:
    """Return how many results of all kinds have each verdict; a file that could not be read is an error."""
    counts = Counter(verdict for suite in run.suites for verdict in verdicts(suite))
    counts.update(["error"] * len(run.unread))
    return dict(sorted(counts.items()))


def header_to_json(suite: SuiteRun, relative: Relative) -> dict[str, Any]:
    """Return what the record says of a suite besides its behaviors, cases and flips."""
    return {
        "suite": suite.suite,
        "path": relative(suite.path),
        "description": suite.description,
        "owner": suite.owner,
        "rows": suite.rows,
        "task": suite.task,
        "model": {"name": suite.model, "fingerprint": suite.model_fingerprint},
        "dataset": {"fingerprint": suite.dataset_fingerprint},
        "strict": suite.strict,
        "notes": list(suite.notes),
        "baseline": _baseline_to_json(suite.baseline),
        "agreement": _agreement_to_json(suite.agreement),
    }


def _agreement_to_json(found: Agreement | None) -> dict[str, Any] | None:
    if found is None:
        return None
    least = [{"id": id_, "answers": dict(given)} for id_, given in found.least]
    return {**_fields_to_json(found), "least": least}


def _baseline_to_json(use: BaselineUse | None) -> dict[str, Any] | None:
    if use is None:
        return None
    return {**_fields_to_json(use), "accepted": [_fields_to_json(accepted) for accepted in use.accepted]}


def _fields_to_json(record: Any) -> dict[str, Any]:
    """Return a flat record as JSON knows it: tuples as lists, what is no finite number as null."""
    values = {field.name: getattr(record, field.name) for field in fields(record)}
    return {
        name: list(value) if isinstance(value, tuple) else _finite(value) if isinstance(value, float) else value
        for name, value in values.items()
    }


def behavior_to_json(behavior: Behavior, relative: Relative) -> dict[str, Any]:
    """Return one behavior. ``baseline`` is null where it was compared with none."""
    return {
        "slice": behavior.slice,
        "family": behavior.family,
        "metric": behavior.metric,
        "better": behavior.better,
        "between": list(behavior.between) if behavior.between else None,
        "size": behavior.size,
        "n": behavior.n,
        "value": _finite(behavior.value),
        "low": _finite(behavior.low),
        "high": _finite(behavior.high),
        "confidence": behavior.confidence,
        "interval": behavior.interval,
        "bounds": dict(behavior.bounds),
        "decide": behavior.decide,
        "severity": behavior.severity,
        "baseline": None if behavior.baseline is None else _fields_to_json(behavior.baseline),
        "verdict": behavior.verdict,
        "reason": behavior.reason,
        "file": relative(behavior.file) if behavior.file else None,
        "line": behavior.line,
        "instances": [instance_to_json(instance) for instance in behavior.instances],
    }


def instance_to_json(instance: Instance) -> dict[str, Any]:
    """Return one instance; what the baseline said of it is null where nothing is known."""
    return {
        "id": instance.id,
        "target": instance.target,
        "output": instance.output,
        "score": _finite(instance.score),
        "input": dict(instance.input),
        "baseline_output": instance.baseline_output,
        "baseline_score": _finite(instance.baseline_score),
        "answers": dict(instance.answers),
    }


def case_to_json(case: CaseResult, relative: Relative) -> dict[str, Any]:
    """Return one golden case."""
    return {
        "id": case.id,
        "verdict": case.verdict,
        "input": {name: _plain(value) for name, value in case.input.items()},
        "output": case.output,
        "failures": list(case.failures),
        "answers": case.answers,
        "passed": case.passed,
        "tags": list(case.tags),
        "reason": case.reason,
        "file": relative(case.file) if case.file else None,
        "line": case.line,
    }


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _plain(value: Any) -> Any:
    """Return a value of a suite as JSON knows it: infinities and NaN as texts."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return value


def run_from_json(data: Mapping[str, Any]) -> Run:
    """Return the Run that a record was made from."""
    unread = tuple(Unread(item["path"], item["message"]) for item in data.get("unread", ()))
    return Run(tuple(suite_from_json(suite) for suite in data["suites"]), unread)


def suite_from_json(data: Mapping[str, Any]) -> SuiteRun:
    """Return one suite of a record."""
    results = {name: tuple(map(kind.from_json, data[name])) for name, kind in RESULT_KINDS.items()}
    return SuiteRun(
        suite=data["suite"],
        path=data["path"],
        rows=data["rows"],
        task=data["task"],
        model=data["model"]["name"],
        model_fingerprint=data["model"]["fingerprint"],
        dataset_fingerprint=data["dataset"]["fingerprint"],
        description=data["description"],
        owner=data["owner"],
        strict=data["strict"],
        notes=tuple(data["notes"]),
        observed=tuple(behavior_from_json(item) for item in data["observed"]),
        baseline=_baseline_from_json(data.get("baseline")),
        agreement=_agreement_from_json(data.get("agreement")),
        flips=tuple(instance_from_json(item) for item in data.get("flips", ())),
        **results,
    )


def _baseline_from_json(data: Mapping[str, Any] | None) -> BaselineUse | None:
    if data is None:
        return None
    accepted = tuple(Accepted(**_known_fields(Accepted, item)) for item in data.get("accepted", ()))
    return BaselineUse(**{**_known_fields(BaselineUse, data), "accepted": accepted})


def _agreement_from_json(data: Mapping[str, Any] | None) -> Agreement | None:
    if data is None:
        return None
    least = tuple((item["id"], dict(item["answers"])) for item in data["least"])
    return Agreement(**{**_known_fields(Agreement, data), "least": least})


def behavior_from_json(data: Mapping[str, Any]) -> Behavior:
    """Return one behavior of a record."""
    between, compared = data["between"], data.get("baseline")
    nested = {
        "between": tuple(between) if between else None,
        "baseline": None if compared is None else _change_from_json(compared),
        "instances": tuple(instance_from_json(item) for item in data["instances"]),
    }
    return Behavior(**{**_known_fields(Behavior, data), **nested})


def _change_from_json(data: Mapping[str, Any]) -> Change:
    ids = {name: tuple(data.get(name, ())) for name in ("broken_ids", "fixed_ids")}
    return Change(**{**_known_fields(Change, data), **ids})


def instance_from_json(data: Mapping[str, Any]) -> Instance:
    """Return one instance of a record."""
    return Instance(**_known_fields(Instance, data))


def case_from_json(data: Mapping[str, Any]) -> CaseResult:
    """Return one golden case of a record."""
    plain = _known_fields(CaseResult, data)
    return CaseResult(**{**plain, "failures": tuple(data["failures"]), "tags": tuple(data["tags"])})


@dataclass(frozen=True)
class Kind:
    """One kind of result of a suite: how a record holds it, and how a failure of it is told.

    ``sentence`` gets the suite's name and a result, ``section`` a result: the evidence and its title. ``fails`` gets
    the verdict of a strict run with ``strict``.
    """

    to_json: Callable[[Any, Relative], dict[str, Any]]
    from_json: Callable[[Mapping[str, Any]], Any]
    sentence: Callable[[str, Any], str]
    section: Callable[[Any], tuple[str, str]]
    fails: Callable[[Any, bool], bool]


# every kind of result, by the field of a SuiteRun (and of a suite in the record) that holds it
RESULT_KINDS = {
    "behaviors": Kind(
        behavior_to_json,
        behavior_from_json,
        behavior_sentence,
        lambda behavior: ("instances", instance_section(behavior.instances)),
        lambda behavior, strict: fails(behavior, strict=strict),
    ),
    "cases": Kind(
        case_to_json,
        case_from_json,
        case_sentence,
        lambda case: ("case", case_section(case)),
        lambda case, _strict: case.verdict in FAILING,
    ),
}


def _known_fields(record: Any, data: Mapping[str, Any]) -> dict[str, Any]:
    names = _names_of(record)
    return {name: value for name, value in data.items() if name in names}


@functools.cache
def _names_of(record: Any) -> frozenset[str]:
    return frozenset(field.name for field in fields(record))


def record_schema() -> str:
    """Return the JSON Schema of the run record, as shipped."""
    return (Path(__file__).parent / "run-1.schema.json").read_text(encoding="utf-8")
