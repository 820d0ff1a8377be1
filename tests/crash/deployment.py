"""The house under attack: its processes, started from one warm parent so that a new one is there at once."""

import multiprocessing
import os
import random
import signal
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import httpx
import psutil

from serving.server import open_socket
from serving.store.embedded import EmbeddedPostgres
from tests.crash import points, victims
from tests.unit.serving.factories import write_small_bundle

FORGETFUL = {
    "synchronous_commit": "off",
    # The database writes behind by itself, a few times a second; a crash shows nothing unless it waits.
    "wal_writer_delay": "'10s'",
    "wal_writer_flush_after": "'1GB'",
    "wal_buffers": "'64MB'",
}
"""The control run: a database that confirms what it has not written."""

POINTS = {
    "api": [p for p in points.POINTS if p.startswith("intake")],
    "worker": [p for p in points.POINTS if not p.startswith("intake")],
}
MOST_PASSES = 4
STARTING_SECONDS = 60.0


@dataclass
class Victim:
    """One process and where it is to end, if anywhere."""

    kind: str
    port: int
    process: BaseProcess | None = None
    at: str | None = None
    started: float = 0.0


@dataclass
class Crashes:
    """What was killed, and how often."""

    by_where: Counter[str] = field(default_factory=Counter)

    @property
    def total(self) -> int:
        """How many kills there were."""
        return sum(self.by_where.values())


def find_port() -> int:
    """Find a free port."""
    with open_socket("127.0.0.1", 0) as listener:
        return int(listener.getsockname()[1])


class Deployment:
    """API replicas, workers and their database, in a folder of their own."""

    def __init__(
        self,
        folder: Path,
        receiver: str,
        *,
        seed: int,
        replicas: int = 2,
        workers: int = 1,
        forgetful: bool = False,
    ) -> None:
        self.folder = folder
        self.receiver = receiver
        self.rng = random.Random(seed)  # noqa: S311 - which process next, no secret
        self.forgetful = forgetful
        self.postgres = EmbeddedPostgres(folder / "postgres", FORGETFUL if forgetful else None)
        self.context = multiprocessing.get_context("forkserver")
        self.context.set_forkserver_preload([victims.__name__, "features.compute.warm"])
        self.victims = [Victim("api", find_port()) for _ in range(replicas)]
        self.victims += [Victim("worker", 0) for _ in range(workers)]
        self.crashes = Crashes()
        self._next_point = {kind: self.rng.randrange(len(found)) for kind, found in POINTS.items()}
        self.url = ""

    @property
    def ports(self) -> list[int]:
        """Where the replicas listen."""
        return [one.port for one in self.victims if one.kind == "api"]

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of every process, and of those who count."""
        return {
            "database_url": self.url if self.forgetful else None,
            "postgres": self.folder / "postgres",
            "allow_unsafe_durability": self.forgetful,
            "champion": self.folder / "champion",
            "served": self.folder / "served",
            "scored": self.folder / "scored",
            "drift": self.folder / "drift",
            "local_key": self.folder / "local.key",
            "worker": False,
            "worker_check_seconds": 0.1,
            "worker_batch": 50,
            "database_connections": 8,
        }

    def open(self) -> None:
        """Start the database, then everything else, and wait until a replica answers."""
        write_small_bundle(self.folder / "champion")
        self.url = self.postgres.start()
        for victim in self.victims:
            self._start(victim, None)
        self.wait_for_answers(STARTING_SECONDS)

    def wait_for_answers(self, seconds: float) -> None:
        """Wait until a replica has a model and its database; not for ever."""
        end = time.monotonic() + seconds
        while not self._answers() and time.monotonic() < end:
            time.sleep(0.05)

    def _answers(self) -> bool:
        for port in self.ports:
            with suppress(httpx.TransportError):
                if httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == 200:
                    return True
        return False

    def _start(self, victim: Victim, at: str | None) -> None:
        settings = {**self.settings, "port": victim.port}
        action, arguments = victims.serve, (settings, at)
        if victim.kind == "worker":
            action, arguments = victims.work, (settings, at, self.receiver)
        victim.process = self.context.Process(target=action, args=arguments, daemon=True)
        victim.process.start()
        victim.at, victim.started = at, time.monotonic()

    def _choose_point(self, kind: str) -> str:
        names = POINTS[kind]
        self._next_point[kind] = (self._next_point[kind] + 1) % len(names)
        return f"{names[self._next_point[kind]]}:{self.rng.randint(1, MOST_PASSES)}"

    def raise_the_dead(self, *, arm: bool) -> None:
        """Start again what has ended, and note where those ended that were to end by themselves."""
        for victim in self.victims:
            process = victim.process
            if process is None or process.is_alive():
                continue
            if process.exitcode == -signal.SIGKILL and victim.at is not None:
                self.crashes.by_where[victim.at.partition(":")[0]] += 1
            elif process.exitcode != -signal.SIGKILL:
                self.crashes.by_where[f"{victim.kind} gave up by itself"] += 1
            armed = arm and self.rng.random() < 0.7
            self._start(victim, self._choose_point(victim.kind) if armed else None)

    def kill_at_random(self, *, patience: float = 4.0) -> None:
        """Kill an API replica or a worker; those that are to end by themselves are given a while."""
        now = time.monotonic()
        ripe = [v for v in self.victims if v.at is None or now - v.started > patience]
        if not ripe:
            return
        victim = self.rng.choice(ripe)
        if victim.process is not None and victim.process.is_alive():
            victim.at = None
            victim.process.kill()
            victim.process.join()
            self.crashes.by_where[f"{victim.kind} at random"] += 1

    def kill_database(self) -> None:
        """Kill every process of the database at once, and, as init would, start it again."""
        pid = self.postgres.find_pid()
        if pid is None:
            return
        with suppress(psutil.NoSuchProcess):
            parent = psutil.Process(pid)
            every = [parent, *parent.children(recursive=True)]
            for one in every:  # none may write what another was killed for
                with suppress(ProcessLookupError):
                    os.kill(one.pid, signal.SIGSTOP)
            for one in every:
                with suppress(ProcessLookupError):
                    os.kill(one.pid, signal.SIGKILL)
            psutil.wait_procs(every, timeout=10)
            self.crashes.by_where["database, all its processes"] += 1
        self.postgres.start()

    def disarm(self) -> None:
        """Replace processes that would still end by themselves: what is left is to be finished."""
        for victim in self.victims:
            if victim.at is not None and victim.process is not None:
                victim.process.kill()
                victim.process.join()
                victim.at = None
                self._start(victim, None)

    def close(self) -> None:
        """End everything."""
        for victim in self.victims:
            if victim.process is not None:
                victim.process.kill()
                victim.process.join()
        self.postgres.stop()
