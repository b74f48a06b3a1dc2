"""What only the controlling process does: gather results, write reports, print the summary."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_behave.errors import BaselineError, BehaveError
from pytest_behave.guard import guarded
from pytest_behave.records import Run, Unread
from pytest_behave.records.memory import uncollected
from pytest_behave.report.writing import write_report
from pytest_behave.session.green import Tally, remember
from pytest_behave.session.runner import RUNNER, refused
from pytest_behave.text import for_json, for_terminal

if TYPE_CHECKING:
    from pytest_behave.commands.acceptance import Acceptance


class Controller:
    """Results by suite, in the order of the suites whatever the order of their arrival."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self._wires: list[str] = []  # texts, which the garbage collector need not look into
        self._suites: dict[str, dict[str, Any]] = {}
        self._run: Run | None = None
        self.views: list[dict[str, Any]] = []
        self.said: dict[str, None] = {}
        self.uncollected = False
        self.tally = Tally()
        self.left_out: list[str] = []
        self._unread: dict[str, str] = {}
        self._troubles: list[str] = []  # what could not be written, to be said once the verdicts are
        self.targets = [self._target(text) for text in config.getoption("behave_report")]

    def _target(self, text: str) -> tuple[str, Path]:
        kind, colon, path = text.partition(":")
        if not colon or not path:
            raise refused(f"--behave-report={text}: write TYPE:PATH, for example json:behave.json")
        return kind, Path(path)

    @pytest.hookimpl
    def pytest_sessionstart(self) -> None:
        """Refuse unknown report types before any model runs."""
        formats = self._formats()
        for kind, _ in self.targets:
            if kind not in formats:
                raise refused(f"--behave-report: unknown type {kind!r} (known: {', '.join(sorted(formats))})")

    def _formats(self) -> dict[str, Callable[[Run], str]]:
        formats: dict[str, Callable[[Run], str]] = {"json": _json_text, "md": _markdown_text, "gitlab": _gitlab_text}
        try:
            with guarded(BehaveError, "a plugin asked for report formats raised"):
                for more in self.config.hook.pytest_behave_report_formats():
                    formats |= more
        except BehaveError as error:
            raise refused(f"--behave-report: {error}") from None
        return formats

    @pytest.hookimpl
    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Remember that something could not be collected: xdist runs the rest all the same."""
        if report.failed:
            self.uncollected = True
            self._unread.setdefault(report.nodeid, report.longreprtext)
        self.tally.add(report)

    @pytest.hookimpl
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take the results that a report carries."""
        self.said |= dict.fromkeys(getattr(report, "behave_said", ()))
        self.tally.add(report)
        wire = getattr(report, "behave", None)
        if wire is not None:
            self._wires.append(wire)

    @property
    def suites(self) -> dict[str, dict[str, Any]]:
        """What arrived, by suite; read from its text when first asked for."""
        if not self._wires:
            return self._suites
        from pytest_behave.report.record import behavior_from_json, case_from_json

        wires, self._wires, self._run = self._wires, [], None
        for data in json.loads(f"[{','.join(wires)}]"):
            suite = self._suites.setdefault(data["suite"], {"behaviors": {}, "cases": {}, "once": {}})
            for kind, record_of in (("behaviors", behavior_from_json), ("cases", case_from_json)):
                suite[kind].update((index, record_of(item)) for index, item in data.get(kind, ()))
            suite["once"] = data.get("once") or suite["once"]
        return self._suites

    def run(self) -> Run:
        """Return everything that arrived."""
        with uncollected():
            suites = self.suites
            if self._run is None:
                unread = tuple(Unread(path, self._shown(text)) for path, text in sorted(self._unread.items()))
                self._run = replace(self._made(suites), unread=unread, left_out=tuple(sorted(self._all_left_out())))
        return self._run

    def _made(self, suites: dict[str, dict[str, Any]]) -> Run:
        from pytest_behave.report.record import suite_from_json

        runs = []
        for _, suite in sorted(suites.items()):
            once = {name: suite["once"].get(name, []) for name in ("observed", "flips")}
            known = suite_from_json({**suite["once"]["suite"], **once, "behaviors": [], "cases": []})
            behaviors, cases = (
                tuple(suite[kind][index] for index in sorted(suite[kind])) for kind in ("behaviors", "cases")
            )
            runs.append(replace(known, behaviors=behaviors, cases=cases))
        return Run(tuple(runs))

    @pytest.hookimpl(wrapper=True, tryfirst=True)  # around the terminal's, which ends the bar of progress
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """Write the reports once everything has arrived, also when the loop ends early."""
        complete = False
        try:
            result = yield
            complete = True
            self._accept()
            return result
        finally:
            self._remember(complete=complete)
            if not session.config.option.collectonly:
                self._write()
            shutil.rmtree(self.config.stash[RUNNER].shared_folder, ignore_errors=True)

    def _remember(self, *, complete: bool) -> None:
        """Remember which suites were green, for --behave-changed."""
        runner = self.config.stash[RUNNER]
        with uncollected():
            suites = self.suites
        for suite in suites.values():
            if suite["once"].get("green"):
                self.tally.expect(**suite["once"]["green"])
        found = self.tally.verdicts(complete=complete)
        cache = runner.open_cache() if found and runner.remembers else None
        if cache is None:
            return
        try:
            remember(cache.folder, found, cache.prepare)
        except (OSError, NotImplementedError) as error:  # the latter: locks, on some network drives
            reason = getattr(error, "strerror", None) or error
            self.said[f"which suites were green cannot be remembered ({reason})"] = None

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Call it a success that there was nothing to run because nothing changed, and none if a report is missing."""
        if self._all_left_out() and exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED:
            session.exitstatus = pytest.ExitCode.OK
        if self._troubles and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.USAGE_ERROR

    def _all_left_out(self) -> set[str]:
        selection = self.config.stash[RUNNER].selection
        return {*self.left_out, *(() if selection is None else selection.left_out)}

    def _accept(self) -> None:
        """Print what becomes the baseline, then write it; only after a run that came to its end."""
        mode = self.config.getoption("behave_baseline")
        if mode == "check" or self.config.option.collectonly:
            return
        from pytest_behave.commands.acceptance import acceptance, union

        reporter = self.config.pluginmanager.get_plugin("terminalreporter")
        if self.uncollected and not self.config.option.continue_on_collection_errors:
            self._print(reporter, ["behave: no baseline is written, as something could not be collected"])
            return
        reason = self.config.getoption("behave_reason")
        self._print(reporter, [""])  # ends the line of progress, whatever reporter draws it
        try:
            for run in self.run().suites:
                once = self.suites[run.path]["once"]
                declared = once.get("declared")
                accepted = acceptance(
                    run,
                    self.config.rootpath / run.path,
                    mode=mode,
                    reason=reason,
                    declared=None if declared is None else [(name, metric) for name, metric in declared],
                    predictions=_path(once.get("staged")),
                )
                self._write_baseline(reporter, accepted)
            own = self.config.stash[RUNNER].views_to_accept()
            for view in union([*self.views, *own]):
                accepted = acceptance(
                    view.run,
                    view.path,
                    mode=mode,
                    reason=reason,
                    declared=None,
                    predictions=_path(view.staged),
                )
                self._write_baseline(reporter, accepted)
        except BaselineError as error:
            raise refused(f"--behave-baseline={mode}: {self._shown(error)}") from None

    def _write_baseline(self, reporter: pytest.TerminalReporter | None, accepted: Acceptance) -> None:
        self._print(reporter, accepted.lines)
        accepted.write()
        self._print(reporter, [f"  wrote {self._shown(path)}" for path, _ in accepted.files])

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take what an xdist worker's tests declared."""
        output = getattr(node, "workeroutput", {})
        self.views += json.loads(output.get("behave_views", "[]"))
        self.said |= dict.fromkeys(output.get("behave_said", ()))
        self.left_out += output.get("behave_left_out", ())

    def _print(self, reporter: pytest.TerminalReporter | None, lines: Iterable[str]) -> None:
        if reporter is not None:
            for line in lines:
                reporter.write_line(for_terminal(line))

    def _shown(self, text: object) -> str:
        return str(text).replace(f"{self.config.invocation_params.dir}/", "")

    def _write(self) -> None:
        if not self.targets and not os.environ.get("GITHUB_STEP_SUMMARY"):
            return
        run, formats = self.run(), self._formats()
        for kind, path in self.targets:
            target = self.config.invocation_params.dir / path
            with self._trouble(f"--behave-report={kind}:{path}"):
                with guarded(BehaveError, f"the report format {kind!r} raised"):
                    text = formats[kind](run)
                if not isinstance(text, str):
                    raise BehaveError(f"the report format {kind!r} gives {type(text).__name__}, not text")
                target.parent.mkdir(parents=True, exist_ok=True)
                write_report(target, text)
        with self._trouble("GITHUB_STEP_SUMMARY"):
            self._append_step_summary(run)

    @contextmanager
    def _trouble(self, what: str) -> Iterator[None]:
        """Remember why something could not be written: the verdicts come first."""
        try:
            yield
        except (OSError, BehaveError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else error
            self._troubles.append(f"{what} cannot be written: {reason}")

    def _append_step_summary(self, run: Run) -> None:
        name = os.environ.get("GITHUB_STEP_SUMMARY")
        if not name or not (run.suites or run.unread or run.left_out):
            return
        from pytest_behave.report.github import SUMMARY_LIMIT
        from pytest_behave.report.markdown import markdown

        path = Path(name)
        present = path.stat().st_size if path.exists() else 0
        if present < SUMMARY_LIMIT:
            with path.open("a", encoding="utf-8", errors="backslashreplace") as file:
                file.write(markdown(run, SUMMARY_LIMIT - present) + "\n")

    @pytest.hookimpl
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print what broke, what to know of the run, and on GitHub the annotations."""
        said = (*self.said, *self.config.stash[RUNNER].said)
        self._print(terminalreporter, (f"behave: {text}" for text in dict.fromkeys(said)))
        self._print(terminalreporter, (f"ERROR: {text}" for text in self._troubles))
        if not self.suites and not self._unread:
            return
        from pytest_behave.report.github import workflow_commands
        from pytest_behave.report.terminal import summary_lines

        run = self.run()
        width = terminalreporter._tw.fullwidth  # noqa: SLF001 - pytest has no other way to tell the width
        lines = list(summary_lines(run, width)) if run.suites else []
        if len(lines) > 1:
            terminalreporter.section("behaviors")
        self._print(terminalreporter, lines)
        other = self.config.pluginmanager.has_plugin("pytest_github_actions_annotate_failures")
        if os.environ.get("GITHUB_ACTIONS") == "true" and not other:
            for line in workflow_commands(run):
                terminalreporter.write_line(line)


def _json_text(run: Run) -> str:
    from pytest_behave.report.record import run_to_json

    return for_json(json.dumps(run_to_json(run), indent=1, ensure_ascii=False, allow_nan=False)) + "\n"


def _markdown_text(run: Run) -> str:
    from pytest_behave.report.markdown import markdown

    return markdown(run)


def _gitlab_text(run: Run) -> str:
    from pytest_behave.report.gitlab import gitlab_json

    return gitlab_json(run)


def _path(staged: str | None) -> Path | None:
    return Path(staged) if staged else None
