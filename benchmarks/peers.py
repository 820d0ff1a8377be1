"""What a user might serve the bundle with instead: MLflow's own server, and BentoML."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import venv
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

from benchmarks.over_http import find_port

ROOT = Path(__file__).parents[1]
STARTING_SECONDS = 120.0
BENTO = Path("var/bench/bentoml")
"""An environment of its own: BentoML is no dependency of this project."""


@dataclass(frozen=True)
class Peer:
    """A server that answers."""

    name: str
    address: str
    path: str
    body: str


@contextmanager
def _running(command: list[str], port: int, path: str, **settings: str) -> Iterator[str | None]:
    """Run a server; give its address once it answers, None if it does not."""
    Path("var/bench").mkdir(parents=True, exist_ok=True)
    with Path("var/bench/peer.log").open("wb") as log_file:
        server = subprocess.Popen(
            command,
            stdout=log_file,
            stderr=log_file,
            env={**os.environ, **settings},
            start_new_session=True,
        )
        try:
            yield _wait(server, f"http://127.0.0.1:{port}", path)
        finally:
            with suppress(ProcessLookupError):  # its session is its own, its children are in it
                os.killpg(server.pid, signal.SIGTERM)
            server.wait(timeout=30)


def _wait(server: "subprocess.Popen[bytes]", address: str, path: str) -> str | None:
    end = time.perf_counter() + STARTING_SECONDS
    while time.perf_counter() < end and server.poll() is None:
        try:
            if httpx.get(f"{address}{path}").status_code == 200:
                return address
        except httpx.TransportError:
            time.sleep(0.1)
    return None


def serving_peers(folder: Path, home: Path) -> Iterator[Peer | str]:
    """Serve the bundle with one peer after the other; one that does not come up is only named."""
    yield from _serving_mlflow(folder, home)
    yield from _serving_bento(folder)


def _serving_mlflow(folder: Path, home: Path) -> Iterator[Peer | str]:
    import mlflow

    from training.bundle import load_bundle
    from training.registry.mlflow_store import build_signature, frame_of_rows

    name = f"mlflow models serve {mlflow.__version__}: row to score, no reasons"
    bundle, model = load_bundle(folder), (home / "mlflow-model").resolve()
    shutil.rmtree(model, ignore_errors=True)
    mlflow.pyfunc.save_model(
        str(model),
        python_model=str(ROOT / "training" / "pyfunc.py"),
        artifacts={"bundle": str(folder.resolve())},
        signature=build_signature(bundle.catalog),
        pip_requirements=["mlflow"],
    )
    frame = frame_of_rows(bundle.catalog, bundle.profile.matrix[:1])
    body = json.dumps({"dataframe_split": json.loads(frame.to_json(orient="split", index=False))})
    port = find_port()
    command = [str(Path(sys.executable).with_name("mlflow")), "models", "serve", "-m", str(model)]
    command += ["--env-manager", "local", "--host", "127.0.0.1", "--port", str(port)]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    with _running(command, port, "/ping", PATH=path, PYTHONPATH=str(ROOT)) as address:
        yield name if address is None else Peer(name, address, "/invocations", body)


def _serving_bento(folder: Path) -> Iterator[Peer | str]:
    from training.bundle import load_bundle

    program = BENTO / "bin" / "bentoml"
    if not program.exists() and not _install_bento():
        yield "BentoML: does not install here"
        return
    port = find_port()
    command = [str(program), "serve", "benchmarks.bento_service:Scorer", "--host", "127.0.0.1"]
    command += ["--port", str(port), "--working-dir", str(ROOT)]
    settings = {"BENCH_BUNDLE": str(folder.resolve()), "BENTOML_DO_NOT_TRACK": "true"}
    asked = subprocess.run(
        [str(program), "--version"], capture_output=True, text=True, check=False
    )
    name = f"BentoML {asked.stdout.split()[-1] if asked.stdout else ''}: row to score, no reasons"
    row = load_bundle(folder).profile.matrix[:1].tolist()
    body = json.dumps({"rows": [[None if x != x else x for x in row[0]]]})
    with _running(command, port, "/readyz", PYTHONPATH=str(ROOT), **settings) as address:
        yield name if address is None else Peer(name, address, "/score", body)


def _install_bento() -> bool:
    """Install BentoML beside our own packages, which it sees; tell whether that went well."""
    venv.create(BENTO, with_pip=True, clear=True)
    site = next((BENTO / "lib").glob("python*")) / "site-packages"
    ours = next((Path(sys.executable).parents[1] / "lib").glob("python*")) / "site-packages"
    (site / "ours.pth").write_text(f"{ours}\n")
    command = [str(BENTO / "bin" / "python"), "-m", "pip", "install", "--quiet", "bentoml"]
    return subprocess.run(command, check=False).returncode == 0
