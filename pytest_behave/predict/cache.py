"""The prediction cache: outputs by model and row content, so that only new rows are predicted.

A directory holds a folder per model, named by its key. What goes wrong with it is said once and costs predictions,
never a run.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from pytest_behave.predict.directory import make_cache
from pytest_behave.predict.identity import Identity
from pytest_behave.predict.keys import row_keys
from pytest_behave.predict.normalize import Batch, encodable
from pytest_behave.predict.plain import NotPlainError
from pytest_behave.predict.sources import Source, answers
from pytest_behave.predict.store import READABLE, Store
from pytest_behave.predict.waiting import Audience, held
from pytest_behave.records import ModelSpec


class Cache:
    """A cache directory, as one process uses it.

    A worker of an engine never makes the directory, as it would be no one else's, and leaves it to the process that
    started the run to say, once for all parts, how many rows were known.
    """

    def __init__(self, folder: Path, audience: Audience, *, of_a_worker: bool = False) -> None:
        self.folder = folder
        self.audience = audience
        self.of_a_worker = of_a_worker
        self.say = audience.say

    def of_model(self, identity: Identity, spec: ModelSpec, suite: str) -> ModelCache | None:
        """Return the part of one model; None, and why, if its outputs are not kept."""
        if not identity.key:
            if identity.reason:
                self.say(f"{suite}: model {spec.name!r} is not cached: {identity.reason}")
            return None
        if self.of_a_worker and not self.folder.is_dir():
            self.say(
                f"{suite}: workers keep no outputs, as they have no folder {self.folder}: "
                "name one that all of them share with --behave-cache"
            )
            return None
        store = Store(self.folder / identity.key, lambda text: self.say(f"{suite}: {text}"))
        return ModelCache(self, store, identity, spec, suite)

    def say_changed(self, spec: ModelSpec, suite: str) -> None:
        """Say that a model is another one after it ran: what was kept will not be found again."""
        self.say(
            f"{suite}: model {spec.name!r} or a file that its code names changed while it ran, so the next run "
            "predicts everything again; if the model writes that file, give it a `fingerprint:`"
        )

    def prepare(self) -> None:
        """Make the directory, marked as a cache for git and for backups; raises OSError."""
        make_cache(self.folder)


class ModelCache:
    """The kept outputs of one model, for one suite."""

    def __init__(self, cache: Cache, store: Store, identity: Identity, spec: ModelSpec, suite: str) -> None:
        self._cache = cache
        self._identity = identity
        self._store = store
        self._spec = spec
        self._suite = suite
        self._writes = True
        self.predicted = 0  # rows that were not known
        about = store.about()
        self._shown = _digest(f"{spec.location}\n{spec.threshold}\n{dict(spec.options)}")
        self.fingerprint: str | None = about.get("fingerprints", {}).get(self._shown)
        inputs = about.get("inputs")
        self.inputs: tuple[str, ...] | None = None if inputs is None else tuple(inputs)

    def opened(self, source: Source) -> None:
        """Remember what only the opened model tells: its fingerprint in reports, and the columns that it is given."""
        self.fingerprint = source.fingerprint
        self.inputs = tuple(getattr(source, "inputs", ()))
        fingerprints = {**self._store.about().get("fingerprints", {}), self._shown: source.fingerprint}
        facts = {"model": self._spec.name, "suite": self._suite, "inputs": self.inputs, "fingerprints": fingerprints}
        with self._writing():
            self._cache.prepare()
            self._store.remember({**facts, "inputs": list(self.inputs)})

    def batches(
        self,
        source: Callable[[], Source],
        frame: pd.DataFrame,
        ids: Sequence[str],
        roots: Sequence[Path] = (),
        repeats: int = 1,
    ) -> Iterator[Batch]:
        """Yield what is known of the rows, then what ``source()`` says of the others, kept as it comes.

        Of several ``repeats``, the first answers to all rows are numbered before the second ones. Another process that
        predicts the same rows is waited for, and its outputs are used.
        """
        if self.inputs is None:
            self.opened(source())
        try:
            keys = np.concatenate([row_keys(frame, self.inputs or (), roots, repeat) for repeat in range(repeats)])
        except NotPlainError as error:
            self._say(f"model {self._spec.name!r} is not cached: {error}, which cannot be told apart")
            yield from answers(source(), frame, ids, np.arange(repeats * len(frame)))
            return
        with self._alone(keys):
            yield from self._batches(source, frame, ids, keys)

    def _batches(
        self, source: Callable[[], Source], frame: pd.DataFrame, ids: Sequence[str], keys: np.ndarray
    ) -> Iterator[Batch]:
        known = self._known(keys)
        yield from known
        missing = np.ones(len(keys), dtype=bool)
        for batch in known:
            missing[batch.rows] = False
        wanted = np.flatnonzero(missing)
        if 0 < len(wanted) < len(keys) and not self._cache.of_a_worker:
            what = "rows" if len(keys) == len(frame) else "answers"
            self._say(resumed(len(keys) - len(wanted), len(keys), what))
        try:
            if len(wanted):
                for batch in answers(source(), frame, ids, wanted):
                    self._keep(keys[batch.rows], batch)
                    self.predicted += len(batch.rows)
                    yield batch
        finally:
            with self._writing():
                self._store.close()

    def check(self, identity: Identity) -> None:
        """Say so where the model is another one after it ran: what was kept will not be found again."""
        if identity != self._identity:
            self._cache.say_changed(self._spec, self._suite)

    def _known(self, keys: np.ndarray) -> list[Batch]:
        try:
            return self._store.find(keys)
        except READABLE as error:
            self._say(f"the cache cannot be read ({_reason(error)}), and everything is predicted again")
            return []

    def _keep(self, keys: np.ndarray, batch: Batch) -> None:
        if not self._writes:
            return
        try:
            with self._writing():
                self._store.add(keys, encodable(batch.predictions))
        except NotPlainError as error:
            self._writes = False
            self._say(f"model {self._spec.name!r} is not cached: its outputs hold {error}; return plain values")

    @contextlib.contextmanager
    def _alone(self, keys: np.ndarray) -> Iterator[None]:
        """Hold the lock of these very rows, so that two processes do not predict them twice."""
        name = f"{hashlib.sha256(keys.tobytes()).hexdigest()[:16]}.rows"
        with contextlib.ExitStack() as stack:
            with self._writing():
                self._store.folder.mkdir(parents=True, exist_ok=True)
                what = f"{self._suite}: {self._spec.name}"
                stack.enter_context(held(self._store.folder / name, self._cache.audience, what))
            yield

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """Go on without writing, and say so, when a disk is full or a folder cannot be written."""
        try:
            yield
        except (OSError, pa.ArrowException, NotImplementedError) as error:  # the last: locks, on some network drives
            if self._writes:
                self._say(f"the cache cannot be written ({_reason(error)}): this run goes on without keeping more")
            self._writes = False

    def _say(self, text: str) -> None:
        self._cache.say(f"{self._suite}: {text}")


def resumed(known: int, asked: int, what: str = "rows") -> str:
    """Return how a summary says that some answers were known."""
    return f"resumed: {known:,} of {asked:,} {what} from the cache"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or f"{type(error).__name__}: {error}"
