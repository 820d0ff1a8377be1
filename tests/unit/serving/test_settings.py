"""Settings, and the rule that an open server asks who is there."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from serving.app import build_app
from serving.errors import ExposedWithoutTokenError
from serving.settings import ServingSettings, build_guest_environment, is_loopback
from tests.unit.serving.factories import make_settings

ROOT = Path(__file__).parents[3]
TOKEN = "a-secret-of-some-length"  # noqa: S105 - of no server but the test's
WEAK = "hunter2"
OPEN_HOSTS = ["0.0.0.0", "::", "10.0.0.7", "score.example.com", ""]  # noqa: S104 - what is refused


@pytest.mark.parametrize("host", OPEN_HOSTS)
def test_a_server_others_can_reach_does_not_start_if_nobody_could_have_a_key(
    host: str, tmp_path: Path
) -> None:
    with pytest.raises(ExposedWithoutTokenError, match="Set BATON_API_TOKEN"):
        build_app(make_settings(tmp_path, host=host))

    build_app(make_settings(tmp_path, host=host, api_token=TOKEN))
    build_app(make_settings(tmp_path, host=host, database_url="postgresql://db/baton"))


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.2", "localhost", "LOCALHOST", "::1", "[::1]"]
)
def test_the_machine_itself_needs_no_token(host: str, tmp_path: Path) -> None:
    assert is_loopback(host)
    build_app(make_settings(tmp_path, host=host))


def test_a_weak_token_is_refused_and_not_repeated() -> None:
    with pytest.raises(ValidationError, match="at least 16 characters") as refused:
        ServingSettings(api_token=WEAK)

    assert WEAK not in str(refused.value.errors(include_input=False))


def test_an_empty_token_is_none() -> None:
    assert ServingSettings(api_token="").api_token is None


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATON_PORT", "9000")
    monkeypatch.setenv("BATON_ALLOWED_HOSTS", "score.example.com, Leads.example.com")

    settings = ServingSettings()

    assert settings.port == 9000
    assert settings.allowed_hosts == ("score.example.com", "leads.example.com")


def test_a_guest_process_gets_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATON_API_TOKEN", TOKEN)

    environment = build_guest_environment()

    assert TOKEN not in environment.values()
    assert environment["DO_NOT_TRACK"] == "true"


def test_every_setting_is_described_in_the_manual() -> None:
    manual = (ROOT / "docs/reference/settings.md").read_text(encoding="utf-8")

    for name in ServingSettings.model_fields:
        assert f"`BATON_{name.upper()}`" in manual
