"""Workers on a Ray cluster that answer together as one model does, for `infer --ray`."""

import logging
import os
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from itertools import cycle
from typing import Any

from inhibi.engine import tables
from inhibi.engine.errors import InputError, MissingExtra, say
from inhibi.engine.model import Prediction
from inhibi.engine.ray import Classifier
from inhibi.engine.text import Text

LOCAL = "local"
PARTS = 8  # of each worker's share of the texts, so that long ones even out
RESTARTS = 10  # of one worker; a text that kills every process must not do so for ever
REACH = 10.0  # seconds in which a cluster's machine must accept a connection
PATIENCE = 30.0  # seconds before a person is told that the workers have not started


class Pool:
    """What a `Model` answers, from workers that each have one. A worker that dies is started again
    and its texts are answered again, by no other, so that every text has one answer."""

    def __init__(
        self,
        model: tables.Classifier,
        columns: Sequence[str],
        name: str | None,
        workers: int,
        threads: int,
        worker: type[Classifier] = Classifier,
    ) -> None:
        """model: this process's own, for what it says of itself; it answers nothing. name: with
        which the workers `load` theirs. InputError where they cannot."""
        import ray

        tables.check_fields(model, columns)
        self.fields, self.labels = model.fields, model.labels
        actor: Any = ray.remote(
            num_cpus=threads, max_restarts=RESTARTS, max_task_retries=-1, max_concurrency=1
        )(worker)
        first, second = (*columns, None)[:2]
        self._workers = [actor.remote(first, second, name, threads) for _ in range(workers)]
        started = [one.classify.remote([], None, 1) for one in self._workers]
        if ray.wait(started, num_returns=workers, timeout=PATIENCE)[1]:
            say(f"note: still waiting until Ray has free CPUs and starts {workers} workers")
        _get(started)

    def rows(self, batch: int) -> int:
        """How many texts to give at once, so that the workers take them in parts of `batch`."""
        return batch * PARTS * len(self._workers)

    def classify(
        self, texts: Sequence[Text], max_length: int | None, batch: int
    ) -> list[Prediction]:
        """As `Model.classify`; batch: the texts that all the workers take together."""
        size = max(1, batch // (PARTS * len(self._workers)))
        parts = [texts[start : start + size] for start in range(0, len(texts), size)]
        calls = [
            worker.classify.remote(part, max_length, size)
            for part, worker in zip(parts, cycle(self._workers), strict=False)
        ]
        return [answer for made in _get(calls) for answer in made]


@contextmanager
def cluster(address: str, workers: int | None, threads: int) -> Iterator[int]:
    """Be connected to a Ray cluster, for LOCAL one of this machine that ends with the block.

    Gives the number of workers with `threads` CPUs each: those that were asked for, or as many as
    the cluster has room for. InputError: no Ray, no such cluster, no room for them.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ModuleNotFoundError as error:
        raise MissingExtra("ray", error.name or "ray") from error
    settings: dict[str, Any] = {}
    if address == LOCAL:
        most = workers or max(1, (os.cpu_count() or 1) // threads)
        settings = {"num_cpus": threads * most, "include_dashboard": False}
    else:
        _check_reachable(address)
    with redirect_stdout(sys.stderr):  # Ray reports there which workers it starts again
        try:
            ray.init(address, log_to_driver=False, logging_level=logging.ERROR, **settings)
        except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
            raise InputError(f"no Ray cluster at {address}: {error}") from error
        try:
            yield _fitting(workers, threads, ray.nodes())
        finally:
            ray.shutdown()


def _fitting(workers: int | None, threads: int, nodes: Sequence[Any]) -> int:
    alive = [node["Resources"] for node in nodes if node["Alive"]]
    room = sum(int(resources.get("CPU", 0)) // threads for resources in alive)
    if room < (workers or 1):
        raise InputError(
            f"the Ray cluster has room for {room} workers with {threads} threads each: "
            "see --workers and --threads"
        )
    return workers or room


def _check_reachable(address: str) -> None:
    """Ray itself would try for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not port.isdecimal():
        return  # "auto", which Ray looks up
    try:
        socket.create_connection((host, int(port)), REACH).close()
    except (OSError, OverflowError) as error:
        raise InputError(f"no Ray cluster at {address}: {error}") from error


def _get(calls: Sequence[Any]) -> list[list[Prediction]]:
    """Their results, in their order. A worker's InputError is raised as its own."""
    import ray

    try:
        made: list[list[Prediction]] = ray.get(list(calls))
    except ray.exceptions.RayError as error:
        cause = getattr(error, "cause", None)
        if isinstance(cause, InputError):
            raise InputError(str(cause)) from error
        said = str(cause or error).strip() or type(cause or error).__name__
        raise InputError(f"Ray: {said.splitlines()[-1]}") from error
    return made
