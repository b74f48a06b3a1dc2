"""What only the controlling process does: gather results, write reports, print the summary."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_behave.errors import BaselineError, BehaveError
from pytest_behave.guard import guarded
from pytest_behave.records import Run, SuiteRun, Unread
from pytest_behave.records.memory import uncollected
from pytest_behave.report.record import RESULT_KINDS
from pytest_behave.report.writing import write_report
from pytest_behave.session.options import refused
from pytest_behave.session.runner import views_to_accept
from pytest_behave.session.sharing import begun_and_not_ended
from pytest_behave.session.toolbox import Toolbox
from pytest_behave.text import for_json, for_terminal

if TYPE_CHECKING:
    from pytest_behave.commands.acceptance import Acceptance


class Controller:
    """Which results arrived, by suite file; reports show these, in the order of the suites."""

    def __init__(self, config: pytest.Config, toolbox: Toolbox) -> None:
        self.config = config
        self._parts = toolbox
        self._arrived: dict[Path, dict[str, set[int]]] = {}  # places of results, by kind
        self._run: Run | None = None
        self.views: list[dict[str, Any]] = []
        self.said: dict[str, None] = {}
        self.uncollected = False
        self._unread: dict[str, str] = {}
        self._troubles: list[str] = []  # what could not be written, to be said once the verdicts are
        self._has_lost_workers = False
        self._has_lost_suites = False
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

    @pytest.hookimpl
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note which results a report stands for."""
        self.said |= dict.fromkeys(getattr(report, "behave_said", ()))
        told = getattr(report, "behave", None)
        if told is not None:
            path, kind, places = told
            self._run = None
            self._arrived.setdefault(Path(path), {}).setdefault(kind, set()).update(places)

    def run(self) -> Run:
        """Return everything that arrived."""
        if self._run is None:
            with uncollected():
                suites = [run for path, places in self._arrived.items() for run in self._suite(path, places)]
            unread = tuple(Unread(path, self._shown(text)) for path, text in sorted(self._unread.items()))
            changed = self._parts.changed
            left_out = () if changed is None else tuple(sorted(changed.left_out))
            self._run = Run(tuple(sorted(suites, key=lambda suite: suite.path)), unread, left_out)
        return self._run

    def _suite(self, path: Path, places: dict[str, set[int]]) -> Iterator[SuiteRun]:
        result = self._parts.suites.known(path)
        if result is None:
            self._unread[self._parts.options.relative(path)] = (
                "its results are not on this machine: workers share a folder"
            )
            return
        run = result.run
        arrived: dict[str, Any] = {
            kind: tuple(getattr(run, kind)[place] for place in sorted(places.get(kind, ()))) for kind in RESULT_KINDS
        }
        yield replace(run, **arrived)

    @pytest.hookimpl(wrapper=True, tryfirst=True)  # around the terminal's, which ends the bar of progress
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """Write the reports once everything has arrived, also when the loop ends early."""
        try:
            result = yield
            self._accept()
            return result
        finally:
            self._find_lost_suites()
            if not session.config.option.collectonly:
                self._write()

    @pytest.hookimpl(optionalhook=True)
    def pytest_handlecrashitem(self, crashitem: str, report: pytest.TestReport, sched: Any) -> None:
        """Blame no item for a worker that died while it measured a suite: another worker runs it."""
        worker = report.node.gateway.id
        died_of = {owner: suite for suite, owner in begun_and_not_ended(self._parts.places.shared)}
        if worker not in died_of or self.config.getoption("dist") == "each":  # which gives items to no other worker
            return
        with contextlib.suppress(
            NotImplementedError
        ):  # by those that hand out whole files, and do so without being asked
            sched.mark_test_pending(crashitem)
        report.outcome = "skipped"
        reason = f"runs on another worker, as {worker} died while it measured {died_of[worker].name}"
        report.longrepr = (report.nodeid.partition("::")[0], 0, reason)

    def _find_lost_suites(self) -> None:
        """Report suites whose worker died when no other was left that needed them."""
        if not self._has_lost_workers:
            return
        for path, _ in begun_and_not_ended(self._parts.places.shared):
            if self._parts.suites.known(path) is not None:
                continue  # another worker found out, and its items arrived
            run = self._parts.suites.lost(path).run
            self._arrived[path] = {kind: set(range(len(getattr(run, kind)))) for kind in RESULT_KINDS}
            self._has_lost_suites, self._run = True, None

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Never call it a success that a suite was lost with its worker, or that a report is missing."""
        if self._has_lost_suites and exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        if self._troubles and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.USAGE_ERROR

    def _accept(self) -> None:
        """Print what becomes the baseline, then write it; only after a run that came to its end."""
        mode = self._parts.options.mode
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
                path = self.config.rootpath / run.path
                result = self._parts.suites.known(path)
                if result is not None:
                    accepted = acceptance(
                        run, path, mode=mode, reason=reason, declared=result.declared, predictions=_path(result.staged)
                    )
                    self._write_baseline(reporter, accepted)
            for view in union([*self.views, *views_to_accept(self._parts)]):
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
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        """Take what an xdist worker's tests declared; remember if one died."""
        self._has_lost_workers |= error is not None and error != "keyboard-interrupt"
        output = getattr(node, "workeroutput", {})
        self.views += json.loads(output.get("behave_views", "[]"))
        self.said |= dict.fromkeys(output.get("behave_said", ()))

    def _print(self, reporter: pytest.TerminalReporter | None, lines: Iterable[str]) -> None:
        if reporter is not None:
            for line in lines:
                reporter.write_line(for_terminal(line))

    def _shown(self, text: object) -> str:
        return self._parts.options.shown(text)

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

    @contextlib.contextmanager
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
        said = (*self.said, *self._parts.messages.said)
        self._print(terminalreporter, (f"behave: {text}" for text in dict.fromkeys(said)))
        self._print(terminalreporter, (f"ERROR: {text}" for text in self._troubles))
        if not self._arrived and not self._unread:
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
