"""The verdicts that there are, worst first, and what follows from each: the one place that says so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

VerdictName = Literal["holds", "violated", "regressed", "suspect", "undecided", "no-baseline", "known-failure", "error"]


@dataclass(frozen=True, slots=True)
class VerdictKind:
    """What follows from a verdict.

    It ``fails`` the build, or fails ``strict`` runs alone; a known failure may ``excuse`` it; it is told by the instances
    that ``changed``; storing the run as the baseline can ``settle`` it.
    """

    name: VerdictName
    fails: bool = False
    strict: bool = False
    excused: bool = False
    changed: bool = False
    settled: bool = False


KINDS = (
    VerdictKind("error", fails=True),
    VerdictKind("regressed", fails=True, excused=True, changed=True, settled=True),
    VerdictKind("violated", fails=True, excused=True),
    VerdictKind("no-baseline", fails=True, settled=True),
    VerdictKind("suspect", strict=True, changed=True, settled=True),
    VerdictKind("undecided", strict=True),
    VerdictKind("known-failure"),
    VerdictKind("holds"),
)
WORST_FIRST = tuple(kind.name for kind in KINDS)
FAILING = tuple(kind.name for kind in KINDS if kind.fails)
UNSURE = tuple(kind.name for kind in KINDS if kind.strict)
EXCUSABLE = tuple(kind.name for kind in KINDS if kind.excused)
OF_CHANGES = tuple(kind.name for kind in KINDS if kind.changed)
ACCEPTABLE = tuple(kind.name for kind in KINDS if kind.settled)
