"""The server under attack: a process of its own, measured from outside, and somebody who uses it meanwhile."""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import psutil

from tests.unit.serving.factories import write_small_bundle

STARTING_SECONDS = 300.0
SETTINGS = {
    "BATON_WORKER": "false",
    "BATON_LOG_LEVEL": "error",
    "BATON_ALLOW_UNSAFE_DURABILITY": "false",
}


class Victim:
    """A server, its address and its keys."""

    def __init__(self, process: psutil.Process, port: int, folder: Path) -> None:
        self.process = process
        self.port = port
        self.folder = folder
        self.address = f"http://127.0.0.1:{port}"
        self.key = (folder / "var" / "local.key").read_text(encoding="ascii")

    def connect(self, key: str | None = None, **settings: object) -> httpx.Client:
        """Give a client with a key: that of the machine, if no other is named."""
        headers = {"Authorization": f"Bearer {key or self.key}"}
        return httpx.Client(base_url=self.address, headers=headers, timeout=60.0, **settings)  # type: ignore[arg-type]

    def find_cpu_seconds(self) -> float:
        """Measure the CPU seconds it has used."""
        times = self.process.cpu_times()
        return times.user + times.system

    def find_bytes(self) -> int:
        """Measure the memory it holds."""
        return int(self.process.memory_info().rss)

    def run(self, *words: str) -> str:
        """Run a command of Baton's beside it."""
        done = subprocess.run(
            [str(Path(sys.executable).with_name("baton")), *words],
            cwd=self.folder, env=_build_environment(self.port), capture_output=True, text=True, check=True,
        )  # fmt: skip
        return done.stdout.split()[0]


def _build_environment(port: int) -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("BATON_")}
    return {**own, **SETTINGS, "BATON_PORT": str(port), "OMP_NUM_THREADS": "1"}


def _find_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@contextmanager
def run_victim() -> Iterator[Victim]:
    """Start a server in a folder of its own, and stop it at the end."""
    with TemporaryDirectory(prefix="baton-attack-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        write_small_bundle(folder / "var" / "champion")
        port = _find_port()
        started = subprocess.Popen(
            [str(Path(sys.executable).with_name("baton")), "serve"],
            cwd=folder, env=_build_environment(port), stdout=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            _wait_for(port, started)
            yield Victim(psutil.Process(started.pid), port, folder)
        finally:
            started.terminate()
            started.wait(30)


def _wait_for(port: int, started: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + STARTING_SECONDS
    while time.monotonic() < end and started.poll() is None:
        try:
            if httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.2)
    raise TimeoutError("the server did not come up")


class Bystander:
    """Sends one new lead after the other while others attack, and notes how long each takes."""

    def __init__(self, victim: Victim, pause_seconds: float = 0.2) -> None:
        self.waits: list[float] = []
        self.failures: list[str] = []
        self._victim = victim
        self._pause = pause_seconds
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._go_on, daemon=True)

    def __enter__(self) -> "Bystander":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join(60)

    def _go_on(self) -> None:
        number = 0
        with self._victim.connect() as client:
            while not self._is_over.wait(self._pause):
                number += 1
                began = time.monotonic()
                try:
                    body = {"lead_id": f"bystander-{id(self)}-{number}"}
                    answer = client.post("/v1/leads", json=body)
                    if answer.status_code != 200:
                        self.failures.append(f"{answer.status_code} {answer.text[:200]}")
                except httpx.TransportError as error:
                    self.failures.append(type(error).__name__)
                self.waits.append(time.monotonic() - began)

    @property
    def p99(self) -> float:
        """Seconds that 99 of 100 waited at most."""
        waits = sorted(self.waits)
        return waits[min(len(waits) - 1, int(0.99 * len(waits)))] if waits else 0.0
