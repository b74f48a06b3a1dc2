"""Records of compared runs, made for tests."""

from __future__ import annotations

from pytest_behave.records import BaselineUse, Behavior, Change, Instance, Run, SuiteRun


def change(before=0.974, by=-0.151, span=(-0.21, -0.1), flips=(23, 0), **more):
    """Return a paired change; the ids of broken instances are ``b0``, ``b1`` ... unless given."""
    broken, fixed = flips
    ids = more.pop("broken_ids", tuple(f"b{number}" for number in range(broken or 0)))
    given = {"n": 152, "test": "mcnemar-midp", "p": 1e-7, "p_adjusted": 2e-6, "tolerance": 0.0, **more}
    return Change(before, by, *span, broken=broken, fixed=fixed, broken_ids=ids, **given)


def behavior(slice_="word no", verdict="regressed", metric="accuracy", compared=None, size=152, **more):
    """Return a behavior whose value fits its change."""
    compared = change() if compared is None else compared
    value = None if not compared or compared.value is None else compared.value + (compared.change or 0.0)
    given = {
        "better": "higher",
        "n": size,
        "value": value,
        "low": None if value is None else value - 0.06,
        "high": None if value is None else value + 0.05,
        "bounds": {"max_regression": "0.01"},
        "reason": {"regressed": "lost 0.151, more than 0.01 (p = 0.000002)"}.get(verdict, ""),
        "file": "sentiment.behave.yaml",
        "line": 12,
        **more,
    }
    return Behavior(slice_, metric, size=size, verdict=verdict, baseline=compared or None, **given)


def use(**more):
    """Return a stored baseline with 240 rows in common."""
    return BaselineUse(
        **{"kind": "stored", "name": "baselines/s.json", "alpha": 0.05, "tests": 9, "seed": 1, "common": 240, **more}
    )


def flip(name, before="negative", after="positive", **more):
    """Return an instance on which two models differ."""
    given = {"target": "negative", "score": 0.61, "input": {"text": f"no good, {name}"}, "baseline_score": 0.22, **more}
    return Instance(name, output=after, baseline_output=before, **given)


def suite(*behaviors, **more):
    """Return a suite with a baseline; its flips are the broken instances of the behaviors."""
    names = dict.fromkeys(name for item in behaviors if item.baseline for name in item.baseline.broken_ids)
    given = {
        "suite": "sentiment",
        "path": "sentiment.behave.yaml",
        "rows": 250,
        "task": "binary",
        "model": "vader-3.3.2",
        "model_fingerprint": "",
        "dataset_fingerprint": None,
        "baseline": use(),
        "flips": tuple(map(flip, names)),
        **more,
    }
    return SuiteRun(behaviors=behaviors, **given)


def run(*behaviors, **more):
    """Return a run of one suite."""
    return Run((suite(*behaviors, **more),))
