"""The stored baseline: where it lies, how it is read from the working tree or a commit, and what accepting changes."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import math
import os
import re
import reprlib
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import IO, Any, TypeAlias

from pytest_behave import files
from pytest_behave.errors import BaselineError, did_you_mean
from pytest_behave.records import Accepted, BaselineEntry, Better, Key, StoredBaseline
from pytest_behave.text import for_json

Entries: TypeAlias = Mapping[Key, BaselineEntry]
Changed: TypeAlias = tuple[StoredBaseline, tuple[Accepted, ...]]

FORMAT = "pytest-behave/baseline-1"
KEPT_DIGITS = 1e-5  # relative: two values nearer than that are one in a file that keeps six digits
ACCEPT = "pytest --behave --behave-baseline=accept"
REMOVED = "no longer in the baseline"
UNFIT = re.compile('[<>:"/\\\\|?*%\x00-\x1f\x7f-\x9f\ud800-\udfff]')  # in file names; % because it marks the others
DEVICE = re.compile(r"\s*(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])\s*(\.|$)", re.IGNORECASE)
LONGEST = 100  # bytes of a name before its hash; encrypting file systems end at 143
# hooks set these for their own repository; with GIT_DIR set, git takes the current folder for the top
OF_HOOKS = {"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR", "GIT_NAMESPACE"}
OF_HOOKS |= {"GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES"}
START = 1024  # bytes
CONFLICT = re.compile(r"^(<{7}|={7}|>{7}|\|{7})", re.MULTILINE)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


KINDS: Mapping[str, Callable[[Any], bool]] = {
    "a mapping": lambda value: isinstance(value, dict),
    "text": lambda value: isinstance(value, str),
    "a number": _is_number,
    "a whole number": lambda value: isinstance(value, int) and not isinstance(value, bool) and value >= 0,
    "true": lambda value: value is True,
    "false": lambda value: value is False,
    "null": lambda value: value is None,
}
TOP = {"behaviors": "a mapping", "dataset": "text or null", "format": "text", "model": "text", "suite": "text"}
NEEDED = {"value": "a number or null", "n": "a whole number", "size": "a whole number"}
FURTHER = {"hits": "a whole number", "low": "a number", "high": "a number", "best": "a number", "reason": "text"}
ENTRY = {**NEEDED, **FURTHER, "paired": "true or false"}
DEFAULTS = {field.name: field.default for field in fields(BaselineEntry) if field.name not in NEEDED}


def baseline_paths(suite_file: Path, suite_name: str) -> tuple[Path, Path]:
    """Return the .json and the .parquet file of a suite, in ``baselines/`` beside the suite's own file."""
    stem = UNFIT.sub(lambda found: _percent(found[0]), suite_name)
    if DEVICE.match(stem):
        stem = _percent(stem[0]) + stem[1:]
    if len(stem.encode()) > LONGEST:
        digest = hashlib.sha256(suite_name.encode("utf-8", "surrogatepass")).hexdigest()[:16]
        stem = f"{stem.encode()[:LONGEST].decode(errors='ignore')}-{digest}"
    folder = suite_file.parent / "baselines"
    return folder / f"{stem}.json", folder / f"{stem}.parquet"


def _percent(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode("utf-8", "surrogatepass"))


@dataclass(frozen=True, slots=True)
class WorkingTree:
    """The files as they lie on the disk."""

    def read(self, path: Path) -> bytes | None:
        """Return the content of a file, None if there is no such file; raises BaselineError."""
        try:
            return path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise BaselineError(f"{path} cannot be read: {error.strerror}") from error

    def file(self, path: Path, folder: Path) -> Path | None:  # noqa: ARG002 - as of a commit
        """Return where the file can be read, None if there is no such file."""
        return path if path.is_file() else None

    def shown(self, path: Path) -> str:
        """Return what messages call the file."""
        return str(path)


@dataclass(frozen=True, slots=True)
class Commit:
    """The files as a git commit has them, whatever the working tree holds; a call of git may take ``timeout`` seconds."""

    ref: str
    timeout: float = 60.0

    def read(self, path: Path) -> bytes | None:
        """Return the content of a file, None if the commit has no such file; raises BaselineError."""
        with tempfile.TemporaryDirectory(prefix="pytest-behave-") as folder:
            found = self.file(path, Path(folder))
            return None if found is None else found.read_bytes()

    def file(self, path: Path, folder: Path) -> Path | None:
        """Write the file into a folder and return its path there, None if the commit has no such file."""
        whole = path.absolute()
        top = next(parent for parent in whole.parents if parent.is_dir())  # the commit may have more folders
        blob = f"{self._hash(top)}:./{whole.relative_to(top).as_posix()}"
        found = self._git(top, "rev-parse", "--verify", "--quiet", blob)
        if found.returncode and not found.stderr.strip():
            return None
        target, checked_out = folder / path.name, folder / f"{path.name}.checked-out"
        content = self._git(top, "cat-file", "blob", blob, into=target)  # what `git show` is made of
        if content.returncode:
            raise BaselineError(f"git cannot read {self.shown(path)}: {_complaint(content.stderr)}")
        if files.is_pointer(start_of(target)):
            with contextlib.suppress(BaselineError):  # then the pointer is all there is
                found = self._git(top, "cat-file", "--filters", blob, into=checked_out)
                return target if found.returncode else checked_out
        return target

    def shown(self, path: Path) -> str:
        """Return what messages call the file."""
        return f"{self.ref}:{path.as_posix()}"

    def _hash(self, folder: Path) -> str:
        if not self.ref or self.ref.startswith("-") or not self.ref.isprintable():
            raise BaselineError(f"{self.ref!r} cannot name a git commit: give a branch, a tag or a hash")
        found = self._git(folder, "rev-parse", "--verify", "--quiet", f"{self.ref}^{{commit}}")
        if not found.returncode:
            return found.stdout.decode("ascii").strip()
        if found.stderr.strip():
            raise BaselineError(f"git cannot read {self.ref!r} in {folder}: {_complaint(found.stderr)}")
        branch = self.ref.removeprefix("origin/")
        remedy = "git fetch" if branch == self.ref else f"git fetch origin {branch}:refs/remotes/origin/{branch}"
        raise BaselineError(
            f"git knows no commit {self.ref!r} here: check the name, or get it with `{remedy}` "
            "(in CI, check out with `fetch-depth: 0`; in a shallow clone, run `git fetch --unshallow`)"
        )

    def _git(self, folder: Path, *arguments: str, into: Path | None = None) -> subprocess.CompletedProcess[bytes]:
        """Call git; what it says goes ``into`` a file, if there is one."""
        kept = {name: value for name, value in os.environ.items() if name not in OF_HOOKS and "GIT_TRACE" not in name}
        try:
            with contextlib.ExitStack() as stack:
                return subprocess.run(  # noqa: S603 - no shell, and no argument that git could take for an option
                    ["git", *arguments],  # noqa: S607 - the user's own
                    cwd=folder,
                    env={**kept, "LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0"},
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE if into is None else stack.enter_context(into.open("wb")),
                    stderr=subprocess.PIPE,
                    timeout=self.timeout,
                    check=False,
                )
        except subprocess.TimeoutExpired:
            raise BaselineError(f"git took more than {self.timeout:g} s to read {self.ref!r}") from None
        except OSError as error:
            raise BaselineError(
                f"comparing with {self.ref!r} needs git, is it installed? ({error.strerror})"
            ) from error


def _complaint(stderr: bytes) -> str:
    return stderr.decode("utf-8", "replace").strip().split("\n")[0].removeprefix("fatal: ")


def start_of(path: Path) -> bytes:
    """Return so much of a file as tells what it is."""
    with path.open("rb") as file:
        return file.read(START)


def read_baseline(place: WorkingTree | Commit, path: Path, suite: str) -> StoredBaseline | None:
    """Return the baseline of a suite, None if there is none yet; raises BaselineError if it cannot be understood."""
    data = place.read(path)
    if data is None:
        return None
    where = place.shown(path)
    if files.is_pointer(data):
        raise BaselineError(f"{where} {files.ADVICE}")
    document = _document(data, where)
    try:
        return _baseline(document, suite)
    except BaselineError as error:
        raise BaselineError(f"{where}: {error}") from None


def _document(data: bytes, where: str) -> Any:
    try:
        text = data.decode("utf-8-sig")
        conflict = CONFLICT.search(text)
        if conflict is None:
            return json.loads(text, object_pairs_hook=_without_duplicates)
    except json.JSONDecodeError as error:
        raise BaselineError(f"{where}:{error.lineno}:{error.colno}: this is not JSON: {error.msg}") from None
    except (ValueError, RecursionError) as error:
        raise BaselineError(f"{where} cannot be read as JSON: {error}") from None
    line = text.count("\n", 0, conflict.start()) + 1
    raise BaselineError(f"{where}:{line}: git conflict markers: take either side, then rerun `{ACCEPT}`")


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    doubled = [key for key, count in Counter(key for key, _ in pairs).items() if count > 1]
    if doubled:
        raise ValueError(f"the key {doubled[0]!r} is there twice")
    return dict(pairs)


def _baseline(document: Any, suite: str) -> StoredBaseline:
    version = document.get("format") if isinstance(document, dict) else None
    if version != FORMAT and isinstance(version, str) and version.startswith("pytest-behave/baseline-"):
        raise BaselineError(f"a newer release wrote this, in the format {version!r}: upgrade pytest-behave")
    if version != FORMAT:
        raise BaselineError(f"this is no baseline: its `format` is not {FORMAT!r}")
    stored = _checked(document, "", TOP, required=TOP)
    if stored["suite"] != suite:
        raise BaselineError(f"this is the baseline of suite {stored['suite']!r}, not of {suite!r}: rename or move one")
    entries = {
        (name, metric): _entry(entry, f"behaviors.{name}.{metric}.")
        for name, metrics in stored["behaviors"].items()
        for metric, entry in _of_kind(metrics, f"behaviors.{name}", "a mapping").items()
    }
    return StoredBaseline(suite, stored["dataset"], stored["model"], entries)


def _entry(found: Any, prefix: str) -> BaselineEntry:
    values = _checked(_of_kind(found, prefix.rstrip("."), "a mapping"), prefix, ENTRY, required=NEEDED)
    if values.get("hits", 0) > values["n"]:
        raise BaselineError(f"`{prefix}hits` must not be more than n, which is {values['n']}")
    return _rounded(BaselineEntry(**values))


def _checked(found: dict[str, Any], prefix: str, kinds: Mapping[str, str], required: Iterable[str]) -> dict[str, Any]:
    missing = [name for name in required if name not in found]
    if missing:
        raise BaselineError(f"`{prefix}{missing[0]}` is missing")
    unknown = [name for name in found if name not in kinds]
    if unknown:
        raise BaselineError(f"`{prefix}{unknown[0]}` is unknown{did_you_mean(unknown[0], kinds)}")
    return {name: _of_kind(value, f"{prefix}{name}", kinds[name]) for name, value in found.items()}


def _of_kind(value: Any, name: str, kind: str) -> Any:
    if not any(KINDS[option](value) for option in kind.split(" or ")):
        raise BaselineError(f"`{name}` must be {kind}, not {reprlib.repr(value)}")
    return value


def _rounded(entry: BaselineEntry) -> BaselineEntry:
    """Return an entry as the file keeps it: 6 significant digits, nothing in place of NaN and infinities."""
    value, low, high, best = (_digits(figure) for figure in (entry.value, entry.low, entry.high, entry.best))
    return replace(entry, value=value, low=low, high=high, best=best)


def _digits(value: float | None) -> float | None:
    return float(f"{value:.6g}") + 0.0 if value is not None and math.isfinite(value) else None  # + 0.0: no -0.0


def baseline_text(baseline: StoredBaseline) -> str:
    """Return the file's text: sorted keys, one scalar per line, defaults left out; what is read back gives it again."""
    behaviors: dict[str, dict[str, Any]] = {}
    for (name, metric), entry in baseline.entries.items():
        values = asdict(_rounded(entry)).items()
        behaviors.setdefault(name, {})[metric] = {
            key: value for key, value in values if key in NEEDED or value != DEFAULTS[key]
        }
    top = {"dataset": baseline.dataset, "format": FORMAT, "model": baseline.model, "suite": baseline.suite}
    text = json.dumps({"behaviors": behaviors, **top}, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return for_json(text) + "\n"


def accept(old: StoredBaseline | None, measured: Entries, suite: str, better: Mapping[Key, Better]) -> Changed:
    """Return the baseline with what was measured, and what that changes; all other entries stay.

    ``better`` has the keys whose best value is kept. A reason stays until the value that it explains changes.
    """
    before = old or StoredBaseline(suite, None, "")
    taken = {key: _taken(before.entries.get(key), _rounded(new), better.get(key)) for key, new in measured.items()}
    after = replace(before, entries={**before.entries, **taken})
    return after, differences(before, after)


def add_missing(old: StoredBaseline | None, measured: Entries, suite: str, better: Mapping[Key, Better]) -> Changed:
    """Return the baseline with what was measured and it lacks, and what that changes; entries it has stay."""
    known = old.entries if old else {}
    return accept(old, {key: new for key, new in measured.items() if key not in known}, suite, better)


def prune(old: StoredBaseline, declared: Collection[Key]) -> Changed:
    """Return the baseline without the entries that are no longer declared, and those."""
    after = replace(old, entries={key: entry for key, entry in old.entries.items() if key in declared})
    return after, differences(old, after)


def differences(before: StoredBaseline | None, after: StoredBaseline | None) -> tuple[Accepted, ...]:
    """Return the entries that differ in anything that the file would show, in its order."""
    olds, news = (
        {key: _rounded(entry) for key, entry in side.entries.items()} if side else {} for side in (before, after)
    )
    changed = [(key, olds.get(key), news.get(key)) for key in sorted({*olds, *news}) if olds.get(key) != news.get(key)]
    return tuple(
        Accepted(*key, old.value if old else None, new.value if new else None, new.reason if new else REMOVED)
        for key, old, new in changed
    )


def _taken(old: BaselineEntry | None, new: BaselineEntry, better: Better | None) -> BaselineEntry:
    if old is None:
        return replace(new, best=new.value if better else None)
    old = _rounded(old)
    seen = [value for value in (old.value, old.best, new.value) if value is not None]
    best = (max if better == "higher" else min)(seen) if better and seen else None
    same = replace(old, best=None, reason="", paired=True) == replace(new, best=None, reason="", paired=True)
    return replace(new, best=best, reason=old.reason if same else new.reason)


def write_atomically(path: Path, content: bytes | Path) -> None:
    """Write a file, of these bytes or as a copy of another, as a whole or not at all, its folder too.

    Raises BaselineError with the old file untouched.
    """
    target = Path(os.path.realpath(path))  # a link stays a link
    unfinished = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with unfinished.open("xb") as file, _opened(content) as source:
            shutil.copyfileobj(source, file)
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            shutil.copymode(target, unfinished)
        unfinished.replace(target)
    except OSError as error:
        raise BaselineError(f"{path} cannot be written ({error.strerror}); what was there is untouched") from error
    finally:
        with contextlib.suppress(OSError):
            unfinished.unlink()


def _opened(content: bytes | Path) -> IO[bytes]:
    return io.BytesIO(content) if isinstance(content, bytes) else content.open("rb")
