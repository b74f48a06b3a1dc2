"""What a suite would run, and what is odd about it, without calling the model."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Sized
from pathlib import Path
from types import ModuleType

import numpy as np

from pytest_behave.compare.power import fewest_pairs
from pytest_behave.compare.store import WorkingTree, baseline_paths, read_baseline
from pytest_behave.compare.verdicts import enough, instances_needed
from pytest_behave.errors import BehaveError, did_you_mean
from pytest_behave.evaluate import prepare_file
from pytest_behave.evaluate.golden import TAG, tag_items
from pytest_behave.guard import guarded
from pytest_behave.measure.kernel import Masks
from pytest_behave.measure.statistics import Proportion
from pytest_behave.prepare.extensions import Extensions
from pytest_behave.prepare.items import Item
from pytest_behave.prepare.preparation import Prepared
from pytest_behave.records import ModelSpec, Slice
from pytest_behave.records.bits import AnyOf

SHARE = (0.0, 1.0)
NEAR_DUPLICATE = 0.98  # Jaccard index above which two slices measure the same thing


def lint_lines(path: Path) -> tuple[list[str], list[str]]:
    """Return what the suite would run, line by line, and the warnings; raises SuiteError if it cannot run."""
    prepared = prepare_file(path, Extensions(modules=tuple(_conftests(path))))
    return _overview(prepared), [f"{path}: warning: {sentence}" for sentence in _warnings(prepared)]


def _conftests(path: Path) -> list[ModuleType]:
    """Import the conftest files at and above a suite, up to where the project ends, as pytest would."""
    modules = []
    for folder in [path.resolve().parent, *path.resolve().parent.parents]:
        file = folder / "conftest.py"
        if file.is_file():
            modules.append(_import(file))
        if any((folder / name).exists() for name in ("pyproject.toml", "pytest.ini", "tox.ini", "setup.cfg", ".git")):
            break
    return modules[::-1]


def _import(file: Path) -> ModuleType:
    specification = importlib.util.spec_from_file_location(f"_behave_conftest_{abs(hash(file))}", file)
    if specification is None or specification.loader is None:
        raise BehaveError(f"{file} cannot be imported")
    module = importlib.util.module_from_spec(specification)
    with guarded(BehaveError, f"{file} cannot be imported:"):
        specification.loader.exec_module(module)
    return module


def _overview(prepared: Prepared) -> list[str]:
    suite, table = prepared.suite, prepared.table
    lines = [f"{suite.name}: {_count(prepared.items, 'behavior')}, {_count(suite.cases, 'golden case')}"]
    lines.append(f"  models   {', '.join(map(_model, prepared.models))}")
    if table is None:
        return lines
    lines += [f"  baseline {found}" for found in [_baseline(prepared)] if found]
    told = "as declared" if suite.task else "inferred from the target"
    target = f", target {table.spec.target}" if table.spec.target else ""
    lines.append(f"  dataset  {len(table):,} rows, id {'/'.join(table.spec.id) or 'row number'}{target}")
    lines.append(f"  task     {prepared.task or 'none'} ({told})")
    lines.append(f"  metrics  {', '.join(item.spec.name for item in prepared.chosen) or 'none'}")
    bounded = {item.metric for item in prepared.items}
    free = [item.spec.name for item in prepared.chosen if item.spec.name not in bounded]
    lines += [f"  without a bound: {', '.join(free)}"] if free else []
    lines.append("  slices")
    width = max(len(slice_.name) for slice_ in prepared.slices)
    for slice_ in prepared.slices:
        size = slice_.size
        small = f"  below min_size {slice_.min_size}: undecided" if size < slice_.min_size else ""
        lines.append(f"    {slice_.name:<{width}}  {size:>9,}  {size / len(table):7.2%}{small}")
    lines += [f"    {spec.name}: known only after the model has run" for spec in prepared.deferred]
    outside = _rows_in_no_slice(prepared.slices)
    lines.append(f"  rows in no slice: {outside:,} of {len(table):,}")
    return lines


def _model(spec: ModelSpec) -> str:
    return spec.name if spec.repeats == 1 else f"{spec.name} (asked {spec.repeats} times)"


def _baseline(prepared: Prepared) -> str:
    """Return what the suite is compared with, nothing if it declares no such bound and has no baseline."""
    if prepared.baseline is not None:
        return f"the model {prepared.baseline.name}"
    path, _ = baseline_paths(prepared.suite.path, prepared.suite.name)
    stored = read_baseline(WorkingTree(), path, prepared.suite.name)
    if stored is None:
        bounds = [item.bounds for item in prepared.items]
        return "none yet" * any(item.max_regression or item.max_gap_regression for item in bounds)
    return f"{path.parent.name}/{path.name}, {_count(stored.entries, 'value')}"


def _count(items: Sized, word: str) -> str:
    return f"{len(items)} {word}{'s' * (len(items) != 1)}"


def _rows_in_no_slice(slices: tuple[Slice, ...]) -> int:
    return (~AnyOf([slice_.bits for slice_ in slices[1:]])).count if len(slices) > 1 else 0


def _warnings(prepared: Prepared) -> list[str]:
    warnings = _near_duplicates(prepared.slices)
    warnings += _out_of_range(prepared)
    warnings += [sentence for item in prepared.items for sentence in _undecidable(prepared, item)]
    return [*warnings, *_never_regressed(prepared), *_misspelt_inputs(prepared)]


def _out_of_range(prepared: Prepared) -> list[str]:
    """Return a sentence per bound that no outcome meets, or that any does; one for all slices of a declaration."""
    ranges = {item.spec.name: item.metric.range_of(item.spec) for item in prepared.chosen}
    found: dict[object, str] = {}
    for item in (*prepared.items, *tag_items(prepared)):
        low, high = SHARE if item.slice.startswith(TAG) else ranges.get(item.metric, (-math.inf, math.inf))
        if item.kind == "gap":
            low, high = 0.0, high - low
        bounds = item.bounds
        for name, value in (("min", bounds.min), ("max", bounds.max), ("max_gap", bounds.max_gap)):
            if value is None or low <= value <= high or (name == "max_gap") != (item.kind == "gap"):
                continue
            never = value > high if name == "min" else value < low
            words = "no outcome can meet it" if never else "every outcome meets it"
            sentence = f"{item.slice} {item.name}: {name} {value:g} lies outside {_range(low, high)}: {words}"
            found.setdefault((bounds.place, item.name, name) if bounds.place else sentence, sentence)
    return list(found.values())


def _range(low: float, high: float) -> str:
    """Return the range of a metric in words, of which one end is known."""
    if math.isinf(high):
        return f"its range, {low:g} or more"
    return f"its range, {high:g} or less" if math.isinf(low) else f"its range, {low:g} to {high:g}"


def _misspelt_inputs(prepared: Prepared) -> list[str]:
    """Return a sentence per input of a golden case that is no column of the dataset but is called much as one is.

    A case may have inputs of its own; one that has the column, too, is taken to mean what it says.
    """
    if prepared.table is None:
        return []
    columns = [str(name) for name in prepared.table.frame.columns]
    found = []
    for case in prepared.suite.cases:
        free = [name for name in columns if name not in case.input]
        for name in case.input:
            near = "" if name in columns else did_you_mean(name, free)
            if near.endswith("?"):
                found.append(f"case {case.id}: the dataset has no column {name!r}{near}")
    return found


def _never_regressed(prepared: Prepared) -> list[str]:
    """Return a sentence per bound on a change that fails whatever happens to its slice never, or never alone."""
    spec = prepared.suite.comparison
    bounds = [item for item in prepared.items if item.kind == "behavior" and item.bounds.max_regression is not None]
    sizes = {
        slice_.name: _independent(prepared, slice_)
        for slice_ in prepared.slices
        if slice_.size >= slice_.min_size  # the overview says that the others are undecided
    }
    found = []
    for item in bounds:
        size, tolerance = sizes.get(item.slice), item.bounds.max_regression
        if size is None or tolerance is None or item.bounds.decide in ("observed", "proven"):
            continue
        margin = 0.0 if tolerance.relative else tolerance.by
        for level, word in ((spec.alpha, ""), (spec.alpha / len(bounds), " alone")):
            needed = fewest_pairs(margin, level, spec.mcnemar)
            if needed > size:
                found.append(
                    f"{item.slice} {item.metric}: {size:,} rows can never fail max_regression {tolerance}{word}; "
                    f"{enough(needed)}"
                )
                break
    return found


def _independent(prepared: Prepared, slice_: Slice) -> int:
    clusters = None if prepared.table is None else prepared.table.clusters()
    rows = np.flatnonzero(slice_.mask)
    return len(rows) if clusters is None else len(set(clusters[rows].tolist()))


def _near_duplicates(slices: tuple[Slice, ...]) -> list[str]:
    if len(slices) < 2:  # noqa: PLR2004 - a pair
        return []
    bits = [slice_.bits for slice_ in slices]
    masks = Masks(bits, bits[0].size)
    common = masks.count(bits)
    found = []
    for one in range(len(slices)):
        for other in range(one + 1, len(slices)):
            union = masks.sizes[one] + masks.sizes[other] - common[one, other]
            jaccard = common[one, other] / union if union else 0.0
            if jaccard > NEAR_DUPLICATE:
                what = "are the same rows" if jaccard == 1 else f"are nearly the same rows (Jaccard {jaccard:.3f})"
                found.append(f"slices {slices[one].name!r} and {slices[other].name!r} {what}")
    return found


def _undecidable(prepared: Prepared, item: Item) -> list[str]:
    slice_ = next((slice_ for slice_ in prepared.slices if slice_.name == item.slice), None)
    chosen = next((chosen for chosen in prepared.chosen if chosen.spec.name == item.metric), None)
    if slice_ is None or chosen is None or not isinstance(chosen.metric.statistic(chosen.spec), Proportion):
        return []
    size = slice_.size
    found = []
    for side, bound in (("min", item.bounds.min), ("max", item.bounds.max)):
        needed = 0 if bound is None else instances_needed(bound, side, item.bounds.decide or "observed")
        if needed > size:
            found.append(
                f"{item.slice} {item.metric}: {size:,} rows can never decide {side} {bound:g} ({item.bounds.decide}); "
                f"{enough(needed)}"
            )
    return found
