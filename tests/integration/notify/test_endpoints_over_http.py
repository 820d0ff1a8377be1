"""Endpoints as those see them who tend the server: which are closed, and opening them again."""

from pathlib import Path

from features import clock as wall_clock
from serving.auth.roles import Role
from serving.notify.webhooks import close_endpoint
from serving.store.session import Store
from tests.integration.auth.factories import bearer, make_app, make_key
from tests.integration.notify.factories import SECRET, make_endpoint
from tests.unit.serving.factories import running_app

URL = "https://hooks.example.com/a-secret-path"


def test_a_closed_endpoint_is_listed_without_its_address_and_opened_again(
    store: Store, database_url: str, tmp_path: Path
) -> None:
    at = wall_clock.now()
    with store.work() as work:
        close_endpoint(work, "crm", URL, at)
    app = make_app(tmp_path, database_url, webhooks={"crm": make_endpoint(URL)})

    with running_app(app, bearer(make_key(store, Role.OPS))) as client:
        listed = client.get("/v1/notifications/endpoints").raise_for_status()
        opened = client.post("/v1/notifications/endpoints/crm/open")
        again = client.post("/v1/notifications/endpoints/crm/open")
        after = client.get("/v1/notifications/endpoints").json()["endpoints"]

    (one,) = listed.json()["endpoints"]
    assert (one["name"], one["secrets"], one["closed_at"] is not None) == ("crm", 1, True)
    assert "a-secret-path" not in listed.text
    assert SECRET not in listed.text
    assert (opened.status_code, again.status_code) == (204, 404)
    assert after[0]["closed_at"] is None


def test_who_scores_leads_does_not_manage_endpoints(
    store: Store, database_url: str, tmp_path: Path
) -> None:
    app = make_app(tmp_path, database_url)
    with running_app(app, bearer(make_key(store, Role.CRM))) as client:
        assert client.get("/v1/notifications/endpoints").status_code == 403
