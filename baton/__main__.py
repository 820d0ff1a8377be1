"""Start the command line."""

import sys
from typing import NoReturn

from baton.extras import explain_missing
from baton.floors import WrongPackageError, check_floors

EXIT_NOT_INSTALLED = 1
"""Exit code if something that a command needs is not installed, or hidden by another package."""


def main() -> None:
    """Run the command line; what is not installed is named, with what to install."""
    try:
        check_floors()
        from baton.command_line import app

        app()
    except WrongPackageError as wrong:
        _refuse(str(wrong))
    except ModuleNotFoundError as missing:
        explained = explain_missing(missing)
        if explained is None:
            raise
        _refuse(explained)


def _refuse(words: str) -> NoReturn:
    sys.stderr.write(f"{words}\n")
    sys.exit(EXIT_NOT_INSTALLED)


if __name__ == "__main__":
    main()
