"""Bundles are written aside and moved into place whole, so that nobody meets half of one."""

import shutil
import tempfile
from pathlib import Path


def make_draft(bundles: Path) -> Path:
    """Make a folder to write a bundle in, beside its later place."""
    bundles.mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(prefix=".draft-", dir=bundles))


def place_draft(draft: Path, folder: Path) -> Path:
    """Move a sealed draft into place; the same version, made before, makes room."""
    draft.chmod(0o755)
    if folder.exists():
        shutil.rmtree(folder)
    draft.rename(folder)
    return folder
