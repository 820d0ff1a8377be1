"""Whether the packages that Baton is made of are its own, and not others of the same name."""

from importlib.util import find_spec
from pathlib import Path

FLOORS = ("features", "training", "serving")


class WrongPackageError(ImportError):
    """Python finds other packages than Baton's own under their names."""


def check_floors() -> None:
    """Check that Baton's packages are found before any others called ``features`` or ``training``.

    Raises
    ------
    WrongPackageError
        If another one stands in the way, such as a folder of that name in the working folder.
    """
    home = Path(__file__).resolve().parents[1]
    for name in FLOORS:
        spec = find_spec(name)
        if spec is None or spec.origin is None:
            raise WrongPackageError(
                f"Baton's package {name!r} is not installed beside {home / 'baton'}."
            )
        found = Path(spec.origin).resolve().parent
        if found != home / name:
            raise WrongPackageError(
                f"Python finds {found} where Baton's own package {name!r} should be. Rename that "
                "folder, or start Python elsewhere."
            )
