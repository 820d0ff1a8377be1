"""``baton serve``: start the server and say what to try."""

import logging
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import structlog
import typer
import uvicorn
from pydantic import ValidationError

from serving.app import build_app, check_exposure
from serving.errors import PortTakenError, ServingError
from serving.scoring.examples import build_curl_lines
from serving.settings import ServingSettings

EXIT_REFUSED = 2
"""Exit code if the server may not or cannot start."""

SHUTDOWN_SECONDS = 10
"""Seconds requests under way have to finish after a stop."""


def set_up_logging(level: str) -> None:
    """Log as JSON lines to the standard error: an event and its fields, ids and counts only."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        logger_factory=structlog.WriteLoggerFactory(file=typer.get_text_stream("stderr")),
    )


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
    """Says when it is ready to answer."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start listening, then say so."""
        await super().startup(sockets)
        if self.started and not self.should_exit:
            self._announce()


def _announce(settings: ServingSettings, port: int, ready: Callable[[], bool]) -> None:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    address = f"http://{host}:{port}"
    typer.echo(f"\nBaton is listening on {address}")
    if not ready():
        typer.echo(
            f"No model is served yet: none could be loaded from {settings.champion}. "
            "Train one with `baton train`; it is taken up without a restart."
        )
    typer.echo("Try:\n")
    for line in build_curl_lines(address, with_token=settings.api_token is not None):
        typer.echo(f"  {line}\n")
    typer.echo("Stop with Ctrl+C.")


def run_server(settings: ServingSettings) -> None:
    """Serve until stopped.

    Raises
    ------
    ExposedWithoutTokenError
        If the server would be open to the network without a token.
    PortTakenError
        If the address cannot be had.
    ServingError
        If the database is not there, or not as it must be.
    """
    check_exposure(settings)
    listener = open_socket(settings.host, settings.port)
    port = int(listener.getsockname()[1])
    app = build_app(settings)
    if app.state.store is not None:
        # Before the server is begun, which would tell of a refusal by a traceback.
        try:
            app.state.store.open()
        except ServingError:
            listener.close()
            raise
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=port,
        log_config=None,
        log_level=settings.log_level,
        access_log=False,
        server_header=False,
        date_header=True,
        lifespan="on",
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
    )
    desk = app.state.champion_desk
    AnnouncingServer(
        config, lambda: _announce(settings, port, lambda: desk.find_champion() is not None)
    ).run(sockets=[listener])


def serve_command(
    host: Annotated[
        str | None, typer.Option(help="Address to listen on; BATON_HOST if left out.")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(help="Port to listen on; BATON_PORT if left out.", min=0, max=65535),
    ] = None,
    champion: Annotated[
        Path | None, typer.Option(help="Folder of the bundle; BATON_CHAMPION if left out.")
    ] = None,
) -> None:
    """Serve scores over HTTP until stopped."""
    given: dict[str, Any] = {"host": host, "port": port, "champion": champion}
    try:
        settings = ServingSettings(**{k: v for k, v in given.items() if v is not None})
        set_up_logging(settings.log_level)
        run_server(settings)
    except ValidationError as error:
        for problem in error.errors(include_input=False, include_url=False):
            name = "BATON_" + "_".join(str(part) for part in problem["loc"]).upper()
            typer.echo(f"{name}: {problem['msg']}", err=True)
        raise typer.Exit(EXIT_REFUSED) from None
    except ServingError as error:
        typer.echo(f"{error} {getattr(error, 'fix', '')}".strip(), err=True)
        raise typer.Exit(EXIT_REFUSED) from None
