"""What every process does: collect suite files, prepare and run each suite once, attach results to reports."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tempfile
import uuid
from collections import defaultdict
from collections.abc import Callable, Generator, Hashable, Iterable
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from pytest_behave.errors import BehaveError, EngineError
from pytest_behave.guard import guarded
from pytest_behave.plugin import SUFFIXES
from pytest_behave.records import Run
from pytest_behave.records.memory import uncollected
from pytest_behave.report.changes import behavior_sentence, declaration_of, undecided_sentences
from pytest_behave.session import green
from pytest_behave.text import for_terminal, sentences

if TYPE_CHECKING:
    from pytest_behave.evaluate import Extensions, Prepared, Resources
    from pytest_behave.evaluate.views import SuiteView
    from pytest_behave.predict.cache import Cache
    from pytest_behave.predict.waiting import Audience
    from pytest_behave.records import Behavior, Predictions, SuiteRun
    from pytest_behave.session.states import Selection, States

RUNNER: pytest.StashKey[Runner] = pytest.StashKey()


class UnchangedSuite(pytest.File):
    """A suite that is left out, as nothing changed since it was green."""

    def collect(self) -> Iterable[pytest.Item]:
        """Yield nothing, and read nothing."""
        self.config.stash[RUNNER].tell(self.nodeid)
        return []


class Runner:
    """Suites of this process. A suite is prepared when it is collected and run when its first item runs."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.conftests: list[ModuleType] = []
        self._runs: dict[Path, SuiteRun] = {}
        self._sent: set[Path] = set()
        self._relative: dict[str | Path, str] = {}
        self.views: list[SuiteView] = []
        self._cache: Cache | None = None
        self._resources: Resources | None = None
        # duplicated now, while pytest does not capture: a model runs while it does
        self._screen = os.fdopen(os.dup(2), "w", encoding="utf-8", errors="replace") if os.isatty(2) else None
        if self._screen is not None:
            config.add_cleanup(self._screen.close)
        self._terminal = None if hasattr(config, "workerinput") else self._screen
        self.said: dict[str, None] = {}  # lines for the summary, in order
        self._baselines: dict[Path, Path] = {}
        self._shared_warnings: dict[Path, dict[Hashable, str]] = {}
        self._groups: dict[Path, dict[str, list[tuple[int, Behavior]]]] = {}

    # methods, no properties: pytest may read every attribute of a plugin, and these import pandas

    def open_resources(self) -> Resources:
        """Return where suites run, always the same; raise ``UsageError`` for an engine or a size that is none."""
        if self._resources is None:
            self._resources = self._opened_resources()
        return self._resources

    def open_cache(self) -> Cache | None:
        """Return the prediction cache, always the same; None if it is switched off."""
        if self._cache is None and self.cache_folder is not None:
            from pytest_behave.predict.cache import Cache

            self._cache = Cache(self.cache_folder, self.audience)
        return self._cache

    def _opened_resources(self) -> Resources:
        from pytest_behave.evaluate import Resources

        name, memory = (self.config.getoption(f"behave_{option}") for option in ("engine", "memory"))
        try:
            hook = self.config.hook.pytest_behave_engine
            with guarded(EngineError, "a plugin raised"):
                found = Resources(name, memory, lambda name: hook(name=name), self._terminal)
        except EngineError as error:
            raise refused(f"--behave-engine: {error}") from None
        except BehaveError as error:
            raise refused(f"--behave-memory: {error}") from None
        self.config.add_cleanup(found.close)
        return found

    @pytest.hookimpl
    def pytest_sessionstart(self) -> None:
        """Refuse an engine or a size that is none before anything is read."""
        option = self.config.getoption
        if option("behave_engine") != "local" or option("behave_memory"):
            self.open_resources()
        if option("behave_changed") and self.cache_folder is None:
            raise pytest.UsageError(
                "--behave-changed has nothing to go by: what was green is kept in the cache, which is off"
            )
        if self.cache_folder is not None and _holds_other_files(self.cache_folder):
            raise refused(
                f"--behave-cache: {self.cache_folder} holds other files and is no prediction cache: name a folder of its own"
            )

    # -- extensions

    @pytest.hookimpl
    def pytest_plugin_registered(self, plugin: object) -> None:
        """Remember conftest modules: functions marked in them can be named by the suites below."""
        if isinstance(plugin, ModuleType) and Path(str(getattr(plugin, "__file__", ""))).name == "conftest.py":
            self.conftests.append(plugin)

    def extensions(self, path: Path) -> Extensions:
        """Return what plugins, and the conftest files at or above a suite, add."""
        from pytest_behave.evaluate import Extensions

        hook = self.config.hook
        above = self.conftests_above(path)
        return Extensions(
            metrics={
                metric.name: metric for found in hook.pytest_behave_metrics(config=self.config) for metric in found
            },
            read=lambda source, spec: hook.pytest_behave_read_dataset(source=source, spec=spec),
            model=lambda spec: hook.pytest_behave_model_source(spec=spec),
            modules=tuple(sorted(above, key=lambda module: len(Path(str(module.__file__)).parts))),
        )

    def conftests_above(self, path: Path) -> list[ModuleType]:
        """Return the conftest modules at or above a suite."""
        return [module for module in self.conftests if Path(str(module.__file__)).parent in path.resolve().parents]

    # -- collecting and running

    @pytest.hookimpl
    def pytest_collect_file(self, file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
        """Collect ``*.behave.yaml``."""
        if not file_path.name.endswith(SUFFIXES):
            return None
        name = self.relative(file_path)
        # a file's name may hold anything, its node id may not
        named: dict[str, Any] = {} if for_terminal(name) == name else {"nodeid": for_terminal(name)}
        if self.selection is not None:
            left_out: pytest.Collector = UnchangedSuite.from_parent(parent, path=file_path, **named)
            if self.selection.leaves_out(left_out.nodeid, file_path):
                return left_out
        with uncollected():
            from pytest_behave.session.collect import SuiteFile

        suite: pytest.Collector = SuiteFile.from_parent(parent, path=file_path, **named)
        return suite

    def run(self, prepared: Prepared) -> SuiteRun:
        """Return the run of a suite, made when first asked for."""
        path = prepared.suite.path
        if path not in self._runs:
            from pytest_behave.evaluate import run_suite

            option = self.config.getoption
            run = run_suite(
                prepared,
                model=option("behave_model"),
                ref=option("behave_against"),
                keep=self._keep(path) if self.accepts and prepared.baseline is None else None,
                terminal=self._terminal,
                cache=self.open_cache(),
            )
            self._runs[path] = replace(run, strict=self.is_strict, behaviors=tuple(map(self._stored, run.behaviors)))
        return self._runs[path]

    def _stored(self, behavior: Behavior) -> Behavior:
        """Return a behavior as it stands once this test run has stored it."""
        if self.accepts and behavior.verdict == "no-baseline":
            return replace(behavior, verdict="holds", reason="stored by this run")
        return behavior

    @property
    def accepts(self) -> bool:
        """Whether this test run stores what it measures, so that a change is no failure."""
        return self.config.getoption("behave_baseline") in ("new", "accept")

    def _keep(self, path: Path) -> Path:
        """Return where outputs are to be written, in a folder that is there."""
        self.shared_folder.mkdir(parents=True, exist_ok=True)
        return self.staged(path)

    def staged(self, path: Path) -> Path:
        """Return where the outputs of a suite wait for the controller, which alone writes baselines."""
        return self.shared_folder / f"{_file_key(str(path))}-{os.getpid()}.baseline"

    def behaviors_of(self, prepared: Prepared, group: str) -> list[tuple[int, Behavior]]:
        """Return the behaviors of a slice, or of all members of a family, with their places in the run."""
        path = prepared.suite.path
        if path not in self._groups:
            groups: dict[str, list[tuple[int, Behavior]]] = defaultdict(list)
            for index, behavior in enumerate(self.run(prepared).behaviors):
                for name in {behavior.slice, behavior.family or behavior.slice}:
                    groups[name].append((index, behavior))
            self._groups[path] = groups
        return self._groups[path].get(group, [])

    def warning(self, prepared: Prepared, behavior: Behavior) -> str:
        """Return what a warning says of a behavior: where it shares that with others, pytest shows it once for all."""
        path = prepared.suite.path
        if path not in self._shared_warnings:
            run = self.run(prepared)
            self._shared_warnings[path] = undecided_sentences(run.suite, run.behaviors)
        shared = self._shared_warnings[path].get(declaration_of(behavior)) if behavior.verdict == "undecided" else None
        return shared or behavior_sentence(self.run(prepared).suite, behavior)

    @property
    def is_strict(self) -> bool:
        """Whether undecided and suspect behaviors fail."""
        return bool(self.config.getoption("behave_strict") or self.config.getini("behave_strict"))

    def shown(self, text: str) -> str:
        """Return a text with paths below the invocation directory made relative, as pytest shows them."""
        return text.replace(f"{self.config.invocation_params.dir}/", "")

    def relative(self, path: str | Path) -> str:
        """Return a path relative to the root directory, with forward slashes, as reports hold it."""
        found = self._relative.get(path)
        if found is None:
            try:
                found = Path(path).relative_to(self.config.rootpath).as_posix()
            except ValueError:
                found = Path(path).as_posix()
            self._relative[path] = found
        return found

    # -- suites that are as they were when they were green

    @property
    def remembers(self) -> bool:
        """Whether suites that turn out green are remembered."""
        mode, only_collects = self.config.getoption("behave_baseline"), self.config.option.collectonly
        return self.cache_folder is not None and mode == "check" and not only_collects

    @cached_property
    def states(self) -> States:
        """What the verdicts of suites depend on."""
        from pytest_behave.session.states import States

        return States(self.config, self.conftests_above)

    @cached_property
    def known_green(self) -> dict[str, dict[str, Any]]:
        """What earlier runs remembered of suites, by node id."""
        return {} if self.cache_folder is None else green.read(self.cache_folder)

    @cached_property
    def selection(self) -> Selection | None:
        """What leaves suites out; None without --behave-changed."""
        if not self.config.getoption("behave_changed") or self.cache_folder is None:
            return None
        from pytest_behave.session.states import Selection

        return Selection(self.config, self.states, self.known_green, self._say)

    def tell(self, name: str) -> None:
        """Say why the suite of a node id runs or does not, if that is in question."""
        if self.selection is not None:
            self.selection.tell(name)

    def claim(self, baseline: Path, suite: Path) -> Path:
        """Return the suite file that was first to have a baseline file for its own."""
        return self._baselines.setdefault(baseline, suite)

    # -- the prediction cache

    @cached_property
    def cache_folder(self) -> Path | None:
        """Where outputs are kept: below the directory that the option was given in, else the root directory."""
        worker_input = getattr(self.config, "workerinput", None)
        if worker_input is not None:
            return Path(worker_input["behave_cache"]) if worker_input["behave_cache"] else None
        given = self.config.getoption("behave_cache")
        if "off" in (given, given or self.config.getini("behave_cache")):
            return None
        if given:
            return self.config.invocation_params.dir / given
        return self.config.rootpath / self.config.getini("behave_cache")

    @cached_property
    def audience(self) -> Audience:
        """Who follows this process: the terminal now, the summary at the end."""
        from pytest_behave.predict.waiting import Audience

        worker_input = getattr(self.config, "workerinput", {})
        return Audience(worker_input.get("workerid", f"process {os.getpid()}"), self._show, self._say)

    def _say(self, text: str) -> None:
        self.said[text] = None

    def _show(self, text: str) -> None:
        if self._screen is not None:
            self._screen.write(f"{for_terminal(f'behave: {text}')}\r\n")
            self._screen.flush()

    # -- xdist

    @cached_property
    def shared_folder(self) -> Path:
        """The folder in which the processes of this test run share predictions."""
        worker_input = getattr(self.config, "workerinput", None)
        if worker_input is not None:
            return Path(worker_input["behave_shared_folder"])
        return Path(tempfile.gettempdir()) / f"pytest-behave-{uuid.uuid4().hex}"

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell each xdist worker where predictions are shared."""
        node.workerinput["behave_shared_folder"] = str(self.shared_folder)
        node.workerinput["behave_cache"] = "" if self.cache_folder is None else str(self.cache_folder)

    def _share(self, path: Path) -> Callable[[str, Callable[[], Predictions]], Predictions]:
        if not hasattr(self.config, "workerinput"):
            return lambda _key, compute: compute()
        from pytest_behave.predict.sharing import shared

        return lambda key, compute: shared(
            self.shared_folder, _file_key(str(path), key), compute, self.audience, f"the outputs for {path.name}"
        )

    def views_to_accept(self) -> list[dict[str, Any]]:
        """Return the suites that tests declared, as the controller gets them when baselines are accepted."""
        from pytest_behave.report.record import run_to_json

        found = []
        for number, view in enumerate(self.views if self.accepts else ()):
            run, path, outputs = view.run_to_accept()
            staged = self._keep(path / str(number))
            staged.write_bytes(outputs)
            found.append({"record": run_to_json(Run((run,))), "path": str(path), "staged": str(staged)})
        return found

    @pytest.hookimpl
    def pytest_sessionfinish(self) -> None:
        """Send what tests declared to the controller, from an xdist worker."""
        output = getattr(self.config, "workeroutput", None)
        if output is not None:
            output["behave_views"] = json.dumps(self.views_to_accept())
            output["behave_said"] = list(self.said)
            output["behave_left_out"] = [] if self.selection is None else self.selection.left_out

    # -- results

    @pytest.hookimpl
    def pytest_assertrepr_compare(self, op: str, left: object, right: object) -> list[str] | None:
        """Explain failed comparisons with a metric of a suite."""
        if "pytest_behave.evaluate.views" not in sys.modules:
            return None
        from pytest_behave.session.fixture import explain_comparison

        lines = explain_comparison(op, left, right)
        return None if lines is None else list(map(for_terminal, lines))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Attach an item's result to its report, as one JSON text: only primitives cross between processes."""
        if call.excinfo is not None and isinstance(call.excinfo.value, BehaveError):
            call.excinfo.value.args = ("\n".join(sentences(call.excinfo.value)),)  # what pytest is to show of it
        report = yield
        collecting = sys.modules.get("pytest_behave.session.collect")  # not there if no suite was collected
        if call.when == "call" and collecting is not None and isinstance(item, collecting.SuiteItem):
            wire = item.result()
            if item.suite_path not in self._sent:
                self._sent.add(item.suite_path)
                wire["once"] = item.once()
            report.behave = json.dumps(wire)  # type: ignore[attr-defined]
        if call.when == "call" and self.said:
            report.behave_said = list(self.said)  # type: ignore[attr-defined]
            self.said = {}
        return report


def _holds_other_files(folder: Path) -> bool:
    """Tell whether a folder is there and no cache; of one that cannot be read, the cache itself will tell."""
    try:
        return folder.is_dir() and any(folder.iterdir()) and not (folder / "CACHEDIR.TAG").exists()
    except OSError:
        return False


def refused(text: str) -> pytest.UsageError:
    """Return the error that ends pytest before anything runs."""
    return pytest.UsageError(for_terminal(text))


def _file_key(*parts: str) -> str:
    """Return a name for a file from what its content depends on."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]
