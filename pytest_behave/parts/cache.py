"""The prediction cache of a dataset in parts: workers use it by the identity that the run's own process found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pytest_behave.evidence.predictor import Answers, Asked, Keep

if TYPE_CHECKING:
    from pytest_behave.predict.cache import Cache, ModelCache
    from pytest_behave.predict.identity import Identity
    from pytest_behave.predict.sources import Source

Role = Literal["candidate", "baseline"]


@dataclass(frozen=True)
class Known:
    """How many answers of each model parts asked for, how many of these the cache knew, and what is to be said of it."""

    asked: Mapping[Role, int] = field(default_factory=dict)
    known: Mapping[Role, int] = field(default_factory=dict)
    said: tuple[str, ...] = ()

    @classmethod
    def of(cls, role: Role, answers: Answers) -> Known:
        """Return the counts of some answers of one model."""
        return cls({role: answers.asked}, {role: answers.known})

    def __add__(self, other: Known) -> Known:
        return Known(
            _added(self.asked, other.asked),
            _added(self.known, other.known),
            tuple(dict.fromkeys((*self.said, *other.said))),
        )


def _added(one: Mapping[Role, int], other: Mapping[Role, int]) -> dict[Role, int]:
    return {role: one.get(role, 0) + other.get(role, 0) for role in {**one, **other}}


@dataclass(frozen=True)
class SharedCache:
    """A cache directory that all workers see, and which models their outputs are kept as."""

    folder: Path
    identities: Mapping[Role, Identity]

    def opened(self) -> tuple[Cache, dict[str, None]]:
        """Return the directory as a worker uses it, and where it notes what is to be said in the process of the run."""
        from pytest_behave.predict.cache import Cache
        from pytest_behave.predict.waiting import Audience

        heard: dict[str, None] = {}
        return Cache(self.folder, Audience(say=heard.setdefault), of_a_worker=True), heard


def shared_cache(models: Mapping[Role, Asked], cache: Cache | None) -> SharedCache | None:
    """Return what workers need of the cache; None if it is switched off."""
    if cache is None:
        return None
    return SharedCache(cache.folder, {role: asked.identity(asked.open) for role, asked in models.items()})


def keep_for_all(cache: Cache, identity: Identity) -> Keep:
    """Return what keeps a worker's outputs under the identity that the run found, if the worker sees the same model."""

    def keep(asked: Asked, source: Callable[[], Source]) -> ModelCache | None:
        if not identity.key:
            source()  # a model that cannot be opened says so, and nothing else
        is_in_files = asked.spec.function is None and asked.spec.kind != "plugin"
        if identity.key and is_in_files and identity != asked.identity(source):
            cache.say(
                f"{asked.suite.name}: model {asked.spec.name!r} is not cached: workers see other code, files or versions "
                "than the process that runs pytest"
            )
            return None
        return cache.of_model(identity, asked.spec, asked.suite.name)

    return keep


def say_known(models: Mapping[Role, Asked], shared: SharedCache, cache: Cache, found: Known) -> None:
    """Say once, of all parts, what was known and what workers have to say, and whether a model changed meanwhile."""
    from pytest_behave.predict.cache import resumed

    for text in sorted(found.said):
        cache.say(text)
    for role, model in models.items():
        known, asked = found.known.get(role, 0), found.asked.get(role, 0)
        if 0 < known < asked:
            cache.say(f"{model.suite.name}: {resumed(known, asked)}")
        if known < asked and model.spec.function is None and model.identity(model.open) != shared.identities[role]:
            cache.say_changed(model.spec, model.suite.name)
