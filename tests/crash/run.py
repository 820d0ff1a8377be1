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
from tests.crash.effects import Receiver, receiving
from tests.crash.house import House
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
def _loading(house: House, plan: Plan) -> Iterator[list[Tally]]:
    """Send load from another process; what it has to say is there once the block has ended."""
    context = multiprocessing.get_context("spawn")
    over, (mine, theirs) = context.Event(), context.Pipe(duplex=False)
    key = (house.folder / "local.key").read_text(encoding="ascii")
    sender = context.Process(
        target=send_load,
        args=(house.ports, key, plan.threads, plan.load_pause, over, theirs),
        daemon=True,
    )
    sender.start()
    said: list[Tally] = []
    try:
        yield said
        over.set()
        end = time.monotonic() + plan.drain_seconds
        while not mine.poll(0.1):
            house.raise_the_dead(arm=False)
            if time.monotonic() > end:
                raise TimeoutError("the load got no answers")
        said.append(mine.recv())
    finally:
        over.set()
        sender.join(5)
        sender.kill()


def run_crashes(plan: Plan) -> Report:
    """Kill under load, let the house finish, and count."""
    with _folder() as folder, receiving() as receiver:
        house = House(folder, receiver.address, seed=plan.seed, workers=plan.workers)
        try:
            house.open()
            start = time.monotonic()
            with _loading(house, plan) as said:
                _attack(house, plan, start)
                house.disarm()
            seconds = time.monotonic() - start
            return _finish(house, plan, receiver, said[0], seconds)
        finally:
            house.close()


def _attack(house: House, plan: Plan, start: float) -> None:
    turn = 0
    time.sleep(0.5)
    while house.crashes.total < plan.kills and time.monotonic() - start < plan.most_seconds:
        turn += 1
        house.wait_for_answers(plan.patience)
        time.sleep(plan.pause)
        if turn % plan.database_every == 0:
            house.kill_database()
        elif turn % 2:
            house.kill_at_random()
        time.sleep(plan.pause)
        house.raise_the_dead(arm=True)


def _finish(house: House, plan: Plan, receiver: Receiver, tally: Tally, seconds: float) -> Report:
    begun = time.monotonic()
    store = Store(ServingSettings(**house.settings))
    store.open()
    try:
        undone = wait_until_done(store, plan.drain_seconds)
    finally:
        store.close()
    drained = time.monotonic() - begun
    found = count(house.settings, tally, receiver, undone)
    return Report(house.crashes.by_where, found, tally, seconds, drained)


def run_control(plan: Plan) -> Report:
    """The same load on a database that confirms what it has not written: it must lose."""
    with _folder() as folder, receiving() as receiver:
        house = House(folder, receiver.address, seed=plan.seed, forgetful=True)
        try:
            house.open()
            start = time.monotonic()
            with _loading(house, plan) as said:
                for _ in range(plan.kills):
                    time.sleep(plan.pause)
                    house.kill_database()
                    house.raise_the_dead(arm=False)
            return _finish(house, plan, receiver, said[0], time.monotonic() - start)
        finally:
            house.close()
