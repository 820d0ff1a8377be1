"""Sixty days in the life of four leads, over HTTP; the page of the manual is what came out.

``BATON_WRITE_TUTORIAL=1 pytest tests/integration/handoff/test_life_of_a_lead.py`` writes the page again.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from serving.auth.roles import Role
from serving.handoff.lifecycle.sweep import decide_about, sweep
from serving.store.session import Store
from serving.web_api.dependencies import get_now
from tests.integration.auth.factories import bearer, make_app, make_key
from tests.integration.handoff.office import (
    FITTING,
    MONDAY,
    PLAYBOOK,
    QUALIFIED,
    count,
    make_sweep_context,
)
from tests.integration.scores.job_resources import Clock, drain, make_scorer
from tests.unit.serving.factories import running_app

PAGE = Path(__file__).parents[3] / "docs" / "tutorials" / "the-life-of-a-lead.md"
OPENING = """\
# The life of a lead

Sixty days of four leads, told by the answers of the API. This page is printed by a test
(`tests/integration/handoff/test_life_of_a_lead.py`), which fails if it says anything else; time is simulated, the server,
the database and the requests are real. Two sellers, ann and ben, share the leads; the office is open Monday to Friday,
9:00 to 17:30 in Amsterdam. Times below are UTC.
"""
BIG_ENOUGH = """
[stages.mql]
words = "fits, is big enough, and showed interest"
all = ["fits", "engaged", "big_enough"]
[stages.criteria.big_enough]
words = "has at least 50 people"
all = [{ attribute = "employees", at_least = 50 }]
"""
SCORED_FROM = "[triggers]\nscore_from = 40\n[triggers.exploration]"


@dataclass
class Town:
    """The company of the story: a server, people with keys, a clock, and the page being written."""

    client: httpx.Client
    store: Store
    clock: Clock
    scorer: Any
    keys: dict[str, str]
    lines: list[str] = field(default_factory=lambda: [OPENING])

    def chapter(self, title: str) -> None:
        self.lines.append(f"\n## {title}\n")

    def narrate(self, words: str) -> None:
        self.lines.append(f"- **{self.clock():%a %d %b %H:%M}** {words}")

    def wait(self, **by: float) -> None:
        """Let time pass; the sweep looks each quarter of an hour of it that may matter."""
        self.clock.move(**by)
        self.sweep()

    def sweep(self) -> None:
        drain(self.scorer)
        result = sweep(make_sweep_context(self.store), self.clock())
        counts_words = ", ".join(f"{name} {n}" for name, n in sorted(result.counts.items()) if n)
        if counts_words:
            self.narrate(f"The sweep: {counts_words}.")

    def ask(self, who: str, method: str, path: str, body: Any = None, **more: Any) -> Any:
        headers = {**bearer(self.keys[who]), **more.pop("headers", {})}
        sent = {} if body is None else {"json": body}
        answer = self.client.request(method, path, headers=headers, **sent, **more)
        assert answer.is_success, (path, answer.status_code, answer.text)
        return answer

    def act(self, who: str, handoff: int, action: str, body: Any = None) -> dict[str, Any]:
        path = f"/v1/handoffs/{handoff}/{action}"
        answer = self.ask(who, "POST", path, body).json()
        state = answer.get("handoff", answer)["state"]
        sent_words = "" if body is None else f" `{_format_body(body)}`"
        self.narrate(f"{who}: `POST {path}`{sent_words}: it is **{state}**.")
        return answer

    def refused(self, who: str, path: str, body: dict[str, Any] | None) -> None:
        sent = {} if body is None else {"json": body}
        answer = self.client.post(path, headers=bearer(self.keys[who]), **sent)
        assert answer.status_code in {403, 409}, answer.text
        problem = answer.json()
        sent_words = "" if body is None else f" `{_format_body(body)}`"
        self.narrate(
            f"{who}: `POST {path}`{sent_words} is refused ({answer.status_code}): "
            f"{problem['detail']} {problem['fix']}"
        )

    def meet(self, lead_id: str, **attributes: Any) -> None:
        created = (self.clock() - timedelta(days=3)).isoformat()
        item = {
            "lead_id": lead_id,
            "created_at": created,
            "attributes": {**FITTING, **attributes},
        }
        self.ask("crm", "POST", "/v1/leads", item)

    def do(self, lead_id: str, kind: str, times: int = 1, **more: Any) -> None:
        events = [
            {
                "lead_id": lead_id,
                "kind": kind,
                "channel": "web",
                "occurred_at": (self.clock() - timedelta(minutes=5 * n + 1)).isoformat(),
                **more,
            }
            for n in range(times)
        ]
        self.ask("crm", "POST", "/v1/events", {"events": events})
        self.narrate(f"{lead_id} does this: {times} x {kind.replace('_', ' ')}.")
        drain(self.scorer)
        decide_about(make_sweep_context(self.store), [lead_id], self.clock())

    def decided(self, lead_id: str) -> None:
        newest = self.ask("mia", "GET", f"/v1/leads/{lead_id}/decisions").json()["decisions"][0]
        self.narrate(f"Decided: {newest['because']}")

    def find(self, lead_id: str) -> int:
        """Find the lead's newest handoff, and tell where it stands."""
        listed = self.ask("mia", "GET", "/v1/handoffs", params={"lead_id": lead_id}).json()
        found = max(listed["handoffs"], key=lambda one: one["handoff_id"])
        whole = self.ask("mia", "GET", f"/v1/handoffs/{found['handoff_id']}").json()
        given = whole["assignments"][-1]["because"] if whole["assignments"] else "no seller yet"
        self.narrate(
            f"Handoff {whole['handoff_id']} of {lead_id} (cycle {whole['cycle']}, priority "
            f"{whole['priority']}) is **{whole['state']}**: {given}"
        )
        return int(found["handoff_id"])


def _format_body(body: dict[str, Any]) -> str:
    shown = {k: v for k, v in body.items() if k != "body"}
    return str(shown).replace("'", '"').replace("True", "true")


@pytest.fixture
def town(store: Store, database_url: str, tmp_path: Path) -> Iterator[Town]:
    clock = Clock(MONDAY)
    app = make_app(tmp_path, database_url)
    app.dependency_overrides[get_now] = clock
    roles = {
        "mia": Role.MARKETER,
        "sam": Role.SALES,
        "ann": Role.SALES,
        "ben": Role.SALES,
        "crm": Role.CRM,
        "olga": Role.OPS,
        "otto": Role.OVERSEER,
    }
    keys = {name: make_key(store, role, name) for name, role in roles.items()}
    scorer = make_scorer(store, tmp_path, clock)
    with running_app(app) as client:
        yield Town(client, store, clock, scorer, keys)


def agree(town: Town, body: str, note: str) -> None:
    made = town.ask("mia", "POST", "/v1/playbook/versions", {"body": body, "note": note}).json()
    number = made["number"]
    town.narrate(f'mia proposes version {number} ("{note}"): {made["because"]}')
    if number > 1:
        path = f"/v1/playbook/versions/{number}/diff"
        for change in town.ask("sam", "GET", path).json()["changes"]:
            town.narrate(f"It would change: {change}")
    for who, side in (("mia", "marketing"), ("sam", "sales")):
        path = f"/v1/playbook/versions/{number}/agree/{side}"
        signed = town.ask(who, "POST", path).json()
        stands = signed["version"]["state"].replace("_", " ")
        town.narrate(f"{who} agrees for {side}: the version is {stands}.")


def name_sellers(town: Town) -> None:
    for name in ("ann", "ben"):
        [(key,)] = [(count(town.store, "SELECT key_id FROM api_key WHERE name = :n", n=name),)]
        town.ask("olga", "PUT", f"/v1/sellers/{name}/actor", {"actor": f"key:{key}"})


def live_through(town: Town) -> None:
    """Let the sixty days happen."""
    town.chapter("Both sides sign")
    agree(town, PLAYBOOK.replace("[triggers.exploration]", SCORED_FROM), "what we start with")
    name_sellers(town)
    win_maria(town)
    nurture_omar(town)
    hurry_lena(town)
    reject_pavel(town)


def win_maria(town: Town) -> None:
    town.chapter("Maria: from MQL to customer")
    town.meet("maria")
    town.do("maria", "pricing_view", 2)
    town.decided("maria")
    handoff = town.find("maria")
    memo = town.ask(
        "ann", "GET", f"/v1/handoffs/{handoff}/packet", headers={"Accept": "text/plain"}
    ).text
    town.narrate("What ann reads (`GET /v1/handoffs/{id}/packet`, `Accept: text/plain`):")
    town.lines.append(f"\n```text\n{memo}```\n")
    town.refused("ben", f"/v1/handoffs/{handoff}/accept", {})
    town.act("ann", handoff, "accept")
    town.act("ann", handoff, "attempts", {"channel": "call", "result": "no answer"})
    town.refused("ann", f"/v1/handoffs/{handoff}/give-up", {})
    town.wait(days=1)
    town.act("ann", handoff, "attempts", {"channel": "email", "result": "replied"})
    town.refused("ann", f"/v1/handoffs/{handoff}/qualify", {"answers": {"need": True}})
    town.act("ann", handoff, "qualify", {"answers": QUALIFIED})
    town.act("ann", handoff, "open-deal")
    town.wait(days=6)
    town.act("ann", handoff, "win")


def nurture_omar(town: Town) -> None:
    town.chapter("Omar: too early, returned, nurtured, handed over again")
    town.meet("omar", company="Harbour")
    town.do("omar", "pricing_view", 2)
    handoff = town.find("omar")
    town.act("ben", handoff, "attempts", {"channel": "call", "result": "reached"})
    town.act("ben", handoff, "give-back", {"reason": "no_need_now", "note": "budget in autumn"})
    answer = town.ask("mia", "GET", "/v1/leads/omar/decisions").json()
    town.narrate(
        f"omar lies on the track {answer['track']} and rests until {answer['rests_until'][:10]}."
    )
    town.wait(days=3)
    town.do("omar", "page_view", 2)
    town.decided("omar")
    town.wait(days=18)
    town.do("omar", "pricing_view", 3)
    town.decided("omar")
    handoff = town.find("omar")
    answer = town.ask("mia", "GET", f"/v1/handoffs/{handoff}/packet").json()
    town.narrate(f"The packet knows of the first time: {answer['earlier'][0]}")
    seller = town.ask("mia", "GET", f"/v1/handoffs/{handoff}").json()["seller_id"]
    town.act(seller, handoff, "attempts", {"channel": "call", "result": "reached"})
    town.act(seller, handoff, "qualify", {"answers": QUALIFIED})


def hurry_lena(town: Town) -> None:
    town.chapter("Lena: asks herself, is not answered, goes to another seller")
    town.meet("lena", company="Orchard")
    town.do("lena", "demo_request", name="Request a demo")
    town.decided("lena")
    handoff = town.find("lena")
    first = town.ask("mia", "GET", f"/v1/handoffs/{handoff}").json()["seller_id"]
    for minutes in (30, 31, 60):
        town.wait(minutes=minutes)
    again = town.ask("mia", "GET", f"/v1/handoffs/{handoff}").json()
    assert again["seller_id"] != first
    town.find("lena")
    town.act(again["seller_id"], handoff, "accept")
    town.act(again["seller_id"], handoff, "attempts", {"channel": "call", "result": "reached"})
    clocks = town.ask("mia", "GET", f"/v1/handoffs/{handoff}").json()["clocks"]
    for clock in clocks:
        town.narrate(f"Clock: {clock['because']}")


def reject_pavel(town: Town) -> None:
    town.chapter("Pavel: rejected, looked at by neither side, and the playbook changes")
    town.wait(days=25)
    town.meet("pavel", company="Brook", employees=25.0)
    town.do("pavel", "pricing_view", 2)
    handoff = town.find("pavel")
    answer = town.ask("mia", "GET", f"/v1/handoffs/{handoff}").json()
    town.narrate(f"When it was handed over: {answer['definition']['because']}")
    town.act(answer["seller_id"], handoff, "reject", {"reason": "bad_fit", "note": "too small"})
    town.wait(days=6)
    oversee_june(town)
    agree(
        town, PLAYBOOK.replace("[triggers.exploration]", SCORED_FROM) + BIG_ENOUGH, "say how big"
    )
    town.meet("quinn", company="Dale", employees=25.0)
    town.do("quinn", "pricing_view", 2)
    town.decided("quinn")


def oversee_june(town: Town) -> None:
    """Have the overseer look at June's rejections, find on Pavel, and report to both sides."""
    town.refused("ben", "/v1/oversight/2026-06/draw", None)
    [case] = town.ask("otto", "POST", "/v1/oversight/2026-06/draw").json()["cases"]
    town.narrate(
        f"otto, of neither team: `POST /v1/oversight/2026-06/draw`: case {case['case_id']} is "
        f"{case['lead_id']}, given back for {case['reason'].replace('_', ' ')} "
        f'("{case["reason_text"]}"). By rule: {case["because"]}'
    )
    found = {"finding": "definition_unclear", "note": "nobody agreed how small is too small"}
    path = f"/v1/oversight/cases/{case['case_id']}/findings"
    town.ask("otto", "POST", path, found)
    town.narrate(f"otto: `POST {path}` `{_format_body(found)}`.")
    report = town.ask(
        "sam", "GET", "/v1/oversight/2026-06/report", headers={"Accept": "text/markdown"}
    ).text
    town.narrate("Both sides read (`GET /v1/oversight/2026-06/report`, `Accept: text/markdown`):")
    town.lines.append(f"\n```text\n{report}```\n")


def test_the_page_tells_what_happens(town: Town) -> None:
    live_through(town)
    page = "\n".join(town.lines) + "\n"
    for name, key in town.keys.items():
        page = page.replace(key, name)
    assert (town.clock() - MONDAY) >= timedelta(days=59)
    states = {
        lead: count(
            town.store,
            "SELECT string_agg(state, ',' ORDER BY handoff_id) FROM handoff WHERE lead_id = :lead",
            lead=lead,
        )
        for lead in ("maria", "omar", "lena", "pavel")
    }
    assert states == {
        "maria": "won",
        "omar": "returned,qualified",
        "lena": "working",
        "pavel": "rejected",
    }
    newest = "SELECT verdict FROM decision WHERE lead_id = 'quinn'"
    assert count(town.store, newest) == "keep"
    assert count(town.store, "SELECT finding FROM oversight_finding") == "definition_unclear"
    assert count(town.store, "SELECT count(*) FROM audit_entry WHERE subject_kind = 'handoff'") > 5
    if os.environ.get("BATON_WRITE_TUTORIAL"):
        PAGE.write_text(page, encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == page
