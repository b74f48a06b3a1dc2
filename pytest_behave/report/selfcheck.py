"""A self-check in words, for the terminal."""

from __future__ import annotations

import math

from tabulate import tabulate

from pytest_behave.records.selfcheck import SelfCheck, Sight
from pytest_behave.text import printable

MOST_ROWS = 10_000_000


def selfcheck_lines(check: SelfCheck) -> list[str]:
    """Return the report: how often the suite cries wolf, and a table of what each bound sees."""
    low, high = check.interval
    share = check.alarms / check.runs
    lines = [
        f"{check.suite}: {check.rows:,} rows, {check.bounds} bounds on changes, alpha {check.alpha:g}",
        f"  {check.runs} runs in which neither model was better:",
        f"    false alarms {share:.1%} (95% [{low:.1%}, {high:.1%}])",
        f"    a gate on any loss beyond the tolerance would fail {check.naive / check.runs:.0%} of them",
    ]
    lines += [f"    {name} {metric}: {count} of {check.runs}" for (name, metric), count in check.flagged]
    if check.cries_wolf:
        lines.append(
            "  this is more than alpha: if rows of one source are not independent, declare `dataset: {cluster: column}`"
        )
    if check.alike:
        lines.append("  the two models give the same values everywhere, so the losses below are best cases")
    rows = [
        [
            printable(sight.slice),
            printable(sight.metric),
            f"{sight.rows:,}{' clusters' * sight.clusters}",
            _loss(sight),
            _advice(sight),
        ]
        for sight in sorted(check.sights, key=lambda sight: (-(sight.loss or math.inf), sight.slice, sight.metric))
    ]
    headers = ("slice", "metric", "rows", "sees a loss of", "to see less")
    table = tabulate(rows, headers=headers, tablefmt="plain", disable_numparse=True)
    return [*lines, "", *(f"  {line}" for line in table.splitlines())]


def _loss(sight: Sight) -> str:
    if sight.loss is None:
        return "nothing"
    return f"{_round_up(100 * sight.loss):g} points" if sight.share else _two_digits(sight.loss)


def _advice(sight: Sight) -> str:
    if sight.wanted_loss is None or sight.wanted_rows is None or sight.wanted_rows > MOST_ROWS:
        return ""
    wanted = _two_digits(100 * sight.wanted_loss if sight.share else sight.wanted_loss)
    unit = "clusters" if sight.clusters else "rows"
    return f"{_round_up(sight.wanted_rows):,.0f} {unit} would see {wanted}"


def _two_digits(value: float) -> str:
    return f"{float(f'{value:.2g}'):g}"


def _round_up(value: float) -> float:
    """Round up to two significant digits: advice must not promise too much."""
    if value <= 0:
        return 0.0
    step = 10.0 ** (math.floor(math.log10(value)) - 1)
    return float(f"{math.ceil(value / step - 1e-9) * step:.10g}")
