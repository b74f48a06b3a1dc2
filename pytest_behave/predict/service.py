"""Models behind an address: batches asked for over HTTP, several at a time."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from pytest_behave.errors import ModelError
from pytest_behave.predict.inputs import json_bytes
from pytest_behave.predict.normalize import Batch, predictions_of
from pytest_behave.predict.parallel import in_parallel
from pytest_behave.predict.protocols import AnswerError, wire_of
from pytest_behave.predict.secrets import public, scrubbed
from pytest_behave.predict.transport import Transport, shown
from pytest_behave.records import ModelSpec, ServiceSpec


class Service:
    """A model on a server. ``withheld`` are columns that it gets only if the suite names them."""

    def __init__(self, spec: ModelSpec, service: ServiceSpec, withheld: frozenset[str]) -> None:
        self.spec = spec
        self.service = service
        self._withheld = withheld
        self.fingerprint = service_fingerprint(spec, service)
        self.inputs = service.columns or spec.features

    def batches(self, frame: pd.DataFrame, ids: Sequence[str], repeat: int = 0) -> Iterator[Batch]:
        """Yield batches as their answers come; after the first failure nothing more is asked."""
        wire, size = wire_of(self.spec, _seeded(self.service, repeat), self._withheld), self.spec.batch_size
        inputs = wire.inputs(frame)
        starts = range(0, len(frame), size)
        stop = threading.Event()
        transport = Transport(self.spec, self.service, wire.url, stop)

        def ask(number: int) -> Batch:
            rows = range(starts[number], min(starts[number] + size, len(frame)))
            batch_ids = [ids[row] for row in rows]
            where = f"model {self.spec.name!r}, batch {number + 1:,} of {len(starts):,}"
            found = f"{where}, starting with instance {batch_ids[0]!r},"
            part = {name: values[rows[0] : rows[-1] + 1] for name, values in inputs.items()}
            answer = transport.post(json_bytes(wire.request(part, len(rows)), found), found)
            try:
                outputs = wire.outputs(answer, len(rows))
            except AnswerError as error:
                sentence = f"{found} at {shown(wire.url)} answered {error}"
                raise ModelError(scrubbed(sentence, self.service.headers)) from None
            return Batch(np.array(rows), predictions_of(outputs, batch_ids, f"{where},"))

        try:
            yield from in_parallel(range(len(starts)), ask, self.service.concurrency, stop, transport.check_overdue)
        finally:
            transport.close()


def _seeded(service: ServiceSpec, repeat: int) -> ServiceSpec:
    """Return the service asked with a seed of its own in each repeat, if the suite gives one."""
    seed = service.parameters.get("seed")
    return service if seed is None else replace(service, parameters={**service.parameters, "seed": seed + repeat})


def service_fingerprint(spec: ModelSpec, service: ServiceSpec) -> str:
    """Return the fingerprint of all that decides what is asked and how answers are read; no secret is part of it."""
    parts = (
        *(spec.kind, spec.location, spec.threshold, spec.features, spec.fingerprint),
        *(service.protocol, service.model, service.request, sorted(service.response.items())),
        *(sorted(service.parameters.items()), sorted(service.datatypes.items()), public(service.headers)),
    )
    return "sha256:" + hashlib.sha256(repr(parts).encode()).hexdigest()
