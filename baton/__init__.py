"""Which leads will convert, why, and when to hand them over.

``import baton`` offers what a data scientist needs in a notebook; everything else is a command
(``baton --help``) or an address of the server. Nothing is imported before it is used.

>>> import baton
>>> baton.__all__
['Bundle', 'History', 'load_bundle', 'read_history', 'train']
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from baton.library import Bundle, History, load_bundle, read_history, train

__all__ = ["Bundle", "History", "load_bundle", "read_history", "train"]


def __getattr__(name: str) -> Any:
    """Import what is asked for (PEP 562): ``baton --help`` then waits for no library.

    Raises
    ------
    ImportError
        If what it needs is not installed, or stands behind other packages of the same name.
    """
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from baton.extras import explain_missing
    from baton.floors import check_floors

    check_floors()
    try:
        from baton import library
    except ModuleNotFoundError as missing:
        explained = explain_missing(missing)
        if explained is None:
            raise
        raise ImportError(explained) from missing
    return getattr(library, name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
