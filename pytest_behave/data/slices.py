"""From declared slices to masks: predicates, lists, ids, other slices, and families made by one rule."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pytest_behave.data.partitions import Groups, by_edges, by_period, by_quantiles, by_values, crossed
from pytest_behave.data.table import Table
from pytest_behave.errors import DataError, PredicateError, did_you_mean
from pytest_behave.records import (
    And,
    Call,
    Comparison,
    Constant,
    Expr,
    Membership,
    Name,
    Negative,
    Not,
    Or,
    Slice,
    SliceSpec,
)
from pytest_behave.records.bits import AllOf, Bits, Everything, members, packed, smallest

OVERALL = "overall"
NOTHING = "selects no instance"


def make_slices(table: Table, specs: tuple[SliceSpec, ...], *, is_part: bool = False) -> tuple[Slice, ...]:
    """Return ``overall`` and every declared slice or member; what cannot be made carries its ``problem``.

    In a part of a dataset it is no problem that values, ids, slices or members are missing.
    """
    made = {OVERALL: Slice(OVERALL, None, 1, Everything(len(table)), repeats=table.repeats)}
    maker = _Maker(table, {spec.name: spec for spec in specs}, made, is_part)
    for spec in specs:
        maker.make(spec)
    return tuple(made.values())


class _Maker:
    def __init__(self, table: Table, specs: dict[str, SliceSpec], made: dict[str, Slice], is_part: bool) -> None:
        self.table = table
        self.is_part = is_part
        self.specs = specs
        self.made = made
        self.families: set[str] = set()  # of which members are made
        self.under_way: list[str] = []

    def make(self, spec: SliceSpec) -> None:
        if spec.name in self.made or spec.name in self.families:
            return
        try:
            slices = self._members(spec) if spec.by else [self._single(spec)]
        except (PredicateError, DataError) as error:
            slices = [_unmade(self.table, spec, str(error))]
        taken = [slice_.name for slice_ in slices if slice_.name in self.made]
        if taken:
            slices = [_unmade(self.table, spec, f"has a member {taken[0]!r}, which another slice is called too")]
        self.made.update((slice_.name, slice_) for slice_ in slices)
        self.families.update(slice_.family for slice_ in slices if slice_.family is not None)

    def _single(self, spec: SliceSpec) -> Slice:
        self.under_way.append(spec.name)
        try:
            bits = self._ids(spec) if spec.ids else self._all_of(spec)
        finally:
            self.under_way.pop()
        problem = None if bits.count or self.is_part else NOTHING
        return Slice(spec.name, None, spec.min_size, bits, spec.place, problem, repeats=self.table.repeats)

    def _all_of(self, spec: SliceSpec) -> Bits:
        parts = [self._part(part) for part in spec.parts]
        if spec.predicate is not None:
            parts.append(self._predicate(spec.predicate))
        return parts[0] if len(parts) == 1 else AllOf(parts)

    def _part(self, part: str | Expr) -> Bits:
        if not isinstance(part, str):
            return self._predicate(part)
        if part in self.under_way:
            raise DataError(f"refers to itself through {part!r}")
        family = part if part in self.specs else part.partition("=")[0]
        if part not in self.made and family in self.specs:
            self.make(self.specs[family])
        if part not in self.made and self.is_part and part != family:
            return packed(np.zeros(len(self.table), dtype=bool))
        if part not in self.made:
            raise DataError(f"there is no slice {part!r}{did_you_mean(part, self.made)}")
        if self.made[part].problem:
            raise DataError(f"is made from {part!r}, which {self.made[part].problem}")
        return self.made[part].bits

    def _predicate(self, expression: Expr) -> Bits:
        if not self.is_part:
            check_values(self.table, expression)
        return self.table.evaluator.bits(expression)

    def _ids(self, spec: SliceSpec) -> Bits:
        ids = self.table.once.ids
        known = set(ids.tolist())
        absent = [id_ for id_ in spec.ids if id_ not in known]
        if absent and not self.is_part:
            raise DataError(f"names {len(absent)} ids that the dataset lacks ({', '.join(absent[:3])})")
        return packed(np.tile(pd.Series(ids).isin(list(spec.ids)).to_numpy(), self.table.repeats))

    def _members(self, spec: SliceSpec) -> list[Slice]:
        groups = self._groups(spec)
        codes = smallest(groups.codes)
        if spec.predicate is not None:
            codes = np.where(self._predicate(spec.predicate).bools(), codes, codes.dtype.type(-1))
        found = [
            Slice(f"{spec.name}={name}", spec.name, spec.min_size, bits, spec.place, None, rank, self.table.repeats)
            for name, rank, bits in zip(groups.names, groups.ranks, members(codes, len(groups.names)), strict=True)
            if bits.count or spec.edges  # a bin that was declared stays visible when it is empty
        ]
        if not self.is_part and not any(member.size for member in found):
            raise DataError(NOTHING)
        return found

    def _groups(self, spec: SliceSpec) -> Groups:
        columns = [self.table.lookup(Name(name, quoted=name not in ("target", "output", "score"))) for name in spec.by]
        name, column = spec.by[0], columns[0]
        if spec.edges:
            return by_edges(name, column, spec.edges)
        if spec.quantiles:
            return by_quantiles(name, column, spec.quantiles)
        if spec.every:
            return by_period(name, column, spec.every)
        groups = [
            self.table.bins_of(name) or by_values(name, column) for name, column in zip(spec.by, columns, strict=True)
        ]
        return groups[0] if len(groups) == 1 else crossed(groups)


def deferred_slices(table: Table, specs: tuple[SliceSpec, ...], *, open_ended: bool) -> set[str]:
    """Return the names of slices and families that can be made only when the model's outputs are known."""
    found: set[str] = set()
    while True:
        more = {
            spec.name
            for spec in specs
            if spec.name not in found
            and (
                any(table.needs_output(name, open_ended=open_ended) for name in _expressions(spec))
                or any(isinstance(part, str) and {part, part.partition("=")[0]} & found for part in spec.parts)
            )
        }
        if not more:
            return found
        found |= more


def _expressions(spec: SliceSpec) -> list[Expr]:
    parts = [part for part in spec.parts if not isinstance(part, str)]
    columns = [Name(name, quoted=name not in ("output", "score")) for name in spec.by]
    return [*parts, *columns, *([spec.predicate] if spec.predicate is not None else [])]


def check_values(table: Table, expression: Expr) -> None:
    """Raise PredicateError if a categorical column is compared with a value that it never has."""
    match expression:
        case And(parts) | Or(parts):
            for part in parts:
                check_values(table, part)
        case Not(operand) | Negative(operand):
            check_values(table, operand)
        case Call(_, arguments):
            for argument in arguments:
                check_values(table, argument)
        case Comparison("==" | "!=", Name() as name, Constant(str() as value, _)) | Comparison(
            "==" | "!=", Constant(str() as value, _), Name() as name
        ):
            _check_value(table, name, value)
        case Membership(Name() as name, options):
            for option in options:
                if isinstance(option.value, str):
                    _check_value(table, name, option.value)
        case _:
            return


def _check_value(table: Table, name: Name, value: str) -> None:
    problem = table.unknown_value(name, value)
    if problem:
        raise PredicateError(problem)


def _unmade(table: Table, spec: SliceSpec, problem: str) -> Slice:
    nowhere = packed(np.zeros(len(table), dtype=bool))
    return Slice(spec.name, spec.name if spec.by else None, spec.min_size, nowhere, spec.place, problem)
