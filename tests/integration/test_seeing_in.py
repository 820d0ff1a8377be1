"""What one sees from outside: metrics that mean what the manual says, readiness, the log, traces."""

import re
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
import structlog
from fastapi import APIRouter
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import create_engine, make_url

from features import clock
from serving.app import build_app
from serving.auth.guard import require
from serving.errors import ServingError
from serving.store.session import Store
from serving.web_api.logs import set_up_logging
from serving.web_api.traces import build_provider, build_telemetry
from tests.unit.serving.factories import (
    make_lead,
    make_settings,
    post_json,
    running_app,
    wait_until,
    write_small_bundle,
)

ROOT = Path(__file__).parents[2]
KIND = {"counter": "_total", "gauge": "", "histogram": ""}


@pytest.fixture
def scraped(store: Store, database_url: str, tmp_path: Path) -> str:
    """Give the metrics of a server that has done a little of everything."""
    for folder in ("champion", "challenger"):
        write_small_bundle(tmp_path / folder)
    settings = make_settings(
        tmp_path,
        database_url=database_url,
        allow_unsafe_durability=True,
        shadow=True,
        challenger=tmp_path / "challenger",
    )
    due = clock.now() - timedelta(seconds=90)
    with running_app(build_app(settings)) as client:
        with store.work() as work:
            work.execute("INSERT INTO lead VALUES ('ann', now(), now())")
            work.execute("INSERT INTO score_due VALUES (DEFAULT, 'ann', %s, 'event')", (due,))
            work.enqueue_effect("mail:1", "mail", {}, clock.now())
        post_json(client, "/v1/score", make_lead())
        client.get("/v1/nothing")
        client.get("/v1/model", headers={"Authorization": "Bearer wrong"})
        return client.get("/metrics").text


def test_every_metric_is_in_the_manual_with_its_type_and_a_meaning(scraped: str) -> None:
    manual = (ROOT / "docs/reference/metrics.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(baton_\w+)` \| (\w+) \| (.+) \|$", manual, flags=re.MULTILINE)
    described = {name: kind for name, kind, meaning in rows if len(meaning) > 10}

    families = list(text_string_to_metric_families(scraped))
    served = {
        family.name + KIND[family.type]: family.type
        for family in families
        if family.name.startswith("baton_") and not family.name.endswith("_created")
    }

    assert len(rows) == len(described)
    assert described == served
    assert all(family.documentation for family in families)


def test_prometheus_own_tool_finds_no_fault(scraped: str) -> None:
    tool = shutil.which("promtool")
    if tool is None:
        pytest.skip("promtool is not installed here")
    done = subprocess.run(
        [tool, "check", "metrics"], input=scraped, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_figures_are_those_of_the_store(scraped: str) -> None:
    value = dict(re.findall(r"^(\w+(?:\{[^}]*\})?) (\S+)$", scraped, flags=re.MULTILINE))

    assert value["baton_store_up"] == "1.0"
    assert value["baton_backlog_scores_due"] == "1.0"
    assert 90.0 <= float(value["baton_backlog_scores_lag_seconds"]) < 600.0
    assert value["baton_backlog_effects_waiting"] == "1.0"
    assert value['baton_auth_refused_requests_total{because="unknown"}'] == "1.0"
    assert float(value["baton_store_connections_most"]) == 16.0


def test_with_the_database_away_it_is_not_ready_and_states_so_in_the_metrics(
    fresh_database_url: str, tmp_path: Path
) -> None:
    write_small_bundle(tmp_path / "champion")
    settings = make_settings(
        tmp_path, database_url=fresh_database_url, allow_unsafe_durability=True
    )
    url = make_url(fresh_database_url)
    admin = create_engine(url.set(database="postgres"), isolation_level="AUTOCOMMIT")
    with running_app(build_app(settings)) as client, admin.connect() as connection:
        assert client.get("/readyz").status_code == 200

        connection.exec_driver_sql(f'ALTER DATABASE "{url.database}" ALLOW_CONNECTIONS false')
        connection.exec_driver_sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
            (url.database,),
        )
        answer = client.get("/readyz")
        assert answer.status_code == 503
        assert answer.json()["checks"]["store"]["ok"] is False
        assert client.get("/healthz").status_code == 200
        assert "baton_store_up 0.0" in client.get("/metrics").text
        assert post_json(client, "/v1/score", make_lead()).status_code == 200

        connection.exec_driver_sql(f'ALTER DATABASE "{url.database}" ALLOW_CONNECTIONS true')
        wait_until(lambda: client.get("/readyz").status_code == 200)
    admin.dispose()


def test_a_worker_that_does_not_come_is_stated_and_the_server_stays_ready(
    store: Store, database_url: str, tmp_path: Path
) -> None:
    write_small_bundle(tmp_path / "champion")
    settings = make_settings(tmp_path, database_url=database_url, allow_unsafe_durability=True)
    with running_app(build_app(settings)) as client:
        assert client.get("/readyz").json()["checks"]["background"]["ok"] is True

        with store.work() as work:
            work.enqueue_effect("mail:1", "mail", {}, clock.now() - timedelta(minutes=2))
        answer = client.get("/readyz")

    assert answer.status_code == 200
    background = answer.json()["checks"]["background"]
    assert background["ok"] is False
    assert re.match(r"effects to send have waited for 12\d s", background["problem"])


def test_ids_that_are_addresses_never_reach_the_log(
    database_url: str, store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_small_bundle(tmp_path / "champion")
    settings = make_settings(tmp_path, database_url=database_url, allow_unsafe_durability=True)
    app = build_app(settings)
    broken = APIRouter(dependencies=[require("leads:read")])

    @broken.get("/v1/broken/{lead_id}")
    def break_down(lead_id: str) -> None:
        structlog.get_logger().warning("looked", lead=lead_id, leads=[{lead_id: lead_id}])
        raise KeyError(lead_id)

    app.include_router(broken)
    set_up_logging("debug")
    with running_app(app) as client:
        for address in ("ann@example.com", "ann%40example.com"):
            assert client.get(f"/v1/broken/{address}").status_code == 500
            post_json(client, "/v1/score", make_lead(lead_id=address))
            post_json(client, "/v1/events", {"lead_id": address, "name": "x"})
            client.delete(f"/v1/leads/{address}")
            client.get(f"/v1/nothing/{address}")

    printed = "".join(capsys.readouterr())
    for event in ("request_failed", "looked", "lead_erased", "audit_entry"):
        assert event in printed
    assert "(hidden " in printed
    assert "example.com" not in printed
    assert not re.search("@|%40", printed)


def test_traces_are_off_and_where_they_are_on_hide_addresses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    from serving import app as app_module

    write_small_bundle(tmp_path / "champion")
    assert build_telemetry(traces=False)["tracing"] is False
    exporter = InMemorySpanExporter()
    provider = build_provider(exporter)
    monkeypatch.setattr(
        app_module,
        "build_telemetry",
        lambda traces: {"tracing": traces, "tracer_provider": provider, "logs": False},
    )
    with running_app(build_app(make_settings(tmp_path, traces=True))) as client:
        client.get("/v1/leads/ann@example.com/export?mail=ann@example.com")
    provider.force_flush()

    found = str([dict(span.attributes or {}) for span in exporter.get_finished_spans()])
    assert "/v1/leads/(hidden " in found
    assert "example.com" not in found


def test_traces_without_what_sends_them_are_refused_in_words() -> None:
    with pytest.raises(ServingError, match="pip install"):
        build_telemetry(traces=True)
