"""Parts measured by the workers of a Dask cluster, and their states added up there: this process sees the sum alone."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import reduce
from operator import add
from typing import Any

from pytest_behave.errors import EngineError, MissingExtraError

AT_ONCE = 8  # states that one task of the tree adds up
PATIENCE_IN_SECONDS = 10


class Dask:
    """Measures on the cluster of a scheduler, or else on one process per core of this machine."""

    def __init__(self, address: str | None = None) -> None:
        self.address = address
        self._client: Any = None
        self._cluster: Any = None

    def start(self) -> None:
        """Connect, or start the processes; raises EngineError if there is no scheduler at the address."""
        try:
            import distributed
        except ImportError:
            raise MissingExtraError("--behave-engine=dask", "dask", "dask") from None
        if self.address is None:
            try:
                self._cluster = distributed.LocalCluster(
                    threads_per_worker=1,
                    processes=True,
                    dashboard_address="127.0.0.1:0",  # None would still be port 8787, which others may hold
                    scheduler_kwargs={"dashboard": False},
                    silence_logs=logging.CRITICAL,
                )
            except RuntimeError as error:
                raise EngineError(
                    f"--behave-engine=dask: no worker can be started here ({error}); a script of your own needs "
                    "`if __name__ == '__main__':` around what it runs"
                ) from None
        try:
            self._client = distributed.Client(self._cluster or self.address, timeout=PATIENCE_IN_SECONDS)
        except OSError:
            raise EngineError(
                f"--behave-engine=dask:{self.address}: the scheduler cannot be reached within {PATIENCE_IN_SECONDS} s"
            ) from None
        except (ValueError, MemoryError) as error:  # the latter: what another kind of server says, read as a length
            raise EngineError(f"--behave-engine=dask:{self.address}: there is no scheduler ({error})") from None

    def total(self, measure: Callable[[Any], Any], parts: Sequence[Any], done: Callable[[Any], object]) -> Any:
        """Return the sum of ``measure(part)`` over all parts, added up as a tree."""
        import distributed

        client = self._client
        states = client.map(measure, parts, pure=False)
        part_of = dict(zip((state.key for state in states), parts, strict=True))
        taken = list(states)
        level = states
        while len(level) > 1:
            groups = [level[first : first + AT_ONCE] for first in range(0, len(level), AT_ONCE)]
            level = [client.submit(_sum, group, pure=False) if len(group) > 1 else group[0] for group in groups]
            taken += level
        (root,) = level
        try:
            for state in distributed.as_completed(states, raise_errors=False):
                if state.status == "error":
                    break
                done(part_of[state.key])
                if state is not root:
                    state.release()  # once it is added up, its worker may forget it
            return root.result()
        except distributed.KilledWorker as error:
            address = getattr(error.last_worker, "address", None)
            last = f" (last: {address})" if address else ""
            raise EngineError(
                "--behave-engine=dask: workers died again and again over the same part, for want of memory maybe: give "
                f"them more, or write the data in smaller row groups{last}"
            ) from None
        finally:
            for future in taken:
                future.release()  # of what is not done, nobody wants the result any more

    def stop(self) -> None:
        """Disconnect, and end the processes that were started."""
        for taken in (self._client, self._cluster):
            if taken is not None:
                taken.close()


def _sum(states: list[Any]) -> Any:
    return reduce(add, states)
