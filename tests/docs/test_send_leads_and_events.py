"""What the how-to tells callers to send lands as it says."""

import json
import re
from pathlib import Path

from tests.unit.serving.factories import make_settings, post_json, running

HOW_TO = Path(__file__).parents[2] / "docs" / "how-to" / "send-leads-and-events.md"
SENT = re.compile(r"http://127\.0\.0\.1:8000(/v1/\w+) -H [^\n]*? -d '(.*?)'", re.DOTALL)


def test_the_lines_of_the_how_to_land(database_url: str, tmp_path: Path) -> None:
    text = HOW_TO.read_text(encoding="utf-8")
    settings = make_settings(tmp_path, database_url=database_url, allow_unsafe_durability=True)
    sent = json.loads(re.findall(r"```json\n(.*?)```", text, re.DOTALL)[0])

    with running(settings) as client:
        answers = {
            path: post_json(client, path, json.loads(body)).json()
            for path, body in SENT.findall(text)
        }

    assert set(answers) == {"/v1/leads", "/v1/events", "/v1/stages", "/v1/attempts"}
    assert answers["/v1/events"]["counts"] == sent["counts"]
    assert [r["status"] for r in answers["/v1/events"]["results"]] == ["landed", "quarantined"]
    for path in ("/v1/leads", "/v1/stages", "/v1/attempts"):
        assert answers[path]["counts"] == {"landed": 1}, path
