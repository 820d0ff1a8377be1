"""One run: load, kills, quiet, count."""

import multiprocessing
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

from serving.settings import ServingSettings
from serving.store.session import Store
from tests.crash.counting import Count, count, wait_until_done
from tests.crash.deployment import Deployment
from tests.crash.effects import Receiver, receiving
from tests.crash.load import Tally, send_load


@dataclass(frozen=True)
class Plan:
    """How hard to hit."""

    kills: int
    """Go on until there were so many."""
    most_seconds: float
    """However few there were by then, it is over."""
    workers: int = 2
    database_every: int = 10
    """One kill in so many is of the database, all its processes at once."""
    pause: float = 0.4
    """Seconds under load before a kill of ours, and before what was killed is started again."""
    patience: float = 15.0
    """Seconds to wait for a replica that answers before the next kill: what never worked breaks nothing."""
    threads: int = 4
    """Senders side by side."""
    load_pause: float = 0.05
    """Seconds each sender waits between two batches."""
    drain_seconds: float = 120.0
    """How long what is due may take to be done, once nobody kills any more."""
    seed: int = 1


@dataclass
class Report:
    """What was done and what was found."""

    kills: Counter[str]
    found: Count
    tally: Tally
    seconds: float
    drained: float


@contextmanager
def _folder() -> Iterator[Path]:
    # Short, for the socket of the database; and open to the user it runs as.
    folder = Path(mkdtemp(prefix="baton-crash-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        rmtree(folder, ignore_errors=True)


@contextmanager
def _loading(deployment: Deployment, plan: Plan) -> Iterator[list[Tally]]:
    """Send load from another process; what it has to say is there once the block has ended."""
    context = multiprocessing.get_context("spawn")
    over, (mine, theirs) = context.Event(), context.Pipe(duplex=False)
    key = (deployment.folder / "local.key").read_text(encoding="ascii")
    sender = context.Process(
        target=send_load,
        args=(deployment.ports, key, plan.threads, plan.load_pause, over, theirs),
        daemon=True,
    )
    sender.start()
    tallies: list[Tally] = []
    try:
        yield tallies
        over.set()
        end = time.monotonic() + plan.drain_seconds
        while not mine.poll(0.1):
            deployment.raise_the_dead(arm=False)
            if time.monotonic() > end:
                raise TimeoutError("the load got no answers")
        tallies.append(mine.recv())
    finally:
        over.set()
        sender.join(5)
        sender.kill()


def run_crashes(plan: Plan) -> Report:
    """Kill under load, let the house finish, and count."""
    with _folder() as folder, receiving() as receiver:
        deployment = Deployment(folder, receiver.address, seed=plan.seed, workers=plan.workers)
        try:
            deployment.open()
            start = time.monotonic()
            with _loading(deployment, plan) as tallies:
                _attack(deployment, plan, start)
                deployment.disarm()
            seconds = time.monotonic() - start
            return _finish(deployment, plan, receiver, tallies[0], seconds)
        finally:
            deployment.close()


def _attack(deployment: Deployment, plan: Plan, start: float) -> None:
    turn = 0
    time.sleep(0.5)
    while deployment.crashes.total < plan.kills and time.monotonic() - start < plan.most_seconds:
        turn += 1
        deployment.wait_for_answers(plan.patience)
        time.sleep(plan.pause)
        if turn % plan.database_every == 0:
            deployment.kill_database()
        elif turn % 2:
            deployment.kill_at_random()
        time.sleep(plan.pause)
        deployment.raise_the_dead(arm=True)


def _finish(
    deployment: Deployment, plan: Plan, receiver: Receiver, tally: Tally, seconds: float
) -> Report:
    begun = time.monotonic()
    store = Store(ServingSettings(**deployment.settings))
    store.open()
    try:
        undone = wait_until_done(store, plan.drain_seconds)
    finally:
        store.close()
    drained = time.monotonic() - begun
    found = count(deployment.settings, tally, receiver, undone)
    return Report(deployment.crashes.by_where, found, tally, seconds, drained)


def run_control(plan: Plan) -> Report:
    """The same load on a database that confirms what it has not written: it must lose."""
    with _folder() as folder, receiving() as receiver:
        deployment = Deployment(folder, receiver.address, seed=plan.seed, forgetful=True)
        try:
            deployment.open()
            start = time.monotonic()
            with _loading(deployment, plan) as tallies:
                for _ in range(plan.kills):
                    time.sleep(plan.pause)
                    deployment.kill_database()
                    deployment.raise_the_dead(arm=False)
            return _finish(deployment, plan, receiver, tallies[0], time.monotonic() - start)
        finally:
            deployment.close()
