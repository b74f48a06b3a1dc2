"""The code blocks of a documentation page, and what it means to run each kind.

An HTML comment on the line before a block says what the block is:

    <!-- file: NAME -->           is written to NAME in the page's own folder
    <!-- file: NAME, wrong -->    the same, and as a suite it must be refused
    <!-- file: NAME, by plugin --> the same, and as a suite it loads only with the page's plugins
    <!-- run -->                  a console block: each `$ ` line runs, what is shown below it must be its output;
                                  a python block: runs; a pycon block: runs, with its output compared
    <!-- run: exit 1 -->          a console block whose last command has this exit code
    <!-- fragment -->             a part of a suite: must load, put into a small valid suite
    <!-- fragment: a.csv b.csv --> the same, with empty files of these names at hand
    <!-- shown -->                is only shown

In shown output a line `...` stands for any number of lines; lengths of time and the day of a run do not count.
"""

from __future__ import annotations

import doctest
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pytest_behave.declare.load import load_suite
from pytest_behave.errors import SuiteError
from pytest_behave.prepare.extensions import Extensions
from pytest_behave.prepare.metrics import known_metric_names

FENCE = re.compile(r"^(\s*)(`{3,}|~{3,})\s*([^`\s]*)\s*$")
COMMENT = re.compile(r"^<!-- (.*?) -->$")
ROOT = Path(__file__).parents[2]
MODULES = {
    "python": [],
    # hypothesis' own plugin takes a second to import, in every run
    "pytest": ["-m", "pytest", "-p", "no:cacheprovider", "-p", "no:hypothesispytest"],
    "pytest-behave": ["-m", "pytest_behave"],
}
# a page shows what a user sees who has set none of these
LEFT_OUT = re.compile(r"^(PYTEST_|GITHUB_|CI$|BUILD_NUMBER$|FORCE_COLOR$|PY_COLORS$|BEHAVE_)")
SMALLEST_SUITE: dict[str, Any] = {
    "dataset": {"path": "loans.csv", "id": "id", "target": "repaid"},
    "model": {"column": "score", "as": "score"},
    "slices": {"women": 'sex == "Female"', "region": {"by": "region"}},
    "metrics": ["accuracy", "fpr", "fnr"],
}
SECONDS = 120


class WrongPageError(AssertionError):
    """A page does not hold what it promises; the message names file and line."""


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, the comment before it, and the line on which it starts."""

    language: str
    text: str
    kind: str
    argument: str
    line: int


def blocks_of(page: Path) -> Iterator[Block]:
    """Yield the code blocks of a page in order; directives such as ```{toctree} are not code."""
    comment, fence, start, language, lines = "", "", 0, "", []
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), start=1):
        match = FENCE.match(line)
        if fence:
            if match and match[2] == fence and not match[3]:
                if not language.startswith("{"):
                    kind, _, argument = comment.partition(":")
                    text = "".join(f"{shown}\n" for shown in lines)
                    yield Block(language, text, kind.strip(), argument.strip(), start)
                fence, comment = "", ""
            else:
                lines.append(line)
        elif match:
            fence, start, language, lines = match[2], number, match[3], []
        elif line.strip():
            found = COMMENT.match(line)
            comment = found[1] if found else ""
    if fence:
        raise WrongPageError(f"{page}:{start}: the block is not closed")


class Page:
    """One page, run block by block in a folder of its own."""

    def __init__(self, path: Path, folder: Path) -> None:
        self.path = path
        self.folder = folder
        self.namespace: dict[str, Any] = {"__name__": "docs_page"}
        self.remarks: dict[Path, str] = {}

    def run(self) -> None:
        """Run every block, then load every suite that the page wrote."""
        for block in blocks_of(self.path):
            action = {"file": self._write, "run": self._run, "fragment": self._load, "shown": self._show}
            if block.kind not in action:
                raise self._wrong(block, f"a comment such as <!-- run --> must say what it is, not {block.kind!r}")
            action[block.kind](block)
        for suite in sorted(self.folder.rglob("*.behave.yaml")):
            self._check_suite(suite)

    def _wrong(self, block: Block, sentence: str) -> WrongPageError:
        return WrongPageError(f"{self.path}:{block.line}: {sentence}")

    def _show(self, block: Block) -> None:
        """Leave a block as it is."""

    # -- files and suites

    def _write(self, block: Block) -> None:
        name, _, remark = block.argument.partition(",")
        path = self.folder / name.strip()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.text, encoding="utf-8")
        self.remarks[path] = remark.strip()
        if path.suffix == ".py":
            compile(block.text, str(path), "exec")
        if path.suffix in (".yaml", ".yml") and not remark:
            yaml.safe_load(block.text)

    def _load(self, block: Block) -> None:
        try:
            part = yaml.safe_load(block.text)
        except yaml.YAMLError as error:
            raise self._wrong(block, f"the fragment is not YAML: {error}") from None
        if not isinstance(part, dict):
            raise self._wrong(block, "a fragment is a mapping with keys of a suite")
        for name in block.argument.split():
            (self.folder / name).touch()
        base = {key: value for key, value in SMALLEST_SUITE.items() if key != "model" or "models" not in part}
        suite = self.folder / "fragment.yaml"
        # the fragment's own text stays, so that the suite's reading of YAML is the one that counts
        kept = yaml.safe_dump({key: value for key, value in base.items() if key not in part}, sort_keys=False)
        suite.write_text(block.text + kept, encoding="utf-8")
        try:
            load(suite)
        except SuiteError as error:
            raise self._wrong(block, f"the fragment does not load: {error}") from None
        finally:
            suite.unlink()

    def _check_suite(self, suite: Path) -> None:
        remark = self.remarks.get(suite, "")
        if remark == "by plugin":
            return
        try:
            load(suite)
        except SuiteError as error:
            if remark != "wrong":
                raise WrongPageError(f"{self.path}: {suite.name} does not load: {error}") from None
        else:
            if remark == "wrong":
                raise WrongPageError(f"{self.path}: {suite.name} should be refused, but loads")

    # -- running

    def _run(self, block: Block) -> None:
        languages = {"console": self._console, "python": self._python, "pycon": self._session}
        if block.language not in languages:
            raise self._wrong(block, f"a block of {block.language or 'no language'} cannot run")
        languages[block.language](block)

    def _python(self, block: Block) -> None:
        # the line numbers of a traceback are the page's
        code = compile("\n" * block.line + block.text, str(self.path), "exec")
        exec(code, self.namespace)  # noqa: S102 - our own pages

    def _session(self, block: Block) -> None:
        test = doctest.DocTestParser().get_doctest(
            block.text, self.namespace, self.path.name, str(self.path), block.line
        )
        report: list[str] = []
        runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS, verbose=False)
        runner.run(test, out=report.append, clear_globs=False)
        self.namespace.update(test.globs)
        if runner.failures:
            raise self._wrong(block, "".join(report))

    def _console(self, block: Block) -> None:
        commands = re.split(r"^\$ ", block.text, flags=re.MULTILINE)
        if commands[0].strip() or len(commands) == 1:
            raise self._wrong(block, "a console block starts with a line `$ command`")
        wanted = int(block.argument.removeprefix("exit")) if block.argument else 0
        for index, entry in enumerate(commands[1:], start=2):
            command, _, shown = entry.partition("\n")
            code, output = self._execute(command)
            expected = wanted if index == len(commands) else 0
            if code != expected:
                raise self._wrong(block, f"`{command}` has exit code {code}, not {expected}:\n{output}")
            if shown.strip() and not is_shown(shown, output):
                raise self._wrong(block, f"`{command}` does not print what is shown, but:\n{output}")

    def _execute(self, command: str) -> tuple[int, str]:
        """Run one command line, without a shell: VARIABLE=value before it and `> file` after it are understood."""
        words = shlex.split(command)
        environment = {name: value for name, value in os.environ.items() if not LEFT_OUT.match(name)}
        found = [*filter(None, [environment.get("PYTHONPATH")]), str(ROOT)]  # this checkout, whatever is installed
        environment |= {"COLUMNS": "80", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": os.pathsep.join(found)}
        while "=" in words[0]:
            name, _, value = words.pop(0).partition("=")
            environment[name] = value
        target = words.pop() if len(words) > 2 and words[-2] == ">" else None
        words = words[:-1] if target else words
        program, *arguments = words
        line = [sys.executable, *MODULES[program], *arguments] if program in MODULES else words
        done = subprocess.run(
            line, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
        )
        if target:
            (self.folder / target).write_text(done.stdout, encoding="utf-8")
            return done.returncode, done.stderr
        return done.returncode, done.stdout + done.stderr


def load(suite: Path) -> None:
    """Read and check a suite file, without its data."""
    load_suite(suite, known_metric_names(Extensions(), suite.parent))


def is_shown(shown: str, output: str) -> bool:
    """Tell whether an output is what a page shows, a line `...` standing for any lines."""
    return _fits([_plain(line) for line in shown.rstrip().splitlines()], [_plain(line) for line in output.splitlines()])


def _fits(wanted: list[str], lines: list[str]) -> bool:
    while lines and not lines[-1]:
        lines = lines[:-1]
    pieces: list[list[str]] = [[]]
    for line in wanted:
        if line == "...":
            pieces.append([])
        else:
            pieces[-1].append(line)
    first, *rest = pieces
    if lines[: len(first)] != first:
        return False
    if not rest:
        return len(lines) == len(first)
    *middle, last = rest
    place, end = len(first), len(lines) - len(last)
    for piece in middle:
        place = next((at for at in range(place, end - len(piece) + 1) if lines[at : at + len(piece)] == piece), -1)
        if place < 0:
            return False
        place += len(piece)
    return place <= end and lines[end:] == last


def _plain(line: str) -> str:
    """Return a line without what differs from run to run: lengths of time, days of runs, the rules around a title."""
    timeless = re.sub(r"\bin \d+\.\d+s\b", "in 0s", line.rstrip())
    dayless = re.sub(r"\bgreen on \d{4}-\d\d-\d\d\b", "green on a day", timeless)
    return re.sub(r"^([=_-])\1+ (.+?) \1+$", r"\1\1 \2 \1\1", dayless)
