"""What the documents tell callers to send is scored by a real model."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from shutil import copytree
from typing import Any

import httpx
import pytest

from serving.scoring.examples import EXAMPLE_LEAD
from tests.unit.serving.factories import make_settings, post_json, running

HOW_TO = Path(__file__).parents[2] / "docs" / "how-to" / "call-the-api.md"


def find_curl_bodies() -> list[Any]:
    """Find the bodies of the how-to's curl lines."""
    return [json.loads(body) for body in re.findall(r"-d '(.*?)'", HOW_TO.read_text(), re.DOTALL)]


@pytest.fixture(scope="module")
def client(
    trained_bundle: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    home = tmp_path_factory.mktemp("docs")
    copytree(trained_bundle, home / "champion")
    with running(make_settings(home)) as client:
        yield client


def test_the_how_to_sends_the_example_and_gets_a_score(client: httpx.Client) -> None:
    bodies = find_curl_bodies()

    assert bodies == [EXAMPLE_LEAD]
    for body in bodies:
        answer = post_json(client, "/v1/score", body).json()
        assert answer["status"] == "scored"
        assert (answer["ignored"], answer["warnings"]) == ([], [])


@pytest.mark.parametrize("path", ["/v1/score", "/v1/score/batch"])
def test_the_described_examples_get_a_score(client: httpx.Client, path: str) -> None:
    described = client.get("/openapi.json").json()["paths"][path]["post"]["requestBody"]
    examples = described["content"]["application/json"]["examples"].values()

    assert examples
    for example in examples:
        answer = post_json(client, path, example["value"]).json()
        for one in answer.get("leads", [answer]):
            assert one["status"] == "scored"
            assert one["ignored"] == []


def test_the_page_of_a_real_model_tells_the_typical_lead_from_the_base_rate(
    client: httpx.Client,
) -> None:
    base = client.get("/v1/model").json()["base"]
    page = client.get("/v1/model", headers={"Accept": "text/html"}).text

    assert base["base_rate"] > base["probability"]
    assert f"{100 * base['base_rate']:.1f} %" in page
    assert "50 points are the typical lead" in page
