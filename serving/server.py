"""The server: take the address, start, say what to try, serve until stopped."""

import asyncio
import gc
import socket
from collections.abc import Callable

import typer
import uvicorn
from fastapi import FastAPI

from features import clock
from serving.app import build_app, check_exposure
from serving.auth.authenticator import Authenticator
from serving.errors import PortTakenError, ServingError
from serving.scoring.examples import build_curl_lines, format_key
from serving.settings import ServingSettings
from serving.web_api.connections import (
    GuardedProtocol,
    allow_many_connections,
    watch_connections,
)

SHUTDOWN_SECONDS = 10
"""Seconds requests under way have to finish after a stop."""


def open_socket(host: str, port: int) -> socket.socket:
    """Take hold of an address before anything else is started.

    Raises
    ------
    PortTakenError
        If it cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise PortTakenError(host, port, error.strerror or "no such address") from error
    return listener


class AnnouncingServer(uvicorn.Server):
    """Says when it is ready to answer, and closes connections that keep it waiting."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = announce
        self._watch: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start listening, then say so."""
        await super().startup(sockets)
        self._watch = asyncio.create_task(watch_connections(self.server_state.connections))
        # What was made so far stays: the collector need not look through it under requests.
        gc.collect()
        gc.freeze()
        if self.started and not self.should_exit:
            self._announce()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop listening and watching."""
        if self._watch is not None:
            self._watch.cancel()
        await super().shutdown(sockets)


def build_server(
    app: FastAPI, settings: ServingSettings, announce: Callable[[], None] = lambda: None
) -> AnnouncingServer:
    """Build the server around an application, as production runs it."""
    config = uvicorn.Config(
        app,
        host=settings.host,
        http=GuardedProtocol,
        ws="none",
        log_config=None,
        log_level=settings.log_level,
        access_log=False,
        server_header=False,
        date_header=True,
        # Whoever else could say on whose behalf it asks, and so hide among others.
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=[str(network) for network in settings.trusted_proxies],
        lifespan="on",
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
    )
    return AnnouncingServer(config, announce)


def describe_access(
    settings: ServingSettings, address: str, authenticator: Authenticator
) -> list[str]:
    """Say how to get in, in lines for the terminal."""
    if authenticator.local is not None:
        ticket = authenticator.local.give_ticket(clock.now())
        return [
            f"Open it in a browser (signs in one, once): {address}/sign-in?ticket={ticket}",
            f"Programs send the key in {settings.local_key}, which is for this machine alone.",
        ]
    if settings.has_store:
        return ["Keys for others: `baton keys create NAME --role crm`. People: `baton users add`."]
    return ["Callers send the token of BATON_API_TOKEN."]


def _announce(settings: ServingSettings, port: int, app: FastAPI) -> None:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    address = f"http://{host}:{port}"
    typer.echo(f"\nBaton is listening on {address}")
    if app.state.champion_holder.find_champion() is None:
        typer.echo(
            f"No model is served yet: none could be loaded from {settings.champion}. "
            "Train one with `baton train`; it is loaded without a restart."
        )
    for line in describe_access(settings, address, app.state.authenticator):
        typer.echo(line)
    typer.echo("Try:\n")
    for line in build_curl_lines(address, format_key(settings)):
        typer.echo(f"  {line}\n")
    typer.echo("Stop with Ctrl+C.")


def run_server(settings: ServingSettings) -> None:
    """Serve until stopped.

    Raises
    ------
    ExposedWithoutTokenError
        If the server would be open to the network, and nobody could have a key.
    PortTakenError
        If the address cannot be had.
    ServingError
        If the database is not there, or not as it must be.
    """
    check_exposure(settings)
    listener = open_socket(settings.host, settings.port)
    port = int(listener.getsockname()[1])
    app = build_app(settings)
    # Before the server is begun, which would tell of a refusal by a traceback.
    try:
        if app.state.store is not None:
            app.state.store.open()
        if app.state.authenticator.local is not None:
            app.state.authenticator.local.open()
    except ServingError:
        listener.close()
        raise
    allow_many_connections()
    build_server(app, settings, lambda: _announce(settings, port, app)).run(sockets=[listener])
