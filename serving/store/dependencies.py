"""What routes ask of the store: a unit of work, committed before the answer leaves."""

from collections.abc import Iterator
from typing import Annotated

from fastapi import Depends, Request

from serving.store.errors import StoreOffError
from serving.store.session import Store, UnitOfWork


async def get_store(request: Request) -> Store:
    """Give the store.

    Raises
    ------
    StoreOffError
        If the server runs without.
    """
    store: Store | None = request.app.state.store
    if store is None:
        raise StoreOffError
    return store


InStore = Annotated[Store, Depends(get_store)]


def get_work(store: InStore) -> Iterator[UnitOfWork]:
    """Give the request's unit of work."""
    with store.work() as work:
        yield work


def get_reading(store: InStore) -> Iterator[UnitOfWork]:
    """Give a unit of work that only reads, all of it as of one moment."""
    with store.work(read_only=True) as work:
        yield work


# With the scope "function" the block is left, and so committed, before the answer is sent: what
# was answered with 2xx is on disk. With the default scope it would be the other way round.
Work = Annotated[UnitOfWork, Depends(get_work, scope="function")]
Reading = Annotated[UnitOfWork, Depends(get_reading, scope="function")]
