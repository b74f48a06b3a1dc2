"""--behave-changed: suites of which nothing changed since they were green are left out; any run remembers what was green."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Generator, Iterable
from functools import cached_property, partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from pytest_behave.changed import green
from pytest_behave.changed.dependencies import Now, State, changes
from pytest_behave.changed.states import States
from pytest_behave.predict.directory import make_cache
from pytest_behave.records.memory import uncollected

if TYPE_CHECKING:
    from pytest_behave.evaluate import Prepared


class Ran(Protocol):
    """What is asked of a suite that ran: how many items it has, and the state in which it ran."""

    items: int
    state: dict[str, Any] | None


class UnchangedSuite(pytest.File):
    """A suite that is left out, as nothing changed since it was green."""

    def collect(self) -> Iterable[pytest.Item]:
        """Yield nothing, and read nothing."""
        return []


class Changed:
    """Option, hooks and state of --behave-changed in one process; what was green is written by the controller alone.

    ``folder`` is that of the prediction cache, None if it is off; ``ran`` returns what is known of a suite that ran,
    ``keeps`` tells whether this run remembers anything.
    """

    def __init__(  # noqa: PLR0913 - what it needs of the other parts
        self,
        config: pytest.Config,
        folder: Path | None,
        above: Callable[[Path], list[ModuleType]],
        ran: Callable[[Path], Ran | None],
        say: Callable[[str], object],
        *,
        keeps: bool,
    ) -> None:
        self._config = config
        self._folder = folder
        self._ran = ran
        self._say = say
        self._keeps = keeps
        self._states = States(config, above)
        self.leaves_out = bool(config.getoption("behave_changed"))
        self._reasons: dict[str, str] = {}
        self._tally = green.Tally()
        self._paths: dict[str, Path] = {}
        self.left_out: set[str] = set()

    @pytest.hookimpl
    def pytest_sessionstart(self) -> None:
        """Refuse to leave suites out by what nobody kept."""
        if self.leaves_out and self._folder is None:
            raise pytest.UsageError(
                "--behave-changed has nothing to go by: what was green is kept in the cache, which is off"
            )

    # -- leaving suites out

    @cached_property
    def _known(self) -> dict[str, dict[str, Any]]:
        """What earlier runs remembered of suites, by node id."""
        return {} if self._folder is None else green.read(self._folder)

    def stand_in(self, path: Path, parent: pytest.Collector, **named: Any) -> pytest.Collector | None:
        """Return what is collected in place of a suite that is left out, None for one that runs."""
        if not self.leaves_out:
            return None
        stand_in: pytest.Collector = UnchangedSuite.from_parent(parent, path=path, **named)
        reason = self._reasons[stand_in.nodeid] = self._reason(self._known.get(stand_in.nodeid, {}), path)
        return None if reason else stand_in

    @pytest.hookimpl
    def pytest_collectstart(self, collector: pytest.Collector) -> None:
        """Say why a suite runs, or why not, now that it is collected."""
        name = collector.nodeid
        if self._reasons.get(name):
            self._say(f"{name} runs: {self._reasons[name]}")
        elif isinstance(collector, UnchangedSuite):
            self.left_out.add(name)
            self._say(f"{name} not run: nothing changed since it was green on {self._known.get(name, {}).get('green')}")

    def _reason(self, entry: dict[str, Any], path: Path) -> str:
        if self._is_named_in_part(path):
            return "some of it is asked for by name"
        if "failed" in entry:
            return f"not everything passed on {entry['failed']}"
        if "state" not in entry:
            return "it has not been green yet"
        today = dt.date.today().isoformat()  # noqa: DTZ011 - the user's own calendar
        now = Now(path.parent, self._states.modules(path), self._states.options, today, self._states.facts)
        try:
            return next(changes(State(**entry["state"]), now), "")
        except (TypeError, ValueError, AttributeError):
            return "what is known of it cannot be read"

    def _is_named_in_part(self, path: Path) -> bool:
        named = (argument.partition("::")[0] for argument in self._config.args if "::" in argument)
        return any((self._config.invocation_params.dir / name).resolve() == path.resolve() for name in named)

    # -- remembering what was green

    def witness(self, prepared: Prepared, started: int) -> Callable[[], dict[str, Any]]:
        """Return what tells the state in which a suite ran that was read after ``started`` (ns)."""
        path = prepared.suite.path
        state = self._states.before(prepared, started)
        known = self._known.get(self._node_id(path), {})
        return lambda: state(known.get("state", {})).to_json()

    def _node_id(self, path: Path) -> str:
        try:
            return path.relative_to(self._config.rootpath).as_posix()
        except ValueError:
            return path.as_posix()

    @pytest.hookimpl
    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Count what could not be collected."""
        self._tally.add(report)

    @pytest.hookimpl
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count what passed of each suite."""
        self._tally.add(report)
        told = getattr(report, "behave", None)
        if told is not None:
            self._paths.setdefault(report.nodeid.partition("::")[0], Path(told[0]))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtestloop(self) -> Generator[None, object, object]:
        """Remember, in the controller, which suites were green; of a run that did not end by itself, what failed."""
        complete = False
        try:
            result = yield
            complete = True
            return result
        finally:
            if not hasattr(self._config, "workerinput"):
                self._remember(complete=complete)

    def _remember(self, *, complete: bool) -> None:
        with uncollected():
            for suite, path in self._paths.items():
                ran = self._ran(path)
                if ran is not None and ran.state is not None:
                    self._tally.expect(suite, ran.items, ran.state)
        found = self._tally.verdicts(complete=complete)
        if self._folder is None or not found or not self._keeps:
            return
        try:
            green.remember(self._folder, found, partial(make_cache, self._folder))
        except (OSError, NotImplementedError) as error:  # the latter: locks, on some network drives
            reason = getattr(error, "strerror", None) or error
            self._say(f"which suites were green cannot be remembered ({reason})")

    # -- the end

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take what an xdist worker left out."""
        self.left_out |= set(getattr(node, "workeroutput", {}).get("behave_left_out", ()))

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Tell the controller what was left out; call it a success that nothing ran because nothing changed."""
        output = getattr(self._config, "workeroutput", None)
        if output is not None:
            output["behave_left_out"] = sorted(self.left_out)
        elif self.left_out and exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED:
            session.exitstatus = pytest.ExitCode.OK
