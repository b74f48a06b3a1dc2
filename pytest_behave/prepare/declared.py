"""The names that a suite declares for rows: slices, families and their members, looked up without going through all."""

from __future__ import annotations

from pytest_behave.records import Slice, SliceSpec


class DeclaredNames:
    """The names that expectations may use: slices that are ``known``, ``members`` by family, ``late`` ones."""

    def __init__(self, slices: tuple[Slice, ...], deferred: tuple[SliceSpec, ...], families: set[str]) -> None:
        self.known = dict.fromkeys(slice_.name for slice_ in slices)
        self.late = dict.fromkeys(spec.name for spec in deferred)
        self.has_problems = any(slice_.problem for slice_ in slices)
        self.members: dict[str, list[str]] = {}
        for slice_ in slices:
            if slice_.family is not None:
                self.members.setdefault(slice_.family, []).append(slice_.name)
        self._families = families

    def rank(self, name: str) -> int:
        """Return what comes first: general declarations, so that more specific ones overlay them."""
        if name == "*":
            return 0
        return 1 if name in self._families else 2
