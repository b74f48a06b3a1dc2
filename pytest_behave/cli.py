"""The command line: ``pytest-behave schema | init | lint | diff | selfcheck | cache`` (also ``python -m pytest_behave``)."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from pytest_behave.errors import BehaveError
from pytest_behave.guard import any_place, guarded
from pytest_behave.text import for_terminal, sentences

OK, FOUND, USAGE = 0, 1, 4  # pytest's numbers: all well, something failed, usage error


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code."""
    parsed = _parser().parse_args(arguments)
    try:
        return int(parsed.run(parsed))
    except BehaveError as error:
        return _complained(error)
    except BrokenPipeError:
        return OK


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="pytest-behave", description="Behavioral test suites of models.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    schema = commands.add_parser("schema", help="print the JSON Schema of suite files (or of the run record)")
    schema.add_argument("--run-record", action="store_true", help="the schema of --behave-report=json instead")
    schema.set_defaults(run=_schema)
    init = commands.add_parser("init", help="write a first suite from a dataset")
    init.add_argument("data", type=Path, help="csv, tsv, jsonl or parquet file")
    init.add_argument("-o", "--output", type=Path, help="suite file to write; default: DATA's name with .behave.yaml")
    init.add_argument("--target", help="column that holds the true answer; default: guessed")
    init.add_argument("--prediction", help="column that holds the model's output; default: guessed")
    init.set_defaults(run=_init)
    lint = commands.add_parser("lint", help="say what a suite would run, and what is odd about it")
    lint.add_argument("suites", nargs="+", type=Path, metavar="SUITE", help="suite files")
    lint.set_defaults(run=_lint)
    diff = commands.add_parser("diff", help="say what changed between two runs")
    diff.add_argument(
        "before", metavar="A", help="run record; git:REF:PATH for one in a commit; git:REF for what is accepted there"
    )
    diff.add_argument("after", metavar="B", help="the same of the run to compare with it")
    diff.add_argument("--format", choices=("text", "md"), default="text", help="text (the default) or Markdown")
    diff.add_argument("-o", "--output", type=Path, help="file to write; default: print")
    diff.set_defaults(run=_diff)
    check = commands.add_parser("selfcheck", help="say how often a suite would cry wolf, and what losses it can see")
    check.add_argument("suites", nargs="+", type=Path, metavar="SUITE", help="suite files")
    check.add_argument("--runs", type=_count, default=200, help="runs in which neither model is better; default: 200")
    check.add_argument("--model", help="the candidate, where a suite declares several models")
    check.add_argument("--cluster", metavar="COLUMN", help="try what if rows with the same value are not independent")
    check.set_defaults(run=_selfcheck)
    cache = commands.add_parser("cache", help="say what the prediction cache holds, or make it smaller")
    _add_cache_commands(cache.add_subparsers(required=True, metavar="ACTION"))
    return parser


def _add_cache_commands(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    info = actions.add_parser("info", help="list models with rows, size and last use")
    info.set_defaults(run=_cache_info)
    clear = actions.add_parser("clear", help="remove everything")
    clear.set_defaults(run=_cache_clear)
    collect = actions.add_parser("gc", help="remove what has not been used for long")
    collect.add_argument("--older-than", type=_seconds, metavar="TIME", help="unused for that long, such as 12h or 30d")
    collect.add_argument("--max-size", type=_bytes, metavar="SIZE", help="the least recently used beyond, such as 5GB")
    collect.set_defaults(run=_cache_collect)
    for action in (info, clear, collect):
        action.add_argument(
            "--cache", type=Path, default=Path(".behave_cache"), metavar="DIR", help="default: %(default)s"
        )
        action.set_defaults(refuse=action.error)


def _seconds(text: str) -> float:
    from pytest_behave.predict.housekeeping import seconds_of

    try:
        return seconds_of(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _bytes(text: str) -> int:
    from pytest_behave.records.sizes import bytes_of

    try:
        return bytes_of(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _cache_info(parsed: argparse.Namespace) -> int:
    from pytest_behave.predict.housekeeping import info_lines

    return _printed_of_cache(parsed, lambda: info_lines(parsed.cache))


def _cache_clear(parsed: argparse.Namespace) -> int:
    from pytest_behave.predict.housekeeping import clear_lines

    return _printed_of_cache(parsed, lambda: clear_lines(parsed.cache))


def _cache_collect(parsed: argparse.Namespace) -> int:
    from pytest_behave.predict.housekeeping import collect_lines

    if parsed.older_than is None and parsed.max_size is None:
        parsed.refuse("give --older-than, --max-size or both")
    limits = {"older_than": parsed.older_than, "max_size": parsed.max_size}
    return _printed_of_cache(parsed, lambda: collect_lines(parsed.cache, **limits))


def _printed_of_cache(parsed: argparse.Namespace, lines: Callable[[], Sequence[str]]) -> int:
    """Print, or end as wrong arguments do if the folder is no cache."""
    from pytest_behave.errors import CacheError

    try:
        return _printed(lines())
    except CacheError as error:
        parsed.refuse(for_terminal(error))
        raise


def _printed(lines: Iterable[str]) -> int:
    """Print lines so that what they say of data and suites steers no terminal, and fits its encoding."""
    encoding = sys.stdout.encoding or "utf-8"
    text = "".join(f"{for_terminal(line)}\n" for line in lines)
    sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))
    return OK


def _complained(error: BehaveError) -> int:
    here = f"{Path.cwd()}/"
    sys.stderr.write("".join(f"{line.replace(here, '')}\n" for line in sentences(error)))
    return USAGE


def _count(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of runs")
    return int(text)


def _schema(parsed: argparse.Namespace) -> int:
    if parsed.run_record:
        from pytest_behave.report.record import record_schema

        sys.stdout.write(record_schema())
        return OK
    from pytest_behave.declare.load import json_schema

    sys.stdout.write(json_schema())
    return OK


def _init(parsed: argparse.Namespace) -> int:
    from pytest_behave.commands.init import first_suite

    output = parsed.output or parsed.data.with_name(parsed.data.name.partition(".")[0] + ".behave.yaml")
    if output.exists():
        raise BehaveError(f"{output} exists already: choose another name with --output, or remove it")
    text = first_suite(parsed.data, output, target=parsed.target, prediction=parsed.prediction)
    _write(output, text)
    return _printed([f"wrote {output}; run it with: pytest --behave {output}"])


def _lint(parsed: argparse.Namespace) -> int:
    return max([_linted(path) for path in parsed.suites])


def _linted(path: Path) -> int:
    from pytest_behave.commands.lint import lint_lines

    try:
        with guarded(BehaveError, f"{path}: cannot be checked:", any_place):
            lines, warnings = lint_lines(path)
    except BehaveError as error:
        return _complained(error)
    _printed([*lines, *warnings])
    return FOUND if warnings else OK


def _diff(parsed: argparse.Namespace) -> int:
    from pytest_behave.commands.differences import difference

    run = difference(parsed.before, parsed.after)
    if parsed.format == "md":
        from pytest_behave.report.markdown import markdown

        lines = markdown(run).splitlines()
    else:
        from pytest_behave.report.terminal import summary_lines

        lines = list(summary_lines(run, shutil.get_terminal_size().columns))
    if parsed.output is None:
        return _printed(lines)
    _write(parsed.output, "".join(f"{line}\n" for line in lines))
    return OK


def _write(path: Path, text: str) -> None:
    from pytest_behave.report.writing import write_report

    try:
        write_report(path, text)
    except OSError as error:
        raise BehaveError(f"{path} cannot be written: {error.strerror}") from None


def _selfcheck(parsed: argparse.Namespace) -> int:
    from pytest_behave.commands.selfcheck import selfcheck
    from pytest_behave.predict.progress import progress_bar
    from pytest_behave.report.selfcheck import selfcheck_lines

    found = OK
    for path in parsed.suites:
        with (
            guarded(BehaveError, f"{path}: cannot be checked:", any_place),
            progress_bar(sys.stderr, parsed.runs, f"{path.name}: self-check") as progress,
        ):
            check = selfcheck(path, parsed.runs, model=parsed.model, cluster=parsed.cluster, progress=progress)
        _printed(selfcheck_lines(check))
        found = FOUND if check.cries_wolf else found
    return found
