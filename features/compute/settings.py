"""Settings of computing, read once."""

from pydantic_settings import BaseSettings, SettingsConfigDict


class ComputeSettings(BaseSettings):
    """Where matrices are computed. Set by environment variables ``BATON_<NAME>``."""

    model_config = SettingsConfigDict(env_prefix="BATON_", frozen=True, extra="ignore")

    dask: str | None = None
    """Compute on Dask: address of a scheduler, such as ``tcp://127.0.0.1:8786``, or ``local``."""


LOCAL = "local"
"""Stands for workers that are started on this machine for the time of a command."""


def choose_dask(dask: bool | None, scheduler: str | None) -> str | None:
    """Decide where to compute: a scheduler's address, ``LOCAL``, or None for this process.

    ``--no-dask`` wins over ``--scheduler``, that over BATON_DASK, that over ``--dask``, which
    starts workers here.

    >>> choose_dask(None, "tcp://10.0.0.5:8786")
    'tcp://10.0.0.5:8786'
    """
    if dask is False:
        return None
    return scheduler or ComputeSettings().dask or (LOCAL if dask else None)
