"""Starting, readiness, tokens, swapping models, what is imported, what is written down."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.unit.serving.factories import (
    make_lead,
    make_settings,
    post_json,
    running,
    wait_until,
    write_small_bundle,
)
from training.bundle import install_champion

ROOT = Path(__file__).parents[2]
TOKEN = "a-secret-of-some-length"  # noqa: S105 - of no server but the test's
WEAK = "hunter2"
EVERYWHERE = "0.0.0.0"  # noqa: S104 - what is refused
HEAVY = (
    "pandas", "sklearn", "lightgbm", "mlflow", "shap", "evidently", "dask", "matplotlib",
    # numba itself asks scipy.linalg for BLAS where scipy is installed; nothing else may be used.
    "scipy.stats", "scipy.sparse", "scipy.optimize", "scipy.special",
)  # fmt: skip


def version_of(client: httpx.Client) -> str:
    return str(client.get("/readyz").json()["checks"]["champion"]["version"])


def test_without_a_model_the_server_is_alive_but_not_ready_and_takes_one_up(
    tmp_path: Path,
) -> None:
    with running(make_settings(tmp_path)) as client:
        assert client.get("/healthz").json() == {"status": "alive"}
        not_ready = client.get("/readyz")
        refused = post_json(client, "/v1/score", make_lead())

        assert not_ready.status_code == refused.status_code == 503
        assert not_ready.headers["content-type"] == "application/problem+json"
        assert not_ready.json()["checks"]["champion"]["problem"] == "no bundle is there."
        assert "baton train" in refused.json()["fix"]
        assert client.get("/v1/drift").status_code == 503

        install_champion(write_small_bundle(tmp_path / "made"), tmp_path / "champion")
        wait_until(lambda: client.get("/readyz").status_code == 200)
        assert post_json(client, "/v1/score", make_lead()).status_code == 200


def test_a_new_model_is_taken_up_without_a_restart(tmp_path: Path) -> None:
    champion = tmp_path / "champion"
    install_champion(write_small_bundle(tmp_path / "one"), champion)
    with running(make_settings(tmp_path)) as client:
        before, old = version_of(client), post_json(client, "/v1/score", make_lead()).json()
        card = client.get("/v1/model").json()["card"]

        install_champion(write_small_bundle(tmp_path / "two", bias=-1.0), champion)
        wait_until(lambda: version_of(client) != before)

        new = post_json(client, "/v1/score", make_lead()).json()
        assert new["model"]["version"] == version_of(client) != old["model"]["version"]
        assert new["probability"] > old["probability"]
        assert client.get("/v1/model").json()["card"] == card
        assert "baton_champion_reloads_total 2.0" in client.get("/metrics").text


def test_a_broken_model_is_reported_and_the_old_one_goes_on(tmp_path: Path) -> None:
    champion = tmp_path / "champion"
    install_champion(write_small_bundle(tmp_path / "one"), champion)
    broken = write_small_bundle(tmp_path / "two", bias=-1.0)
    (broken / "model.json").write_text("{}", encoding="utf-8")
    with running(make_settings(tmp_path)) as client:
        before = version_of(client)

        install_champion(broken, champion)
        wait_until(
            lambda: client.get("/readyz").json()["checks"]["champion"]["problem"] is not None
        )

        answer = client.get("/readyz")
        assert answer.status_code == 200
        assert "damaged" in answer.json()["checks"]["champion"]["problem"]
        assert version_of(client) == before
        assert post_json(client, "/v1/score", make_lead()).status_code == 200
        assert client.get("/v1/model").status_code == 200
        assert "baton_champion_folder_healthy 0.0" in client.get("/metrics").text

        champion.unlink()
        wait_until(lambda: "no bundle" in str(client.get("/readyz").json()["checks"]))
        assert post_json(client, "/v1/score", make_lead()).status_code == 200


@pytest.mark.parametrize(
    "sent", [None, "Bearer wrong-secret-altogether", f"Basic {TOKEN}", "Bearer"]
)
def test_with_a_token_every_v1_route_asks_for_it(tmp_path: Path, sent: str | None) -> None:
    write_small_bundle(tmp_path / "champion")
    headers = {"Authorization": sent} if sent else {}
    with running(make_settings(tmp_path, api_token=TOKEN)) as client:
        assert post_json(client, "/v1/score", make_lead()).status_code == 200
        client.headers.pop("Authorization")
        for method, path in (
            ("POST", "/v1/score"),
            ("POST", "/v1/score/batch"),
            ("GET", "/v1/model"),
            ("GET", "/v1/model/plots/reliability.png"),
            ("GET", "/v1/drift"),
        ):
            answer = client.request(method, path, headers=headers)
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"] == "Bearer"
            assert answer.json()["type"] == "urn:baton:problem:token-refused"
        for path in ("/healthz", "/readyz", "/metrics", "/docs", "/"):
            assert client.get(path).status_code == 200
        # With a token, other names of the server are fine: the key keeps web pages out.
        assert client.get("/healthz", headers={"Host": "score.example.com"}).status_code == 200


def test_elsewhere_than_here_metrics_and_docs_ask_for_the_token_too(tmp_path: Path) -> None:
    write_small_bundle(tmp_path / "champion")
    with running(make_settings(tmp_path, api_token=TOKEN, host=EVERYWHERE)) as client:
        assert client.get("/metrics").status_code == 200
        client.headers.pop("Authorization")
        for path in ("/metrics", "/docs", "/openapi.json", "/"):
            assert client.get(path).status_code == 401
        assert client.get("/healthz").status_code == 200


def test_elsewhere_than_here_readiness_keeps_names_of_folders_to_itself(tmp_path: Path) -> None:
    broken = write_small_bundle(tmp_path / "champion")
    (broken / "model.json").write_text("{}", encoding="utf-8")
    found = {}
    for host in (EVERYWHERE, "127.0.0.1"):
        with running(make_settings(tmp_path, api_token=TOKEN, host=host)) as client:
            client.headers.pop("Authorization")
            found[host] = client.get("/readyz").json()["checks"]["champion"]["problem"]

    assert found[EVERYWHERE] == "the bundle cannot be loaded (BundleError)."
    assert str(tmp_path) in found["127.0.0.1"]


def test_a_host_can_be_allowed_by_name(tmp_path: Path) -> None:
    write_small_bundle(tmp_path / "champion")
    settings = make_settings(tmp_path, allowed_hosts="score.example.com")
    with running(settings) as client:
        named = client.get("/v1/model", headers={"Host": "Score.example.com:8000"})

        assert named.status_code == 200


SCRIPT = """
import json, sys, threading, urllib.request, pathlib, time
from serving.server import open_socket
from serving.app import build_app
from serving.settings import ServingSettings
import uvicorn

folder, lead, heavy = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3].split(",")
settings = ServingSettings(
    database_url=sys.argv[4], allow_unsafe_durability=True, champion=folder / "champion",
    served=folder / "served", drift=folder / "drift", drift_min_rows=2,
    local_key=folder / "local.key",
)
listener = open_socket("127.0.0.1", 0)
server = uvicorn.Server(uvicorn.Config(build_app(settings), log_config=None))
thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
thread.start()
while not server.started:
    time.sleep(0.05)
address = f"http://127.0.0.1:{listener.getsockname()[1]}"

key = {"Authorization": "Bearer " + settings.local_key.read_text()}

def ask(path, body=None, **headers):
    request = urllib.request.Request(
        address + path, body, {"Content-Type": "application/json", **key, **headers}
    )
    return urllib.request.urlopen(request).status

statuses = [ask("/v1/score", lead.encode())]
statuses.append(ask("/v1/score/batch", json.dumps({"leads": [json.loads(lead)] * 3}).encode()))
statuses += [ask(p) for p in ("/v1/model", "/readyz", "/metrics", "/docs", "/openapi.json", "/")]
statuses.append(ask("/v1/model", Accept="text/html"))
statuses.append(ask("/v1/drift"))
server.should_exit = True
thread.join()
found = [name for name in heavy if name in sys.modules]
print(json.dumps({"statuses": statuses, "found": found}))
"""


@pytest.mark.slow
def test_the_serving_process_imports_nothing_heavy(tmp_path: Path, database_url: str) -> None:
    write_small_bundle(tmp_path / "champion")
    arguments = [str(tmp_path), json.dumps(make_lead()), ",".join(HEAVY), database_url]

    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert set(found["statuses"]) <= {200, 202}
    assert found["found"] == []


COMMAND = """
import typer
from serving.commands import serve_command
app = typer.Typer()
app.command()(serve_command)
app()
"""


def run_serve(*options: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", COMMAND, *options],
        cwd=ROOT,
        env={
            **os.environ,
            "PYTHONUNBUFFERED": "1",
            "BATON_DATABASE_URL": "off",
            **environment,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_serve_prints_its_address_and_lines_to_try_and_logs_json(tmp_path: Path) -> None:
    write_small_bundle(tmp_path / "champion")
    folders = {
        "BATON_DRIFT": str(tmp_path / "drift"),
        "BATON_LOCAL_KEY": str(tmp_path / "local.key"),
    }

    serve = run_serve("--port", "0", "--champion", str(tmp_path / "champion"), **folders)
    try:
        printed = ""
        assert serve.stdout is not None
        for line in serve.stdout:
            printed += line
            if "Ctrl+C" in line:
                break
        address = re.search(r"http://127\.0\.0\.1:\d+", printed)
        assert address is not None
        assert httpx.get(f"{address[0]}/readyz").status_code == 200
        assert printed.count("curl -s") == 3
        assert printed.count(f'-H "Authorization: Bearer $(cat {tmp_path / "local.key"})"') == 3
        link = re.search(r"http://\S+/sign-in\?ticket=\S+", printed)
        assert link is not None
        with httpx.Client(follow_redirects=True, headers={"Accept": "text/html"}) as browser:
            assert "you, at this machine" in browser.get(link[0]).text
            assert browser.get(f"{address[0]}/v1/model").status_code == 200
    finally:
        serve.terminate()
        _, errors = serve.communicate(timeout=60)

    assert serve.returncode in {0, -15}
    events = [json.loads(line)["event"] for line in errors.splitlines()]
    assert events[0] == "champion_taken_up"
    assert list((tmp_path / "scored").rglob("*")) == []


def test_serve_states_what_to_do_when_it_may_not_or_cannot_start(tmp_path: Path) -> None:
    from serving.server import open_socket

    taken = open_socket("127.0.0.1", 0)
    taken.listen()
    port = str(taken.getsockname()[1])
    started = [
        (run_serve("--host", EVERYWHERE, BATON_DATABASE_URL="off"), "Set BATON_API_TOKEN"),
        (run_serve("--port", port), "choose another port"),
        (run_serve(BATON_API_TOKEN=WEAK), "BATON_API_TOKEN: Value error, a token needs"),
    ]

    for serve, words in started:
        _, errors = serve.communicate(timeout=120)
        assert serve.returncode == 2
        assert words in errors
        assert "Traceback" not in errors
    taken.close()
