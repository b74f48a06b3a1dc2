"""From checked shapes to records: expressions parsed, names looked up, paths resolved, templates filled."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from pathlib import Path

from pytest_behave.declare import schema
from pytest_behave.declare.expectations import build_expectations, build_tag_expectations
from pytest_behave.declare.files import exists
from pytest_behave.declare.golden import build_cases
from pytest_behave.declare.models import build_baseline, build_models
from pytest_behave.declare.predicate import parse_expression, parse_predicate
from pytest_behave.declare.problems import REFERENCE, Problems
from pytest_behave.declare.values import scalar_text
from pytest_behave.declare.yaml_positions import Loc
from pytest_behave.errors import PredicateError, did_you_mean, nearest
from pytest_behave.records import (
    ComparisonSpec,
    DatasetSpec,
    Expr,
    MetadataSpec,
    MetricSpec,
    SliceSpec,
    Suite,
)

RESERVED_SLICES = ("overall", "cases", "*")
METADATA_KINDS = ("expression", "column", "python")
OF_A_CLASS = re.compile(r"^(recall|precision) of (.+)$")


def build_suite(part: schema.SuitePart, path: Path, problems: Problems, known_metrics: frozenset[str]) -> Suite:
    """Turn checked shapes into a Suite, adding every problem found on the way to ``problems``."""
    builder = _Builder(part, path, problems, known_metrics)
    suite = builder.suite()
    if part.dataset is None and not part.cases:
        problems.at_key((), "a suite needs `dataset` or `cases`")
    return suite


class _Builder:
    def __init__(self, part: schema.SuitePart, path: Path, problems: Problems, known_metrics: frozenset[str]) -> None:
        self.part = part
        self.folder = path.parent
        self.path = path
        self.problems = problems
        self.known_metrics = known_metrics

    def suite(self) -> Suite:
        part = self.part
        models = build_models(part, self.folder, self.problems)
        comparison = part.comparison or schema.ComparisonPart()
        slices = tuple(self._slice(name, value) for name, value in part.slices.items())
        metrics = tuple(self._metric(index, value) for index, value in enumerate(part.metrics))
        name = part.suite or self.path.name.removesuffix(".yaml").removesuffix(".yml").removesuffix(".behave")
        self.problems.check_name(("suite",), name)
        return Suite(
            name=name,
            path=self.path,
            description=part.description,
            owner=part.owner,
            dataset=self._dataset(part.dataset) if part.dataset else None,
            task=part.task,
            models=models,
            baseline=build_baseline(part, models, self.folder, self.problems),
            comparison=ComparisonSpec(comparison.alpha, comparison.mcnemar),
            metadata=tuple(self._metadata(name, value) for name, value in part.metadata.items()),
            slices=slices,
            metrics=metrics,
            expectations=build_expectations(part, slices, metrics, self.problems),
            cases=build_cases(part.cases, self.problems),
            tag_expectations=build_tag_expectations(part, self.problems),
            python=part.python,
        )

    # -- small checks

    def _parse(self, loc: Loc, source: str, parse: Callable[[str], Expr] = parse_predicate) -> Expr | None:
        try:
            return parse(source)
        except PredicateError as error:
            self.problems.at_value(loc, str(error))
            return None

    def _rising(self, loc: Loc, edges: list[float] | None) -> tuple[float, ...]:
        if edges and any(low >= high for low, high in itertools.pairwise(edges)):
            self.problems.at_value((*loc, "edges"), "edges must rise")
        return tuple(edges or ())

    # -- parts

    def _dataset(self, part: schema.DatasetPart) -> DatasetSpec:
        loc: Loc = ("dataset",)
        is_reference = REFERENCE.match(part.path) and not exists(self.folder / part.path)
        return DatasetSpec(
            source=part.path if is_reference else str(self.folder / part.path),
            id=tuple(part.id),
            target=part.target,
            positive=part.positive,
            where=self._parse((*loc, "where"), part.where) if part.where is not None else None,
            na_values=tuple(part.na_values),
            encoding=part.encoding,
            delimiter=part.delimiter,
            cluster=part.cluster,
            place=self.problems.document.value_place((*loc, "path")),
        )

    def _metadata(self, name: str, value: str | schema.MetadataPart) -> MetadataSpec:
        loc: Loc = ("metadata", name)
        self.problems.check_name(loc, name)
        place = self.problems.document.value_place(loc)
        if isinstance(value, str):
            return MetadataSpec(name, self._parse(loc, value, parse_expression), place=place)
        stage = value.from_ or "input"
        if stage == "output" and not any(getattr(value, kind) is not None for kind in METADATA_KINDS):
            return MetadataSpec(name, stage="output", place=place)
        kind = self.problems.exactly_one(loc, value, METADATA_KINDS)
        bins = [name for name in ("edges", "quantiles") if getattr(value, name) is not None]
        if kind in ("expression", "python") and bins:
            self.problems.at_key((*loc, bins[0]), f"`{bins[0]}` needs `column`")
        if kind == "column" and len(bins) != 1:
            self.problems.at_key(loc, "`column` needs exactly one of `edges` and `quantiles`")
        return MetadataSpec(
            name=name,
            expression=self._parse((*loc, "expression"), value.expression, parse_expression)
            if value.expression
            else None,
            column=value.column,
            edges=self._rising(loc, value.edges),
            quantiles=value.quantiles,
            python=self.problems.check_reference((*loc, "python"), value.python) if value.python is not None else None,
            stage=stage,
            place=place,
        )

    def _slice(self, name: str, value: str | list[str] | schema.SlicePart) -> SliceSpec:
        loc: Loc = ("slices", name)
        self.problems.check_name(loc, name)
        if name in RESERVED_SLICES:
            self.problems.at_key(loc, f"{name!r} is a name of the format itself: choose another")
        place = self.problems.document.key_place(loc)
        if isinstance(value, str):
            return SliceSpec(name, predicate=self._parse(loc, value), place=place)
        if isinstance(value, list):
            parts = [self._slice_part((*loc, index), part) for index, part in enumerate(value)]
            return SliceSpec(name, parts=tuple(part for part in parts if part is not None), place=place)
        if value.ids is not None or value.by is None:
            self.problems.exactly_one(loc, value, ("where", "ids", "by") if value.ids is not None else ("where", "by"))
        self._check_rule(loc, value)
        return SliceSpec(
            name=name,
            predicate=self._parse((*loc, "where"), value.where) if value.where is not None else None,
            ids=tuple(scalar_text(id_) for id_ in value.ids or ()),
            by=tuple(value.by or ()),
            edges=self._rising(loc, value.edges),
            quantiles=value.quantiles,
            every=value.every,
            min_size=value.min_size,
            place=place,
        )

    def _slice_part(self, loc: Loc, source: str) -> str | Expr | None:
        family = source.partition("=")[0]
        if source in self.part.slices or (family in self.part.slices and not source.startswith(f"{family}==")):
            return source
        try:
            return parse_predicate(source)
        except PredicateError as error:
            is_like_a_slice = nearest(source, self.part.slices) is not None
            hint = did_you_mean(source, self.part.slices) if is_like_a_slice else ""
            self.problems.at_value(loc, f"{error}{hint}")
            return None

    def _check_rule(self, loc: Loc, value: schema.SlicePart) -> None:
        rules = [name for name in ("edges", "quantiles", "every") if getattr(value, name) is not None]
        if rules and value.by is None:
            self.problems.at_key((*loc, rules[0]), f"`{rules[0]}` needs `by: column`")
        if len(rules) > 1:
            self.problems.at_key(loc, f"give one of {' and '.join(rules)}")
        if rules and value.by is not None and len(value.by) > 1:
            self.problems.at_key(loc, f"`{rules[0]}` divides one column: derive the others in `metadata`")

    def _metric(self, index: int, value: str | schema.MetricPart) -> MetricSpec:
        loc: Loc = ("metrics", index)
        place = self.problems.document.value_place(loc)
        if isinstance(value, str):
            name = self._check_metric(loc, value)
            return MetricSpec(name, name, place=place)
        self.problems.check_name((*loc, "name"), value.name)
        kind = self.problems.exactly_one(loc, value, ("metric", "python", "mean", "rate"))
        if kind == "metric":
            self._check_metric((*loc, "metric"), str(value.metric))
        parameters = {
            key: getattr(value, key)
            for key in ("k", "q", "bins", "normalize", "mean")
            if getattr(value, key) is not None
        }
        return MetricSpec(
            name=value.name,
            metric=str(value.metric) if kind == "metric" else str(kind),
            parameters=parameters,
            predicate=self._parse((*loc, "rate"), value.rate) if value.rate is not None else None,
            python=self.problems.check_reference((*loc, "python"), value.python) if value.python is not None else None,
            better=value.better,
            place=place,
        )

    def _check_metric(self, loc: Loc, name: str) -> str:
        """Return the name of a metric; of a misspelt one the right name, so that expectations on that are no second mistake."""
        if not self.known_metrics or name in self.known_metrics or OF_A_CLASS.match(name):
            return name
        self.problems.at_value(loc, f"unknown metric {name!r}{did_you_mean(name, self.known_metrics)}")
        meant = nearest(name, self.known_metrics)
        expected = any(name in bounds for bounds in self.part.expect.values())
        others = {item if isinstance(item, str) else item.name for item in self.part.metrics}
        return meant if meant is not None and not expected and meant not in others else name
