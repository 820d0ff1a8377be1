"""The store as a command opens it: a refusal becomes words and an exit code."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from serving.errors import ServingError
from serving.settings import ServingSettings
from serving.store.errors import StoreOffError
from serving.store.session import Store

EXIT_REFUSED = 2
"""Exit code if the database is not there, or not as it must be."""


@contextmanager
def open_store(settings: ServingSettings) -> Iterator[Store]:
    """Open the store for a command, which then ends with words and a code instead of a traceback."""
    try:
        if not settings.has_store:
            raise StoreOffError
        store = Store(settings)
        store.open()
        try:
            yield store
        finally:
            store.close()
    except ServingError as error:
        typer.echo(f"{error} {getattr(error, 'fix', '')}".strip(), err=True)
        raise typer.Exit(EXIT_REFUSED) from None
