"""Run every attack, print what it did to the server, and exit with 1 if it did too much."""

import time
from dataclasses import dataclass, field

import typer
from rich.console import Console
from rich.table import Table

from tests.attack.attacks import ATTACKS, Attack
from tests.attack.hostile_bodies import send_hostile_bodies
from tests.attack.victim import Bystander, Victim, run_victim

MOST_CPU_SECONDS = 2.0
"""CPU that one request may take."""

MOST_GROWTH = 500 * 1024 * 1024
"""Bytes by which the server may grow under an attack."""

MOST_WAIT_SECONDS = 1.0
"""What 99 of 100 requests of others may take meanwhile."""

MOST_SECONDS = 300.0
"""An attack is broken off after this time, and has then succeeded."""

console = Console(width=120)


@dataclass
class Outcome:
    """What an attack did."""

    requests: int = 0
    faults: int = 0
    cpu_seconds: float = 0.0
    """Most for one request."""
    growth: int = 0
    p99: float = 0.0
    seconds: float = 0.0
    others: list[str] = field(default_factory=list)
    """What others were refused."""

    @property
    def succeeded(self) -> bool:
        """Whether the attacker got what an attacker wants."""
        return (
            self.faults > 0
            or self.cpu_seconds > MOST_CPU_SECONDS
            or self.growth > MOST_GROWTH
            or self.p99 > MOST_WAIT_SECONDS
            or self.seconds > MOST_SECONDS
            or bool(self.others)
        )


def measure(victim: Victim, attack: Attack) -> Outcome:
    """Let an attack happen."""
    outcome, began = Outcome(), time.monotonic()
    held = victim.find_bytes()
    with Bystander(victim) as bystander:
        before = victim.find_cpu_seconds()
        for status in attack(victim):
            now = victim.find_cpu_seconds()
            outcome.requests += 1
            # 503 with Retry-After is an answer; a fault, or a connection still open, is none.
            outcome.faults += status >= 500 and status != 503
            outcome.cpu_seconds = max(outcome.cpu_seconds, now - before)
            outcome.growth = max(outcome.growth, victim.find_bytes() - held)
            outcome.seconds = time.monotonic() - began
            before = now
            if outcome.seconds > MOST_SECONDS:
                break
    outcome.p99, outcome.others = bystander.p99, bystander.failures
    return outcome


def main(only: str = typer.Option("", help="Only attacks whose name has this in it.")) -> None:
    """Attack a server of one's own on the loopback."""
    attacks = {**ATTACKS, "hostile bodies": send_hostile_bodies}
    table = Table("attack", "requests", "faults", "CPU s, worst", "grew MB", "others p99 s", "s")
    outcomes = []
    with run_victim() as victim:
        for name, attack in attacks.items():
            if only not in name:
                continue
            outcome = measure(victim, attack)
            outcomes.append(outcome)
            table.add_row(
                f"{name}{' !' if outcome.succeeded else ''}",
                f"{outcome.requests:,}",
                f"{outcome.faults:,}",
                f"{outcome.cpu_seconds:.2f}",
                f"{outcome.growth / 2**20:.0f}",
                f"{outcome.p99:.2f}",
                f"{outcome.seconds:.0f}",
            )
            for refused in outcome.others[:3]:
                console.print(f"{name}: another was refused: {refused}")
    console.print(table)
    if not outcomes or any(outcome.succeeded for outcome in outcomes):
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
