"""Do what the Dockerfile's server stage does to Python, in a clean environment: compose cannot run everywhere.

``python -m tests.install_as_docker_does FOLDER`` takes a minute and an index; ``docs/how-to/deploy.md``
says when it was last run. The commands are read from the Dockerfile, so they are the ones that count.
"""

import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]


def read_steps(dockerfile: str) -> list[str]:
    """Read the commands of the first stage that install and warm; what needs root or a user is left out."""
    stage = dockerfile.split("\nFROM ")[1].replace("\\\n", " ")
    steps = [
        step for run in re.findall(r"^RUN (.+)$", stage, re.MULTILINE) for step in run.split("&&")
    ]
    words = ("pip install", "baton.pth", "-m training.warm")
    return [" ".join(step.split()) for step in steps if any(word in step for word in words)]


def install(folder: Path) -> None:
    """Copy the sources, make the environment, run the steps, and ask the result for its help."""
    home, environment = folder / "baton", folder / "venv"
    venv.create(environment, with_pip=True)
    for name in ("baton", "features", "training", "serving", "requirements"):
        shutil.copytree(ROOT / name, home / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", home)
    python = environment / "bin" / "python"
    for step in [*read_steps((ROOT / "Dockerfile").read_text()), "python -m baton serve --help"]:
        here = step.replace("/opt/venv", str(environment)).replace("/opt/baton", str(home))
        here = f'export PATH="{python.parent}:$PATH"; {here}'
        subprocess.run(["bash", "-ec", here], cwd=home, check=True)


if __name__ == "__main__":
    install(Path(sys.argv[1]).resolve())
