"""``baton serve`` and ``baton worker``: read the settings, then import what works on them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from serving.errors import ServingError
from serving.settings import ServingSettings

EXIT_REFUSED = 2
"""Exit code if the server or the worker may not or cannot start."""


@contextmanager
def _refusals() -> Iterator[None]:
    """Say what is wrong with the settings or the surroundings in a line, without a traceback."""
    try:
        yield
    except ValidationError as error:
        for problem in error.errors(include_input=False, include_url=False):
            name = "BATON_" + "_".join(str(part) for part in problem["loc"]).upper()
            typer.echo(f"{name}: {problem['msg']}", err=True)
        raise typer.Exit(EXIT_REFUSED) from None
    except ServingError as error:
        typer.echo(f"{error} {getattr(error, 'fix', '')}".strip(), err=True)
        raise typer.Exit(EXIT_REFUSED) from None


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
    with _refusals():
        settings = ServingSettings(**{k: v for k, v in given.items() if v is not None})
        from serving.server import run_server
        from serving.web_api.logs import set_up_logging

        set_up_logging(settings.log_level)
        run_server(settings)


def worker_command() -> None:
    """Run the background work until stopped: live scores, outgoing messages, jobs."""
    with _refusals():
        settings = ServingSettings()
        import asyncio

        from serving.background import run_worker
        from serving.web_api.logs import set_up_logging

        set_up_logging(settings.log_level)
        asyncio.run(run_worker(settings))
