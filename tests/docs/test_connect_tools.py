"""The lines of the how-to on Segment, RudderStack and Snowplow do what they say."""

import re
from pathlib import Path

import httpx

from tests.unit.serving.factories import make_settings, post_json, running

HOW_TO = Path(__file__).parents[2] / "docs" / "how-to" / "connect-segment-rudderstack-snowplow.md"
KEY = "write-key-of-the-tests"


def run_python(text: str, client: httpx.Client) -> None:
    for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        code = block.replace("8000", str(client.base_url.port)).replace("WRITE-KEY", KEY)
        exec(compile(code, HOW_TO.name, "exec"), {})  # noqa: S102 - our own page


def test_the_lines_of_the_how_to_do_what_they_state(database_url: str, tmp_path: Path) -> None:
    text = HOW_TO.read_text(encoding="utf-8")
    settings = make_settings(
        tmp_path, database_url=database_url, allow_unsafe_durability=True, api_token=KEY
    )
    with running(settings) as client:
        run_python(text, client)
        post_json(client, "/v1/leads", {"lead_id": "lead-1042"})
        merges = client.get("/v1/leads/u-1/merges").json()["merges"]
        ((path, body),) = re.findall(r"8000(/v1/\S+/merge) .*?-d '(.*?)'", text, re.DOTALL)
        merged = client.post(path, content=body, headers={"Content-Type": "application/json"})
        undone = client.post("/v1/merges/1/undo")

    visitors = {"anonymous:a-1", "anonymous:d-1"}
    assert {merge["merged_lead_id"] for merge in merges} == visitors
    assert (merged.status_code, merged.json()["kept_lead_id"]) == (200, "lead-1042"), merged.text
    assert undone.json()["merged_lead_id"] in visitors
