"""Headers of every answer."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.unit.serving.factories import make_settings, running


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with running(make_settings(tmp_path_factory.mktemp("headers"))) as opened:
        yield opened


@pytest.mark.parametrize(
    "path", ["/", "/sign-in", "/docs", "/openapi.json", "/healthz", "/metrics", "/v1/model", "/no"]
)
def test_every_answer_is_kept_by_nobody_and_taken_for_nothing_else(
    client: httpx.Client, path: str
) -> None:
    headers = client.get(path).headers

    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cache-control"] == "no-store"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]


def test_refusals_at_the_door_have_them_too(client: httpx.Client) -> None:
    refused = client.get("/", headers={"Host": "evil.example"})

    assert refused.status_code == 403
    assert refused.headers["x-content-type-options"] == "nosniff"


def test_the_manual_runs_the_scripts_of_its_files_alone(client: httpx.Client) -> None:
    page = client.get("/docs")

    assert "script-src 'self';" in page.headers["content-security-policy"]
    assert not re.search(r"<script(?![^>]*src=)", page.text)
    for address in re.findall(r'(?:src|href)="([^"]+)"', page.text):
        file = client.get(address)
        assert file.status_code == 200
        assert file.headers["cache-control"] == "max-age=86400"
    assert "SwaggerUIBundle(" in client.get("/docs/start.js").text


def test_pages_keep_their_own_policy(client: httpx.Client, tmp_path: Path) -> None:
    assert "form-action 'self'" in client.get("/sign-in").headers["content-security-policy"]
