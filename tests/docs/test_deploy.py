"""The set-up for containers names what is there: settings, commands, stages, files."""

import re
from pathlib import Path

import yaml

from baton.command_line import COMMANDS
from serving.settings import ServingSettings
from tests.install_as_docker_does import read_steps
from training.settings import TrainingSettings

ROOT = Path(__file__).parents[2]
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())
DOCKERFILE = (ROOT / "Dockerfile").read_text()
FIELDS = {*ServingSettings.model_fields, *TrainingSettings.model_fields}
OTHERS = {"mlflow", "database"}
"""Services whose commands are not ours."""


def test_every_setting_in_the_compose_file_exists_and_can_be_read(monkeypatch) -> None:
    for service in COMPOSE["services"].values():
        settings = {k: v for k, v in service.get("environment", {}).items() if "BATON_" in k}
        assert {name.removeprefix("BATON_").lower() for name in settings} <= FIELDS
        for name, value in settings.items():
            monkeypatch.setenv(name, re.sub(r"\$\{.*?\}", "secret", value))
        ServingSettings()


def test_every_command_in_the_compose_file_is_one_of_ours() -> None:
    commands = set(COMMANDS)
    output = {
        service["command"][0]
        for name, service in COMPOSE["services"].items()
        if name not in OTHERS and "command" in service
    }
    assert {"serve", "worker", "store"} <= output <= commands


def test_there_are_two_replicas_and_one_database_that_all_of_them_name() -> None:
    services = COMPOSE["services"]
    assert services["api"]["deploy"]["replicas"] == 2
    urls = {services[name]["environment"]["BATON_DATABASE_URL"] for name in ("api", "worker")}
    assert len(urls) == 1
    assert "@database/" in urls.pop()


def test_stages_and_files_of_the_dockerfile_are_there() -> None:
    stages = set(re.findall(r"^FROM \S+ AS (\S+)", DOCKERFILE, re.MULTILINE))
    builds = [s["build"]["target"] for s in COMPOSE["services"].values() if "build" in s]
    assert set(builds) <= stages
    for sources in re.findall(r"^COPY (.+) \S+$", DOCKERFILE, re.MULTILINE):
        for source in sources.split():
            assert (ROOT / source).exists(), source
    assert len(read_steps(DOCKERFILE)) >= 4
