"""The prediction cache of a dataset in parts: workers use it by the identity that the run's own process found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from pytest_behave.evidence.rows import Predictor, Tools, identity_in
from pytest_behave.prepare.preparation import Prepared
from pytest_behave.predict.sources import open_source
from pytest_behave.records import ModelSpec

if TYPE_CHECKING:
    from pytest_behave.predict.cache import Cache, ModelCache
    from pytest_behave.predict.identity import Identity

Role = Literal["candidate", "baseline"]


@dataclass(frozen=True)
class Kept:
    """How many answers of each model parts asked for, how many of these the cache knew, and what is to be said of it."""

    asked: Mapping[Role, int] = field(default_factory=dict)
    known: Mapping[Role, int] = field(default_factory=dict)
    said: tuple[str, ...] = ()

    def __add__(self, other: Kept) -> Kept:
        return Kept(
            _added(self.asked, other.asked),
            _added(self.known, other.known),
            tuple(dict.fromkeys((*self.said, *other.said))),
        )


def _added(one: Mapping[Role, int], other: Mapping[Role, int]) -> dict[Role, int]:
    return {role: one.get(role, 0) + other.get(role, 0) for role in {**one, **other}}


@dataclass(frozen=True)
class SharedCache:
    """A cache directory for all workers, and which models their outputs are kept as."""

    cache: Cache
    identities: Mapping[Role, Identity]


def shared_cache(prepared: Prepared, models: Mapping[Role, ModelSpec], cache: Cache | None) -> SharedCache | None:
    """Return what workers need of the cache; None if it is switched off."""
    if cache is None:
        return None
    return SharedCache(cache, {role: _identity(prepared, spec) for role, spec in models.items()})


def _identity(prepared: Prepared, spec: ModelSpec) -> Identity:
    tools = Tools(prepared, in_parts=True)
    return identity_in(prepared, spec, lambda: open_source(spec, tools, prepared.extensions.model))


def say_kept(prepared: Prepared, models: Mapping[Role, ModelSpec], shared: SharedCache, kept: Kept) -> None:
    """Say once, of all parts, what was known and what workers have to say, and whether a model changed meanwhile."""
    from pytest_behave.predict.cache import resumed

    name = prepared.suite.name
    for text in sorted(kept.said):
        shared.cache.say(text)
    for role, spec in models.items():
        known, asked = kept.known.get(role, 0), kept.asked.get(role, 0)
        if 0 < known < asked:
            shared.cache.say(f"{name}: {resumed(known, asked)}")
        if known < asked and spec.function is None and _identity(prepared, spec) != shared.identities[role]:
            shared.cache.say_changed(spec, name)


class PredictorInParts(Predictor):
    """A model that is asked part by part. Where it is not the one that the run means, its outputs are not kept."""

    def __init__(self, prepared: Prepared, model: ModelSpec, role: Role, shared: SharedCache | None) -> None:
        from pytest_behave.predict.cache import Tally

        self._role: Role = role
        self._shared = shared
        self._tally = Tally()
        super().__init__(prepared, model, cache=None if shared is None else shared.cache, in_parts=True)

    def _kept_by(self, cache: Cache) -> ModelCache | None:
        if self._shared is None:
            return None
        identity = self._shared.identities[self._role]
        if not identity.key:
            self._source  # noqa: B018 - a model that cannot be opened says so, and nothing else
        is_in_files = self._spec.function is None and self._spec.kind != "plugin"
        if identity.key and is_in_files and identity != self.identity():
            cache.say(
                f"{self._suite}: model {self.name!r} is not cached: workers see other code, files or versions than the "
                "process that runs pytest"
            )
            return None
        return cache.of_model(identity, self._spec, self._suite, self._tally)

    def _check(self) -> None:
        """Leave it to the end of the run."""

    def take(self) -> Kept:
        """Return what was asked since this was called last."""
        tally, role = self._tally, self._role
        kept = Kept({role: tally.asked}, {role: tally.known}, () if self._shared is None else self._shared.cache.heard)
        tally.add(-tally.asked, -tally.known)
        return kept
