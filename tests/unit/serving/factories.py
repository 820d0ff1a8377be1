"""A small bundle with real features and a hand-made model, and what to ask of it."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread
from time import sleep
from types import MappingProxyType
from typing import Any

import httpx
import numpy as np
from fastapi import FastAPI
from numpy.typing import NDArray

from features.catalog.fit import OTHER_CATEGORY, LeadAttribute
from features.catalog.manifest import Catalog, build_catalog
from features.clock import to_us
from features.compute.online import compute_rows
from features.taxonomy import default_taxonomy
from serving.app import build_app
from serving.scoring.request.records import read_lead
from serving.scoring.request.service import read_body
from serving.server import build_server, open_socket
from serving.settings import ServingSettings
from training.bundle import Band, Contract, Scale, seal_bundle, write_bundle
from training.models.linear import LinearModel, Term
from training.reference_profile import ReferenceProfile, Support

NOW = datetime(2026, 3, 9, 9, 0, tzinfo=UTC)

ATTRIBUTES = (
    LeadAttribute("industry", "category", ("logistics", "software", OTHER_CATEGORY)),
    LeadAttribute("employees", "number"),
    LeadAttribute("has_phone", "flag"),
    LeadAttribute("contract_ends", "time"),
)


def make_catalog(*, accounts: bool = False) -> Catalog:
    return build_catalog(default_taxonomy(), ATTRIBUTES, accounts=accounts)


def make_lead(**changes: Any) -> dict[str, Any]:
    """Make a valid lead as a caller sends it."""
    lead: dict[str, Any] = {
        "lead_id": "ann@example.com",
        "created_at": (NOW - timedelta(days=12)).isoformat(),
        "as_of": NOW.isoformat(),
        "attributes": {"industry": "software", "employees": 250, "has_phone": True},
        "events": [
            {"name": "Viewed Pricing", "occurred_at": (NOW - timedelta(days=2)).isoformat()},
            {
                "kind": "email_open",
                "occurred_at": (NOW - timedelta(days=5)).isoformat(),
                "channel": "email",
            },
        ],
        "stages": [{"stage": "mql", "at": (NOW - timedelta(days=2)).isoformat()}],
    }
    return {**lead, **changes}


def draw_leads(rng: np.random.Generator, n_leads: int) -> list[dict[str, Any]]:
    """Draw leads of every sort, some with almost nothing known."""
    kinds = make_catalog().taxonomy.kind_names
    leads = []
    for i in range(n_leads):
        moments = NOW - rng.random(int(rng.integers(0, 8))) * timedelta(days=11)
        events = [
            {"kind": str(rng.choice(kinds)), "occurred_at": moment.isoformat(), "channel": "web"}
            for moment in moments
        ]
        attributes: dict[str, Any] = {}
        if rng.random() < 0.7:
            attributes["industry"] = str(rng.choice(["software", "logistics", "fishing"]))
        if rng.random() < 0.6:
            attributes["employees"] = float(rng.integers(1, 5000))
        leads.append(make_lead(lead_id=f"L{i}", attributes=attributes, events=events, stages=[]))
    return leads


# Terms by feature: (centre, scale, weight, log-odds if missing, log-odds by code, mean).
TERMS = {
    "pricing_view_count_7d": Term(0.0, 1.0, 1.0, 0.0, (), 0.2),
    "email_open_count_30d": Term(0.0, 1.0, -0.4, 0.0, (), -0.1),
    "days_since_created": Term(2.0, 1.0, -0.3, 0.0, (), 0.0),
    "employees": Term(4.0, 2.0, 0.5, -0.3, (), 0.1),
    "industry": Term(0.0, 1.0, 0.0, -0.2, (0.3, 0.8, -0.1), 0.25),
    "stage_changes": Term(0.0, 1.0, 0.2, 0.0, (), 0.0),
}

ACCOUNT_TERMS = {
    "colleagues": Term(0.5, 0.5, 0.3, -0.1, (), 0.0),
    "colleagues_trend_7d_30d": Term(0.0, 1.0, 0.6, -0.1, (), 0.0),
}

CONTRACT = Contract("sql", 30.0, "SQL within 30 days")

BANDS = (
    Band("A", 65.0, 100, 0.4, 0.35, 0.05),
    Band("B", 55.0, 100, 0.2, 0.22, 0.02),
    Band("C", 45.0, 100, 0.1, 0.1, 0.0),
    Band("D", -np.inf, 0, None, None, None),
)

CARD: dict[str, Any] = {
    "format": 1,
    "data": {"slices": [{"name": "newest", "last": "2026-02-01T00:00:00+00:00"}]},
    "quality": {"base_rate": 0.14, "auc": 0.71, "auc_interval": [0.68, 0.74]},
    "candidates": [{"name": "logistic regression", "log_loss": 0.3}],
    "warnings": ["<script>alert(1)</script> is shown as text."],
    "pictures": ["reliability.png"],
}

PICTURE = b"\x89PNG\r\n\x1a\n not really"


def draw_reference(catalog: Catalog, n_rows: int = 600, seed: int = 5) -> NDArray[np.float32]:
    """Draw rows such as `draw_leads` make: the reference of the small bundle."""
    reads = [
        read_lead(read_body(json.dumps(lead).encode()), catalog, "sql", NOW, 1_000)
        for lead in draw_leads(np.random.default_rng(seed), n_rows)
    ]
    return compute_rows(catalog, [r.record for r in reads], [to_us(r.as_of) for r in reads])


def write_small_bundle(
    folder: Path,
    bias: float = -2.0,
    name: str = "small",
    *,
    contract: Contract = CONTRACT,
    accounts: bool = False,
    provenance: Mapping[str, str] = MappingProxyType({}),
) -> Path:
    """Write a bundle whose every weight can be checked by hand."""
    catalog = make_catalog(accounts=accounts)
    column = {feature: i for i, feature in enumerate(catalog.names)}
    terms = TERMS | (ACCOUNT_TERMS if accounts else {})
    model = LinearModel(bias, len(column), {column[n]: term for n, term in terms.items()})
    scale = Scale(slope=1.1, intercept=0.05, bias=bias)
    rows = draw_reference(catalog)
    scores = scale.scores(model.contributions(rows))
    attributes = [column[n] for n in ("industry", "employees", "has_phone", "contract_ends_days")]
    write_bundle(
        folder,
        name=name,
        contract=contract,
        catalog=catalog,
        model=model,
        model_kind="logistic regression",
        scale=scale,
        bands=BANDS,
        support=Support(
            np.array(attributes, np.int64),
            column["engagement_count_life"],
            column["stage_changes"],
            column["days_since_created"],
            1,
            400.0,
        ),
        profile=ReferenceProfile(rows, scores.probability, scores.points),
        provenance=provenance,
    )
    (folder / "card.json").write_text(json.dumps(CARD), encoding="utf-8")
    (folder / "reliability.png").write_bytes(PICTURE)
    seal_bundle(folder)
    return folder


def make_settings(folder: Path, **changes: Any) -> ServingSettings:
    """Make settings that keep everything inside a folder."""
    given: dict[str, Any] = {
        "database_url": "off",
        "worker": False,
        "handoffs": False,
        "served": folder / "served",
        "champion": folder / "champion",
        "drift": folder / "drift",
        "local_key": folder / "local.key",
        "champion_check_seconds": 0.05,
        "scored_flush_seconds": 0.05,
    }
    return ServingSettings(**{**given, **changes})


def settle_in(home: Path, database_url: str, **changes: Any) -> ServingSettings:
    """Write the small bundle, and make settings that serve it over a store."""
    write_small_bundle(home / "champion")
    stored = {"database_url": database_url, "allow_unsafe_durability": True}
    return make_settings(home, **{**stored, **changes})


@contextmanager
def running(settings: ServingSettings) -> Iterator[httpx.Client]:
    """Run a server on a free port, and give a client that talks to it over HTTP."""
    token = settings.api_token
    headers = {"Authorization": f"Bearer {token.get_secret_value()}"} if token else None
    with running_app(build_app(settings), headers) as client:
        yield client


@contextmanager
def running_app(app: FastAPI, headers: dict[str, str] | None = None) -> Iterator[httpx.Client]:
    """Run an application on a free port, and give a client that talks to it over HTTP.

    Without headers it sends the key of this machine, where the application has one.
    """
    listener = open_socket("127.0.0.1", 0)
    port = listener.getsockname()[1]
    bare = ServingSettings(database_url="off")  # bare apps of tests have none of their own
    server = build_server(app, getattr(app.state, "settings", bare))
    thread = Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        with httpx.Client(
            base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=60.0
        ) as client:
            wait_until(lambda: server.started)
            authenticator = getattr(
                app.state, "authenticator", None
            )  # bare apps of tests have none
            if headers is None and authenticator is not None and authenticator.local is not None:
                client.headers["Authorization"] = f"Bearer {authenticator.local.key}"
            yield client
    finally:
        server.should_exit = True
        thread.join(20.0)
        listener.close()


def wait_until(holds: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait for something another thread or process does."""
    for _ in range(int(seconds / 0.02)):
        if holds():
            return
        sleep(0.02)
    raise TimeoutError(f"still not so after {seconds} s")


def post_json(client: httpx.Client, path: str, payload: Any) -> httpx.Response:
    return client.post(
        path, content=json.dumps(payload), headers={"Content-Type": "application/json"}
    )
