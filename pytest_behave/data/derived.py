"""Metadata that is computed from other metadata: in which order, and what is defined by itself."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pytest_behave.data.predicates import names_in
from pytest_behave.records import MetadataSpec, Name

MOST_NAMED = 3


def names_read_by(item: MetadataSpec) -> list[Name]:
    """Return the names that metadata is computed from; what a function reads of its data frame nobody knows."""
    if item.expression is not None:
        return list(dict.fromkeys(names_in(item.expression)))
    return [] if item.column in (None, item.name) else [Name(str(item.column), quoted=True)]


@dataclass(frozen=True, slots=True)
class Order:
    """Metadata, each after what it needs; or the names of a ``circle`` of metadata that need each other."""

    items: tuple[MetadataSpec, ...]
    circle: tuple[str, ...] = ()

    @property
    def problem(self) -> str:
        """A sentence on the circle; empty if there is none."""
        if not self.circle:
            return ""
        first, *others = map(repr, self.circle)
        shown = [*others[:MOST_NAMED], *["..."] * (len(others) > MOST_NAMED)]
        through = f", through {', '.join(shown)}" if others else ""
        return f"metadata {first} is defined by itself{through}: give it a name that no part of it has"


def order_of(item: MetadataSpec, needs: Mapping[str, Sequence[MetadataSpec]], known: Collection[str]) -> Order:
    """Return an item with all that it needs and that is not ``known``; ``needs`` says what each needs by itself.

    Without recursion, and each name once: thousands may build on each other.
    """
    order: dict[str, MetadataSpec] = {}
    under_way: dict[str, tuple[MetadataSpec, Iterator[MetadataSpec]]] = {item.name: (item, iter(needs[item.name]))}
    while under_way:
        current, left = under_way[next(reversed(under_way))]
        needed = next(left, None)
        if needed is None:
            del under_way[current.name]
            order[current.name] = current
        elif needed.name in under_way:
            names = list(under_way)
            return Order((), tuple(names[names.index(needed.name) :]))
        elif needed.name not in order and needed.name not in known:
            under_way[needed.name] = needed, iter(needs[needed.name])
    return Order(tuple(order.values()))
