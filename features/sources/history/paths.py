"""Where a history lies: a folder of this machine, or one that fsspec reaches by its URL."""

from pathlib import Path
from typing import IO, Any


class Place:
    """A folder to read files from."""

    def __init__(self, folder: Path | str) -> None:
        self._files: Any = None
        self._root = str(folder)
        if "://" in self._root and not isinstance(folder, Path):
            # Not needed on one machine, so not asked of a server that reads no history.
            from fsspec.core import url_to_fs

            self._files, self._root = url_to_fs(folder)
        self._shown = str(folder)

    def __str__(self) -> str:
        return self._shown

    def named(self, name: str) -> str:
        """Give the name of one of its files, as it is shown to people."""
        return f"{self._shown.rstrip('/')}/{name}"

    def holds(self, name: str) -> bool:
        """Tell whether it has a file."""
        if self._files is not None:
            return bool(self._files.isfile(self._path(name)))
        return Path(self._path(name)).is_file()

    def open(self, name: str) -> IO[bytes]:
        """Open a file for reading."""
        if self._files is not None:
            stream: IO[bytes] = self._files.open(self._path(name), "rb")
            return stream
        return Path(self._path(name)).open("rb")

    def _path(self, name: str) -> str:
        return f"{self._root.rstrip('/')}/{name}"
