"""One lead to try things with: in the API's description, in the printed curl lines, in tests."""

import json
from typing import Any

from serving.settings import ServingSettings

EXAMPLE_LEAD: dict[str, Any] = {
    "lead_id": "lead-1042",
    "created_at": "2026-02-24T09:12:00Z",
    "as_of": "2026-03-09T09:00:00Z",
    "attributes": {
        "job_title": "VP Operations",
        "seniority": "vp",
        "department": "operations",
        "industry": "logistics",
        "employees": 380,
        "country": "DE",
        "source": "organic_search",
        "email_domain_kind": "business",
    },
    "versions": [{"known_at": "2026-03-02T08:00:00Z", "attributes": {"employees": 420}}],
    "events": [
        {"name": "form_submit", "occurred_at": "2026-02-24T09:12:00Z", "channel": "web"},
        {"name": "email_open", "occurred_at": "2026-02-26T07:40:00Z", "channel": "email"},
        {"name": "case_study_view", "occurred_at": "2026-03-03T13:05:00Z", "channel": "web"},
        {"name": "pricing_view", "occurred_at": "2026-03-05T10:31:00Z", "channel": "web"},
    ],
    "stages": [{"stage": "lead", "at": "2026-02-24T09:12:00Z"}],
    "colleagues": [
        {
            "created_at": "2026-02-27T15:00:00Z",
            "attributes": {"seniority": "director"},
            "events": [
                {"name": "webinar_attend", "occurred_at": "2026-03-04T16:00:00Z"},
                {"name": "pricing_view", "occurred_at": "2026-03-06T08:20:00Z", "channel": "web"},
            ],
        }
    ],
}

EXAMPLE_BATCH: dict[str, Any] = {
    "leads": [
        EXAMPLE_LEAD,
        {
            "lead_id": "lead-1043",
            "created_at": "2026-03-01T18:00:00Z",
            "as_of": "2026-03-09T09:00:00Z",
            "attributes": {"industry": "software", "employees": 35, "country": "US"},
            "versions": [],
            "events": [{"name": "demo_request", "occurred_at": "2026-03-02T15:20:00Z"}],
            "colleagues": [],
        },
    ]
}

EXAMPLE_ANSWER: dict[str, Any] = {
    "lead_id": "lead-1042",
    "status": "scored",
    "as_of": "2026-03-09T09:00:00Z",
    "contract": "P(SQL within 30 days)",
    "event": "sql",
    "horizon_days": 30.0,
    "probability": 0.31,
    "points": 68.5,
    "points_uncut": 68.5,
    "expected_amount": None,
    "expected_value": None,
    "band": {
        "name": "A",
        "points_from": 65.0,
        "predicted": 0.33,
        "observed": 0.32,
        "calibration_error": 0.01,
        "leads": 1840,
    },
    "base": {"points": 50.0, "probability": 0.11},
    "sub_scores": {"fit": 3.5, "engagement": 12.0, "account": 0.0, "journey": 3.0},
    "reasons": [
        {
            "field": "pricing_view",
            "label": "Pricing-page views",
            "sub_score": "engagement",
            "points": 8.25,
            "direction": "raises",
            "words": "Raises the chance: 2 pricing-page views in the last 7 days.",
        },
        {
            "field": "rest",
            "label": "Everything else",
            "sub_score": None,
            "points": 10.25,
            "direction": "raises",
            "words": "Raises the chance: everything else taken together (52 further facts).",
        },
    ],
    "why": None,
    "would_help": [],
    "ignored": [],
    "warnings": [],
    "model": {"name": "conversion", "version": "0f3a9c1b77de"},
}


def format_key(settings: ServingSettings) -> str:
    """Say in a shell's words where the key is that a command sends."""
    if settings.has_local_credentials:
        return f"$(cat {settings.local_key})"
    return "$BATON_API_TOKEN" if settings.api_token is not None else "$BATON_KEY"


def build_curl_lines(address: str, key: str) -> list[str]:
    """Build the three commands that show what a running server does."""
    sent = f'-H "Authorization: Bearer {key}"'
    lead = json.dumps(EXAMPLE_LEAD, separators=(",", ":"))
    return [
        f"curl -s {address}/v1/score {sent} -H 'Content-Type: application/json' -d '{lead}'",
        f"curl -s {address}/v1/model {sent}",
        f"curl -s {address}/v1/drift {sent}",
    ]
