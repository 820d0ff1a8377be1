"""Wrong surroundings and wrong numbers are said in words, by commands and answers alike."""

from collections import namedtuple
from pathlib import Path

import pytest
from pydantic import ValidationError
from typer.testing import CliRunner

from baton.command_line import app
from serving.auth.errors import LocalKeyUnreadableError
from serving.auth.roles import Role
from serving.server import run_server
from serving.settings import ServingSettings
from serving.store.errors import StoreFullError, StoreUnavailableError
from serving.store.session import Store
from tests.integration.auth.factories import bearer, make_app, make_key
from tests.integration.handoff.office import agree
from tests.unit.serving.factories import make_settings, running_app

NUMBERS = ("nan", "inf", "-inf", "1e999")
FULL = "DO $$ BEGIN RAISE EXCEPTION 'no room' USING ERRCODE = '{code}'; END $$"


@pytest.mark.parametrize(
    ("code", "lacks"),
    [("53100", "room on its disk"), ("53200", "memory"), ("53300", "connection")],
)
def test_a_full_database_is_called_full(store: Store, code: str, lacks: str) -> None:
    with pytest.raises(StoreFullError, match=lacks) as refused, store.work() as work:
        work.execute(FULL.format(code=code))

    assert refused.value.status == 503
    assert refused.value.headers["Retry-After"] == "60"


def test_a_database_that_went_down_on_a_full_disk_is_called_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sqlalchemy.exc import OperationalError

    store = Store(make_settings(tmp_path, database_url=None, postgres=tmp_path))
    away = OperationalError("", {}, Exception("server closed the connection"))
    usage = namedtuple("usage", "total used free")

    monkeypatch.setattr("serving.store.session.disk_usage", lambda _: usage(9, 9, 1_000))
    full = store._build_refusal(away)
    monkeypatch.setattr("serving.store.session.disk_usage", lambda _: usage(9, 1, 10**9))
    slow = store._build_refusal(away)

    assert isinstance(full, StoreFullError)
    assert type(slow) is StoreUnavailableError


@pytest.mark.parametrize("held", [b"\xff\xfe\x00" * 40, b"\x00" * 60, b"two words " * 10])
def test_a_local_key_that_is_none_is_named_with_its_file(tmp_path: Path, held: bytes) -> None:
    (tmp_path / "local.key").write_bytes(held)

    with pytest.raises(LocalKeyUnreadableError, match=r"local\.key"):
        run_server(make_settings(tmp_path, port=0))


def test_a_local_key_that_cannot_be_read_is_named_too(tmp_path: Path) -> None:
    (tmp_path / "local.key").mkdir()

    with pytest.raises(LocalKeyUnreadableError, match=r"local\.key"):
        run_server(make_settings(tmp_path, port=0))


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize(
    "words",
    [
        ("keys", "create", "a", "--role", "crm", "--expires-in-days"),
        ("keys", "rotate", "a", "--overlap-days"),
        ("features", "compute", "nothing", "--to", "nowhere", "--for"),
        ("playbook", "replay", "nothing", "--history", "nothing", "--capacity"),
        ("train", "nothing", "--horizon"),
        ("train", "nothing", "--seed"),
        ("backtest", "nothing", "--horizon"),
        ("simulate", "--to", "nowhere", "--leads"),
        ("audit-log", "tail", "--entries"),
    ],
    ids=" ".join,
)
def test_a_number_that_is_none_is_refused_in_words(
    words: tuple[str, ...], number: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BATON_DATABASE_URL", "off")
    unit = "d" if words[-1] == "--horizon" else ""

    refused = CliRunner().invoke(app, [*words, f"{number}{unit}"])

    assert refused.exit_code == 2, refused.output
    assert isinstance(refused.exception, SystemExit)
    assert words[-1] in refused.output or f"{number}{unit}" in refused.output


@pytest.mark.parametrize("span", ["nand", "infd", "1e300d", "-1d", "0d", "d", ""])
def test_a_span_of_no_length_is_none(span: str) -> None:
    import typer

    from training.commands.options import read_seconds, read_span

    with pytest.raises(typer.BadParameter):
        read_span(span)
    if span != "0d":  # no time at all is one that machines may be given
        with pytest.raises(typer.BadParameter):
            read_seconds(span.replace("d", "h"))


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize(
    "name", ["session_hours", "requests_per_second", "drift_refresh_hours", "key_cache_seconds"]
)
def test_a_setting_that_is_no_number_is_refused(name: str, number: str) -> None:
    with pytest.raises(ValidationError):
        ServingSettings(**{name: number})


def test_who_acts_for_a_seller_is_referred_to_never_named(
    store: Store, database_url: str, tmp_path: Path
) -> None:
    agree(store)
    key = make_key(store, Role.ADMIN)
    with running_app(make_app(tmp_path, database_url), bearer(key)) as client:

        def name(actor: str | None) -> int:
            return client.put("/v1/sellers/ann/actor", json={"actor": actor}).status_code

        assert name("Ann Example, ann@example.com") == 422
        assert name("person:nobody") == 404
        assert name(f"key:{key.split('_')[1]}") == 204
        assert name(None) == 204
        entries = client.get("/v1/audit").json()["entries"]

    named = [one["subject_id"] for one in entries if one["action"] == "named"]
    assert named == [None, f"key:{key.split('_')[1]}"]


def test_prices_and_points_that_are_no_numbers_are_refused() -> None:
    from training.errors import PointsTableError, TimingPricesError
    from training.estimators.points import read_points
    from training.run.timing import read_timing_options

    with pytest.raises(TimingPricesError, match="nan"):
        read_timing_options("touch = nan")
    with pytest.raises(PointsTableError, match="inf"):
        read_points('[[rule]]\nfeature = "x"\nat_least = 1\npoints = inf')
