"""Settings of the serving floor: read once from ``BATON_...``, then passed down."""

import os
from base64 import b64decode
from binascii import Error as NoBase64Error
from ipaddress import IPv4Network, IPv6Network, ip_address
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

STORE_OFF = "off"
"""In place of a database's URL: do without a store."""

TOKEN_CHARACTERS = 16
"""The fewest characters a token may have: shorter ones can be guessed."""

SECRET_BYTES = range(24, 65)
"""How long the secret of a webhook may be (Standard Webhooks)."""

MOST_IDENTITY_KEYS = 500
"""Devices of one person over years: each browser that forgets its cookies counts again."""

Network = IPv4Network | IPv6Network


class WebhookEndpoint(BaseModel):
    """Where signed webhooks go."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str
    secrets: tuple[SecretStr, ...] = Field(min_length=1, max_length=3)
    """``whsec_...``, the newest first; each signs, so that the other side can change over in its own time."""
    roles: tuple[str, ...] = ()
    """Roles of the playbook whose webhooks come here; none given: all of them."""

    @field_validator("secrets")
    @classmethod
    def _refuse_weak_secrets(cls, secrets: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        for secret in secrets:
            read_webhook_secret(secret)
        return secrets


class ChatRoom(BaseModel):
    """A room of Slack, Teams or Mattermost, by its incoming webhook."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: SecretStr
    """Whoever has it can write there, so it is a secret."""
    roles: tuple[str, ...] = ()
    """Roles of the playbook whose messages come here; none given: all of them."""


def read_webhook_secret(secret: SecretStr) -> bytes:
    """Read the key a webhook is signed with.

    Raises
    ------
    ValueError
        If it is none, or too short to be safe.
    """
    text = secret.get_secret_value()
    encoded = text.removeprefix("whsec_")
    try:
        key = b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (NoBase64Error, ValueError):
        key = b""
    if not text.startswith("whsec_") or len(key) not in SECRET_BYTES:
        raise ValueError(
            "a webhook's secret is whsec_ and 24 to 64 random bytes in base64; make one with: "
            "python -c 'import base64, secrets; "
            'print("whsec_" + base64.b64encode(secrets.token_bytes(32)).decode())\''
        )
    return key


class ServingSettings(BaseSettings):
    """How ``baton serve``, ``baton worker``, ``baton drift`` and ``baton store`` behave."""

    model_config = SettingsConfigDict(
        env_prefix="BATON_", frozen=True, extra="ignore", allow_inf_nan=False
    )

    host: str = "127.0.0.1"
    """Address to listen on. Anything but this machine itself needs keys in the store, or ``api_token``."""
    port: Annotated[int, Field(ge=0, le=65_535)] = 8000
    """TCP port to listen on; 0 takes any free one."""
    api_token: SecretStr | None = None
    """Secret that callers of ``/v1`` send as ``Authorization: Bearer ...``; at least 16 characters."""
    local_key: Path = Path("var/local.key")
    """File of the key that a server for this machine alone makes for itself, where there is no token."""
    key_cache_seconds: Annotated[float, Field(ge=0, le=300)] = 5.0
    """Seconds a key that was looked up is remembered: that long a revoked one may work. Sessions are not."""
    session_hours: Annotated[float, Field(gt=0, le=24 * 366)] = 12.0
    """Hours after which people sign in again."""
    requests_per_second: Annotated[float, Field(ge=0)] = 2_000.0
    """Requests one caller may make each second, for each process; 0 for any number."""
    requests_at_once: Annotated[float, Field(ge=1)] = 4_000.0
    """Requests one caller may make at once before that rate holds."""
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = ()
    """Further host names, separated by commas, under which callers may address a server without token."""
    database_url: SecretStr | None = None
    """A PostgreSQL server (``postgresql://...``); ``off`` does without a store. Left out, the embedded one."""
    postgres: Path = Path("var/postgres")
    """Folder of the embedded PostgreSQL."""
    allow_unsafe_durability: bool = False
    """Whether to run on a database that may lose what it confirmed (``fsync`` or ``synchronous_commit`` off)."""
    migrate_at_start: bool = True
    """Whether the server brings the tables up to date by itself; otherwise ``baton store migrate`` does."""
    database_connections: Annotated[int, Field(ge=2)] = 16
    """Most connections to the database, for each process."""
    statement_timeout_seconds: Annotated[float, Field(gt=0, le=86_400)] = 30.0
    """Seconds one statement may take."""
    lock_timeout_seconds: Annotated[float, Field(gt=0, le=86_400)] = 5.0
    """Seconds one statement may wait for another's lock."""
    tool_statement_timeout_seconds: Annotated[float, Field(gt=0)] = 5.0
    """Seconds one statement may take for messages of Segment, RudderStack or Snowplow."""
    tool_lock_timeout_seconds: Annotated[float, Field(gt=0)] = 2.0
    """Seconds one such statement may wait for another's lock."""
    champion: Path = Path("var/champion")
    """Folder of the bundle to serve; a new bundle put there is taken up without a restart."""
    champion_check_seconds: Annotated[float, Field(gt=0, le=86_400)] = 1.0
    """Seconds between two looks at the champion folder."""
    further_champions: Annotated[tuple[Path, ...], NoDecode] = ()
    """Folders of further bundles, separated by commas: served beside the champion, each with a contract of its own."""
    served: Path = Path("var/served")
    """Folder that keeps every bundle that was in use, so that a replay asks the model of then."""
    worker: bool = True
    """Whether ``baton serve`` does the background work itself; otherwise ``baton worker`` does."""
    handoffs: bool = True
    """Whether leads are handed over by the playbook: decided about after each score, clocks looked at."""
    handoffs_unagreed: bool = False
    """Whether Baton hands over by itself before both teams have agreed to a playbook; else it only proposes."""
    worker_check_seconds: Annotated[float, Field(gt=0, le=86_400)] = 0.25
    """Seconds between two looks at what is due, once nothing is."""
    worker_batch: Annotated[int, Field(ge=1, le=5_000)] = 250
    """Most leads scored in one transaction."""
    shadow: bool = False
    """Whether a challenger scores beside the champion what is asked; its scores are only kept for comparison."""
    challenger: Path = Path("var/challenger")
    """Folder of the bundle that scores in the shadow, if there is one and ``shadow`` is on."""
    max_batch: Annotated[int, Field(ge=1)] = 10_000
    """Most leads in one batch."""
    max_events: Annotated[int, Field(ge=1, le=100_000)] = 20_000
    """Most events, and most stage changes, of one lead."""
    max_identity_keys: Annotated[int, Field(ge=2)] = MOST_IDENTITY_KEYS
    """Most anonymous ids, user ids and e-mail addresses that tools may join to one person."""
    max_body_bytes: Annotated[int, Field(ge=1)] = 64 * 1024 * 1024
    """Most bytes of one request body."""
    scored_flush_seconds: Annotated[float, Field(gt=0, le=86_400)] = 5.0
    """Seconds a row scored for a request waits in memory at most before it is written to the store."""
    scored_buffer_rows: Annotated[int, Field(ge=1)] = 50_000
    """Most rows of requests held in memory; further ones are dropped and counted."""
    scored_keep_days: Annotated[int, Field(ge=1, le=36_500)] = 90
    """Days after which the rows that drift is measured on are deleted."""
    drift: Path = Path("var/drift")
    """Folder of the drift reports."""
    drift_rows: Annotated[int, Field(ge=200)] = 10_000
    """Most recent scored rows compared with the reference."""
    drift_min_rows: Annotated[int, Field(ge=2)] = 200
    """Fewest scored rows that say anything about drift."""
    drift_refresh_hours: Annotated[float, Field(gt=0, le=24 * 366)] = 6.0
    """Hours after which ``GET /v1/drift`` has a report made anew."""
    drift_timeout_seconds: Annotated[float, Field(gt=0, le=86_400)] = 600.0
    """Seconds the making of an Evidently report may take."""
    public_url: str = "http://127.0.0.1:8000"
    """Address under which people reach Baton: links in messages begin with it."""
    webhooks: dict[str, WebhookEndpoint] = {}
    """Where signed webhooks go, as JSON: name -> url, secrets, roles."""
    chats: dict[str, ChatRoom] = {}
    """Rooms that are written to, as JSON: name -> url, roles."""
    mail_to: dict[str, tuple[str, ...]] = {}
    """Who gets mail, as JSON: a role of the playbook, or ``seller:ID``, -> addresses."""
    mail_from: str = "baton@localhost"
    """Sender of every mail."""
    smtp_host: str | None = None
    """The mail server; without one no mail is sent."""
    smtp_port: Annotated[int, Field(ge=1, le=65_535)] = 587
    """Its port."""
    smtp_security: Literal["starttls", "tls", "none"] = "starttls"
    """How the line to it is made safe; ``none`` only within one machine or network."""
    smtp_user: str | None = None
    """Name to log in to it with."""
    smtp_password: SecretStr | None = None
    """Password to log in to it with."""
    send_timeout_seconds: Annotated[float, Field(ge=1, le=25)] = 15.0
    """Seconds the other side has to take a webhook, a chat message or a mail."""
    trusted_proxies: Annotated[tuple[Network, ...], NoDecode] = ()
    """Addresses or networks, separated by commas, of proxies whose ``X-Forwarded-For`` and ``-Proto`` count."""
    plain_hosts: Annotated[tuple[str, ...], NoDecode] = ()
    """Hosts, separated by commas, that webhooks may go to by ``http``; all others need ``https``."""
    private_networks: Annotated[tuple[Network, ...], NoDecode] = ()
    """Networks, separated by commas, that webhooks may reach although they are not public (``10.1.0.0/16``)."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Least severity that is logged; ``debug`` logs every request."""

    traces: bool = False
    """Whether requests are traced by OpenTelemetry, and sent where ``OTEL_EXPORTER_OTLP_ENDPOINT`` says."""

    @field_validator(
        "allowed_hosts", "plain_hosts", "private_networks", "trusted_proxies", mode="before"
    )
    @classmethod
    def _split_hosts(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip().lower() for part in value.split(",") if part.strip())
        return value

    @field_validator("further_champions", mode="before")
    @classmethod
    def _split_folders(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(Path(part.strip()) for part in value.split(",") if part.strip())
        return value

    @field_validator("api_token", mode="before")
    @classmethod
    def _refuse_weak_token(cls, value: object) -> object:
        token = value.get_secret_value() if isinstance(value, SecretStr) else value
        if token is None or token == "":
            return None
        if not isinstance(token, str) or len(token) < TOKEN_CHARACTERS:
            raise ValueError(
                f"a token needs at least {TOKEN_CHARACTERS} characters; make one with: "
                "python -c 'import secrets; print(secrets.token_urlsafe(32))'"
            )
        return value

    @field_validator("database_url", mode="before")
    @classmethod
    def _refuse_other_databases(cls, value: object) -> object:
        url = value.get_secret_value() if isinstance(value, SecretStr) else value
        if url is None or url == "":
            return None
        if not isinstance(url, str) or (url != STORE_OFF and not url.startswith("postgres")):
            raise ValueError("name a PostgreSQL server (postgresql://user@host/baton), or: off")
        return value

    @property
    def has_store(self) -> bool:
        """Whether there is a store at all."""
        return self.find_database_url() != STORE_OFF

    def find_database_url(self) -> str | None:
        """Find the URL of a server of one's own; None for the embedded one."""
        if self.database_url is None:
            return None
        return self.database_url.get_secret_value().replace("postgres://", "postgresql://", 1)

    @property
    def has_local_credentials(self) -> bool:
        """Whether the server makes a key for those at this machine."""
        return self.is_local and self.api_token is None

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach the server."""
        return is_loopback(self.host)


def is_loopback(host: str) -> bool:
    """Tell whether a host name or address means this very machine.

    >>> is_loopback("127.0.0.1"), is_loopback("::1"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def build_guest_environment() -> dict[str, str]:
    """Build the environment of a guest process: ours without our settings, which hold secrets."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("BATON_")}
    return {**ours, "DO_NOT_TRACK": "true", "OMP_NUM_THREADS": "1"}
