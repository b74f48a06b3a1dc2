"""The suites of a test run: what each declares, and what became of it, whichever process found that out."""

from __future__ import annotations

import json
import traceback
from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pytest_behave.errors import BehaveError, SuiteError
from pytest_behave.predict.waiting import Audience
from pytest_behave.records import Behavior, Key, SuiteRun
from pytest_behave.records.memory import uncollected
from pytest_behave.report.changes import undecided_sentences
from pytest_behave.session import outline as outlines
from pytest_behave.session.messages import Messages
from pytest_behave.session.options import RunOptions
from pytest_behave.session.outline import Outline
from pytest_behave.session.sharing import Share
from pytest_behave.session.workshop import Workshop

PATIENCE_IN_SECONDS = 1  # with workers that have not had their share of suites yet
DIED = "the process that measured this suite died (a crash of its model, or no memory left)"


@dataclass
class Result:
    """What became of a suite of so many items: its run as the record says it, the file of outputs that accepting stores.

    ``state`` is that of files and code in which it ran; ``crash`` the traceback of a failure of this package.
    """

    run: SuiteRun
    items: int
    staged: str | None = None
    state: dict[str, Any] | None = None
    crash: str = ""
    _groups: dict[str, list[tuple[int, Behavior]]] = field(default_factory=dict, repr=False)
    _warnings: dict[Hashable, str] | None = None

    @property
    def warnings(self) -> Mapping[Hashable, str]:
        """By declaration, the sentence that its undecided behaviors share."""
        if self._warnings is None:
            self._warnings = undecided_sentences(self.run.suite, self.run.behaviors)
        return self._warnings

    @property
    def declared(self) -> list[Key] | None:
        """The keys of all behaviors of the suite; None if they cannot be told, as something failed."""
        behaviors = self.run.behaviors
        failed = any(behavior.verdict == "error" for behavior in behaviors)
        return None if failed else [(behavior.slice, behavior.metric) for behavior in behaviors]

    def behaviors_of(self, group: str) -> list[tuple[int, Behavior]]:
        """Return the behaviors of a slice, or of all members of a family, with their places in the run."""
        if not self._groups and self.run.behaviors:
            groups: dict[str, list[tuple[int, Behavior]]] = defaultdict(list)
            for index, behavior in enumerate(self.run.behaviors):
                for name in {behavior.slice, behavior.family or behavior.slice}:
                    groups[name].append((index, behavior))
            self._groups = dict(groups)
        return self._groups.get(group, [])


def result_of(text: str) -> Result:
    """Return the result that a process published."""
    from pytest_behave.report.record import suite_from_json

    with uncollected():
        data = json.loads(text)
        return Result(suite_from_json(data.pop("run")), **data)


class Suites:
    """Outlines and results by suite file. One process reads and measures a suite, the others wait and take over."""

    def __init__(
        self, options: RunOptions, workshop: Workshop, share: Share, messages: Messages, workers: int = 1
    ) -> None:
        self._options = options
        self._workshop = workshop
        self._share = share
        self._messages = messages
        self._workers = workers
        self._own: set[Path] = set()  # what this process was first to come to
        self._expected: dict[Path, None] = {}  # files that are to be collected, in order
        self._ahead: Iterator[Path] = iter(())  # more of them
        self._outlines: dict[Path, Outline] = {}
        self._results: dict[Path, Result] = {}
        self._baselines: dict[Path, Path] = {}

    def expect(self, path: Path) -> None:
        """Remember a suite that is going to be collected."""
        self._expected[path] = None

    def expect_later(self, paths: Iterator[Path]) -> None:
        """Remember more such suites, to be looked for only when there is nothing else to do."""
        self._ahead = paths

    def outline(self, path: Path) -> Outline:
        """Return what a suite declares; raises SuiteError with everything that is wrong with it."""
        if path not in self._outlines:
            self._outlines[path] = outlines.from_text(self._outline_text(path))
        return self._outlines[path]

    def _outline_text(self, path: Path) -> str:
        text = self._share.read(path, "outline")
        if text is not None:
            return text
        if self._has_its_share():
            self._share.wait_for_claim(path, PATIENCE_IN_SECONDS)
        if self._share.claim(path):
            return self._prepared(path)
        self._prepare_others()
        text = self._share.wait(path, "outline", self._quiet, f"what {path.name} declares")
        if text is None:
            self._share.give_up(path, "outline", lambda: outlines.to_text(_death(path)))
        return text or self._outline_text(path)

    @property
    def _quiet(self) -> Audience:
        """Those who follow what goes on now, without a line in the summary."""
        return replace(self._messages.audience, say=lambda _: None)

    def _prepare_others(self) -> None:
        """Prepare suites that are to come and that nobody works on, instead of waiting."""
        self._expected |= dict.fromkeys(self._ahead)
        for path in self._expected:
            if self._has_its_share():
                return
            if self._share.read(path, "outline") is None and self._share.claim(path):
                self._prepared(path)

    def _has_its_share(self) -> bool:
        """Tell whether this process is to leave the next suite to another: to read it is little, to measure it much."""
        return len(self._own) * self._workers >= max(len(self._expected), 1)

    def _prepared(self, path: Path) -> str:
        """Read a suite, and let all know what it declares or why it cannot be read."""
        self._own.add(path)
        try:
            text = outlines.to_text(self._workshop.prepare(path))
        except BehaveError as error:
            text = outlines.to_text(error)
        except BaseException as error:
            text = outlines.to_text(SuiteError([f"{path}: this package failed", *_trace(error).splitlines()]))
            if not isinstance(error, Exception):
                self._share.publish(path, "outline", text)
                raise
        self._share.publish(path, "outline", text)
        return text

    def result(self, path: Path) -> Result:
        """Return what became of a suite, measured now if no process did; the suite was collected before."""
        while path not in self._results:
            text = self._share.read(path, "result")
            if text is None and self._share.claim(path):
                text = self._measured(path)
            if text is None:
                what = f"the outputs for {path.name}"
                text = self._share.wait(path, "result", self._messages.audience, what)
            if text is not None:
                self._results[path] = result_of(text)
            else:
                self._share.give_up(path, "result", lambda: self._unmeasured(path, DIED))
        return self._results[path]

    def _measured(self, path: Path) -> str:
        self._share.begin(path)
        try:
            measured = self._workshop.measure(path)
            text = self._text(path, measured.run, staged=measured.staged, state=measured.state)
        except BaseException as error:
            text = self._unmeasured(path, traceback.format_exception_only(error)[-1].strip(), _trace(error))
            if not isinstance(error, Exception):
                self._end(path, text)  # nobody is to wait for what this process was told to leave
                raise
        self._end(path, text)
        return text

    def _end(self, path: Path, text: str) -> None:
        self._share.publish(path, "result", text)
        self._share.end(path)

    def _unmeasured(self, path: Path, reason: str, crash: str = "") -> str:
        run = outlines.unmeasured(self.outline(path), str(path), reason)
        return self._text(path, replace(run, strict=self._options.is_strict), crash=crash)

    def _text(self, path: Path, run: SuiteRun, **more: Any) -> str:
        from pytest_behave.report.record import suite_to_json

        with uncollected():
            data = {"run": suite_to_json(run, self._options.relative), "items": self.outline(path).size}
            return json.dumps({**data, **more})

    def known(self, path: Path) -> Result | None:
        """Return what became of a suite, None if no process found out."""
        if path not in self._results:
            text = self._share.read(path, "result")
            if text is None:
                return None
            self._results[path] = result_of(text)
        return self._results[path]

    def lost(self, path: Path) -> Result:
        """Return the result of a suite whose process died when no other was left to find out."""
        self._results[path] = result_of(self._unmeasured(path, DIED))
        return self._results[path]

    def first_with(self, baseline: Path, suite: Path) -> Path:
        """Return the suite file that was first to have a baseline file for its own."""
        return self._baselines.setdefault(baseline, suite)


def _trace(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))


def _death(path: Path) -> SuiteError:
    return SuiteError([f"{path}: the process that read this suite and its data died (a crash, or no memory left)"])
