"""What the code of a model reaches, read from its files and never run: modules, data files, versions, environment.

From a module the imports are followed, also those within functions, as long as they lead to the user's own files. Of
installed distributions the version counts. A text in the code that names a file (also as ``folder / "name"`` or
``os.path.join``) stands for the file's content, ``os.environ["NAME"]`` for the variable's value.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import hashlib
import importlib.util
import itertools
import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from importlib import metadata
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import NamedTuple

from pytest_behave.guard import INSTALLED, is_own_file

LARGEST = 256 << 20  # bytes of a file that are read; of a larger one, size and time of change count
MOST_FILES = 1_000  # in a folder that the code names; of one with more, sizes and times of change count
LONGEST_NAME = 512
SECRETS = ("KEY", "TOKEN", "SECRET", "PASSWORD")
WRITES = {"write_text", "write_bytes", "touch", "mkdir", "unlink", "to_csv", "to_parquet", "to_json", "to_pickle"}
IMPORTS = {"import_module", "__import__"}
VERSION = re.compile(r"""^__version__\s*(?::\s*\w+)?\s*=\s*["']([^"']+)["']""", re.MULTILINE)


class Module(NamedTuple):
    """A file of the user's own, by the name that imports it."""

    name: str
    file: Path

    @property
    def package(self) -> str:
        """The package that relative imports start from."""
        return self.name if self.file.stem == "__init__" else self.name.rpartition(".")[0]


class Fact(NamedTuple):
    """Something that code depends on: its kind and name, and a ``content`` that differs when it does."""

    kind: str
    name: str
    content: str

    def __str__(self) -> str:
        return " ".join(self)


class Reach:
    """Everything that some modules reach, collected as facts whose digest changes with the code."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.facts: set[Fact] = set()
        self._seen: set[Path] = set()
        self._tops: set[str] = set()

    def add_reference(self, name: str) -> bool:
        """Add a module by its dotted name; return whether its code, or its version, can be told."""
        return self._add_name(name, self.folder)

    def add_file(self, name: str, file: Path) -> None:
        """Add a module that is known by its file."""
        waiting = [Module(name, file)]
        while waiting:
            module = waiting.pop()
            if module.file in self._seen:
                continue
            self._seen.add(module.file)
            waiting += self._read(module)

    @property
    def files(self) -> Iterable[Path]:
        """The files of the modules that were read."""
        return self._seen

    def digest(self) -> str:
        """Return the digest of all facts."""
        return hashlib.sha256("\n".join(sorted(map(str, self.facts))).encode("utf-8", "backslashreplace")).hexdigest()

    def _read(self, module: Module) -> list[Module]:
        data = module.file.read_bytes()
        self.facts.add(Fact("module", module.name, hashlib.sha256(data).hexdigest()))
        if module.file.suffix != ".py":
            return []
        try:
            tree = ast.parse(data)
        except (SyntaxError, ValueError, RecursionError, MemoryError):  # the last two: nested too deeply
            return []
        ignored = _written(tree)
        for text, is_path in _texts(tree, ignored):
            self._add_named_file(text, (module.file.parent, self.folder, Path.cwd()), is_path=is_path)
        for name in _environment(tree):
            self.facts.add(Fact("environment", name, repr(os.environ.get(name))))
        found: list[Module] = []
        for name in _imported(tree, module.package):
            found += self._modules(name, module.file.parent)
        if _imports_what_it_computes(tree):
            found += [Module(path.stem, path) for path in _neighbours(module.file.parent)]
        return found

    def _add_name(self, name: str, beside: Path) -> bool:
        before = len(self.facts)
        for module in self._modules(name, beside):
            self.add_file(*module)
        return len(self.facts) > before

    def _modules(self, name: str, beside: Path) -> list[Module]:
        """Return the user's own files that importing a dotted name runs; of others remember the version."""
        top, *rest = name.split(".")
        if not top or top in sys.stdlib_module_names or top in self._tops:
            return []
        found = _found(top, [self.folder, beside, *map(Path, sys.path)])
        if found is None:
            self._tops.add(top)
            self.facts.add(Fact("distribution", top, version_of(top)))
            return []
        modules, dotted = [], top
        for part in [*rest, ""]:
            file, folder = found
            if file is not None:
                modules.append(Module(dotted, file))
            inner = _found_below(folder, part) if part and folder is not None else None
            if inner is None:
                break
            found, dotted = inner, f"{dotted}.{part}"
        return modules

    # -- data files

    def _add_named_file(self, text: str, bases: Sequence[Path], *, is_path: bool) -> None:
        for base in dict.fromkeys(bases):
            path = base / text
            try:
                if path.is_file():
                    self.facts.add(Fact("file", text, file_digest(path)))
                    return
                if is_path and path.is_dir() and path not in (base, *base.parents):
                    self.facts.add(Fact("folder", text, _folder_digest(path)))
                    return
            except (OSError, ValueError):
                continue


def _found(name: str, folders: Sequence[Path]) -> tuple[Path | None, Path | None] | None:
    """Return the file and the folder of a module that is the user's own, as the import system would find it."""
    own = [folder for folder in folders if is_own_file(folder)]
    found = next(filter(None, (_found_in(folder, name) for folder in own)), None)
    if found is not None:
        return found if is_own_file(found[0] or Path(found[1] or "")) else None
    try:
        spec = importlib.util.find_spec(name)  # of a name without dots nothing is imported
    except (ImportError, ValueError, AttributeError):
        spec = None
    if spec is not None and spec.has_location and spec.origin is not None:
        file = Path(spec.origin)
        return (file, file.parent if spec.submodule_search_locations else None) if is_own_file(file) else None
    return next(((None, folder / name) for folder in own if next((folder / name).rglob("*.py"), None)), None)


def _found_in(folder: Path, name: str) -> tuple[Path | None, Path | None] | None:
    package = folder / name
    if (package / "__init__.py").is_file():
        return package / "__init__.py", package
    files = (folder / f"{name}{suffix}" for suffix in (".py", *EXTENSION_SUFFIXES))
    return next(((file, None) for file in files if file.is_file()), None)


def _found_below(folder: Path, name: str) -> tuple[Path | None, Path | None] | None:
    return _found_in(folder, name) or ((None, folder / name) if (folder / name).is_dir() else None)


@functools.cache
def version_of(top: str) -> str:
    """Return the version of the distribution that a module comes from; empty if it is not installed."""
    try:
        return metadata.version(top)
    except (metadata.PackageNotFoundError, ValueError):
        pass
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError, AttributeError):
        spec = None
    if spec is None or spec.origin is None or not INSTALLED & set(Path(spec.origin).parts):
        return ""
    return _written_version(Path(spec.origin).parent) or _recorded_version(top)


def _written_version(package: Path) -> str:
    """Return the version that a package writes down in its own code, which takes no time to find."""
    for name in ("__init__.py", "_version.py", "version.py"):
        with contextlib.suppress(OSError):
            found = VERSION.search((package / name).read_text(encoding="utf-8", errors="replace"))
            if found:
                return found[1]
    return ""


def _recorded_version(top: str) -> str:
    """Return the version of the distribution whose list of files has the module: a second, among many distributions."""
    for found in metadata.distributions():
        record = f"\n{found.read_text('RECORD') or ''}"
        if f"\n{top}/" in record or f"\n{top}." in record:
            return f"{found.metadata['Name']} {found.version}"
    return ""


def file_digest(path: Path) -> str:
    """Return the digest of a file's content; of a very large one, of its size and time of change."""
    state = path.stat()
    if state.st_size > LARGEST:
        return f"{state.st_size} {state.st_mtime_ns}"
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _folder_digest(folder: Path) -> str:
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    total = sum(path.stat().st_size for path in paths)
    facts = []
    for path in paths:
        state = path.stat()
        is_read = len(paths) <= MOST_FILES and total <= LARGEST
        content = file_digest(path) if is_read else f"{state.st_size} {state.st_mtime_ns}"
        facts.append(f"{path.relative_to(folder).as_posix()} {content}")
    return hashlib.sha256("\n".join(facts).encode("utf-8", "backslashreplace")).hexdigest()


def _neighbours(folder: Path) -> list[Path]:
    """Return all modules in and below a folder; those in it alone, if they are very many."""
    paths = list(itertools.islice(folder.rglob("*.py"), MOST_FILES + 1))
    return (
        sorted(path for path in paths if is_own_file(path)) if len(paths) <= MOST_FILES else sorted(folder.glob("*.py"))
    )


# -- reading a module's tree


def _imported(tree: ast.AST, package: str) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            name = _absolute(node, package)
            yield name
            yield from (f"{name}.{alias.name}" for alias in node.names if alias.name != "*")
        elif isinstance(node, ast.Call) and _name_of(node.func) in IMPORTS:
            names = [arg.value for arg in node.args[:1] if isinstance(arg, ast.Constant)]
            yield from (f"{package}{name}" if name.startswith(".") else name for name in names if type(name) is str)


def _absolute(node: ast.ImportFrom, package: str) -> str:
    if not node.level:
        return node.module or ""
    parts = package.split(".")
    base = parts[: len(parts) - node.level + 1]
    return ".".join([*base, *([node.module] if node.module else [])])


def _imports_what_it_computes(tree: ast.AST) -> bool:
    return any(
        isinstance(node, ast.Call)
        and _name_of(node.func) in (*IMPORTS, "run_path", "run_module", "spec_from_file_location")
        and not (node.args and isinstance(node.args[0], ast.Constant))
        for node in ast.walk(tree)
    )


def _name_of(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _environment(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        key: ast.expr | None = None
        if isinstance(node, ast.Subscript) and _name_of(node.value) == "environ":
            key = node.slice
        elif isinstance(node, ast.Call) and node.args and isinstance(node.func, (ast.Attribute, ast.Name)):
            of_environ = isinstance(node.func, ast.Attribute) and _name_of(node.func.value) == "environ"
            key = node.args[0] if of_environ or _name_of(node.func) == "getenv" else None
        name = key.value if isinstance(key, ast.Constant) else None
        if isinstance(name, str) and not any(word in name.upper() for word in SECRETS):
            yield name


def _written(tree: ast.AST) -> set[int]:
    """Return the nodes within calls that write a file: what the code makes is no part of the code."""
    found: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and (_name_of(node.func) in WRITES or _opens_to_write(node)):
            found |= {id(child) for child in ast.walk(node)}
    return found


def _opens_to_write(call: ast.Call) -> bool:
    if _name_of(call.func) != "open":
        return False
    modes = [*call.args[:2], *(word.value for word in call.keywords if word.arg == "mode")]
    texts = [mode.value for mode in modes if isinstance(mode, ast.Constant) and isinstance(mode.value, str)]
    return any(len(text) <= 3 and set(text) & set("wax+") and set(text) <= set("wax+rbt") for text in texts)  # noqa: PLR2004


def _texts(tree: ast.AST, ignored: set[int]) -> Iterator[tuple[str, bool]]:
    """Yield texts that may name a file, and whether the code says that they are paths."""
    for node in ast.walk(tree):
        if id(node) in ignored:
            continue
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and _may_be_a_name(node.value):
            yield node.value, "/" in node.value
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            joined = "/".join(_parts(node))
            if joined:
                yield joined, True
        elif isinstance(node, ast.Call) and _name_of(node.func) in ("join", "joinpath", "Path"):
            joined = "/".join(text for argument in node.args for text in _parts(argument))
            if joined and _may_be_a_name(joined):
                yield joined, True


def _parts(node: ast.expr) -> list[str]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        return [*_parts(node.left), *_parts(node.right)]
    if isinstance(node, ast.Call) and _name_of(node.func) == "Path" and node.args:
        return _parts(node.args[0])
    return [node.value] if isinstance(node, ast.Constant) and isinstance(node.value, str) else []


def _may_be_a_name(text: str) -> bool:
    return 0 < len(text) <= LONGEST_NAME and not set("\n\0") & set(text) and bool(text.strip("./ "))
