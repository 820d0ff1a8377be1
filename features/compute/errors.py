"""Refusals of computing: each says what to do next."""

from features.errors import FeaturesError


class GridError(FeaturesError):
    """A list of moments cannot be read."""

    def __init__(self, path: str, problem: str) -> None:
        self.path = path
        self.problem = problem
        super().__init__(
            f"The moments in {path} cannot be used: {problem}. Give a Parquet or CSV file with the "
            "columns lead_id and as_of, a time with its zone such as 2026-03-02T09:00:00Z."
        )


class MatrixFolderTakenError(FeaturesError):
    """The folder a matrix should go to holds something else."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        super().__init__(
            f"{folder} holds files but no matrix, so nothing was written there. Give --to another "
            "folder, or move those files away."
        )


class NoDaskError(FeaturesError):
    """Dask is asked for but not installed."""

    def __init__(self, missing: str) -> None:
        super().__init__(
            f"Dask is not installed here ({missing}). Install the extra `train`, or leave out "
            "--dask and BATON_DASK: one machine is faster without."
        )


class SchedulerNotFoundError(FeaturesError):
    """No Dask scheduler answers, or it has no workers."""

    def __init__(self, address: str, problem: str) -> None:
        self.address = address
        super().__init__(
            f"Dask at {address} cannot be used: {problem}. Start `dask scheduler` and `dask worker "
            "ADDRESS --nthreads 1`, and give the address with --scheduler or BATON_DASK."
        )


class WorkerError(FeaturesError):
    """A partition failed on a Dask worker."""

    def __init__(self, partition: int, problem: str) -> None:
        self.partition = partition
        super().__init__(
            f"Partition {partition} failed on a Dask worker: {problem}. Workers need the same "
            "Baton, and the history and the output under the same path as here."
        )
