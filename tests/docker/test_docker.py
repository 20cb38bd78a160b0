"""The image and the services: built by the steps that make takes, with settings that exist."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from backend.settings import Settings, variable
from tests.label_studio import VERSION

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # pytest's own

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docker"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
DOCKERFILE = (FOLDER / "Dockerfile").read_text().replace("\\\n", " ")


def arguments(instruction: str) -> list[str]:
    """What follows `instruction` in the Dockerfile, each time."""
    return [line.split(None, 1)[1] for line in DOCKERFILE.splitlines() if line.startswith(f"{instruction} ")]


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    """The services of the compose file, as written."""
    return dict(yaml.safe_load((FOLDER / "compose.yaml").read_text())["services"])


def test_the_image_is_installed_as_make_installs() -> None:
    recipe = re.search(r"^\.venv/\.installed:(.*)\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert recipe is not None
    step = ".venv/bin/python .ci/install.py"
    assert step in recipe[2]
    assert [command for command in arguments("RUN") if step in command]
    assert not [command for command in arguments("RUN") if "pip install" in command]


def test_the_image_holds_all_that_installing_needs() -> None:
    sent = [line[1:] for line in (FOLDER / "Dockerfile.dockerignore").read_text().splitlines() if line.startswith("!")]
    packages = PROJECT["license-files"] + [PROJECT["readme"], "pyproject.toml", "constraints.txt", ".ci/install.py"]
    assert sorted(sent) == sorted([*packages, "backend", "model_zoo"])
    assert all((ROOT / name).exists() for name in sent)


def test_its_python_and_its_extras_are_ours() -> None:
    given = dict(argument.split("=", 1) for argument in arguments("ARG"))
    assert f"Programming Language :: Python :: {given['PYTHON']}" in PROJECT["classifiers"]
    extras = given["EXTRAS"].strip('"').split()
    assert set(extras) <= PROJECT["optional-dependencies"].keys()
    assert given["DEVICE"] == "cpu"
    made = re.search(r"\.ci/install\.py (.*)", (ROOT / "Makefile").read_text().split(".venv/.installed:")[1])
    assert made is not None
    assert set(extras) == {*made[1].split(), "s3", "gs", "azure"}, "what make installs, and the clouds"
    assert f"${{EXTRAS:-{' '.join(extras)}}}" in (FOLDER / "compose.yaml").read_text()


def test_it_does_not_run_as_root_and_says_how_it_is() -> None:
    assert arguments("USER") == ["prelabel"]
    assert "/health" in arguments("HEALTHCHECK")[0]
    assert DOCKERFILE.index("USER ") < DOCKERFILE.index("ENTRYPOINT ")


def test_the_health_check_tells_a_server_from_none() -> None:
    import threading
    from http.server import BaseHTTPRequestHandler, HTTPServer

    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(self.server.status)  # type: ignore[attr-defined]
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            """Stay silent."""

    command = json.loads(re.search(r"CMD (\[.*\])", arguments("HEALTHCHECK")[0])[1])  # type: ignore[index]
    program = shutil.which("python3") or "python"
    with HTTPServer(("127.0.0.1", 0), Answering) as server:
        environment = {"PRELABEL_PORT": str(server.server_port)}
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for status, expected in ((200, 0), (401, 0), (500, 1)):
            server.status = status  # type: ignore[attr-defined]
            assert subprocess.run([program, *command[1:]], env=environment, check=False).returncode == expected
        server.shutdown()
    stopped = subprocess.run([program, *command[1:]], env=environment, capture_output=True, check=False)
    assert stopped.returncode == 1


def test_every_setting_that_is_given_exists(services: dict[str, Any]) -> None:
    known = {variable(name) for name in Settings.model_fields}
    written = set(re.findall(r"\b(PRELABEL_[A-Z_]+)\b", DOCKERFILE)) | set(services["server"]["environment"])
    foreign = {name for name in written if not name.startswith(("AWS_", "AZURE_"))}
    assert foreign <= known
    assert services["worker"]["environment"] == services["server"]["environment"]


def test_each_side_finds_the_other(services: dict[str, Any]) -> None:
    given = services["server"]["environment"]
    (alias,) = services["server"]["networks"]["default"]["aliases"]
    assert "." in alias  # or Label Studio makes no webhook
    assert given["PRELABEL_PUBLIC_URL"] == f"http://{alias}:9090"
    assert given["LABEL_STUDIO_URL"] == "http://label-studio:8080"
    assert given["PRELABEL_REDIS_URL"] == "redis://redis:6379/0"
    assert services["label-studio"]["environment"]["POSTGRE_HOST"] in services
    assert services["label-studio"]["image"] == f"heartexlabs/label-studio:{VERSION}"


def test_nothing_listens_on_the_network_and_nothing_is_lost(services: dict[str, Any]) -> None:
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert len(ports) == 2
    assert all(port.startswith("127.0.0.1:") for port in ports)
    assert services["worker"]["volumes"] == services["server"]["volumes"] == ["prelabel:/data"]
    assert all(service.get("volumes") for service in services.values())


def test_every_secret_has_to_be_chosen() -> None:
    text = (FOLDER / "compose.yaml").read_text()
    secrets = re.findall(r"\$\{(\w*(?:PASSWORD|TOKEN))(\S)?", text)
    offered = dict(line.split("=") for line in (FOLDER / "example.env").read_text().splitlines() if "=" in line)
    assert {name for name, _ in secrets} <= offered.keys()
    assert set(re.findall(r"\$\{(\w*(?:PASSWORD|TOKEN)):\?", text)) == {name for name, _ in secrets}


def compose() -> list[str] | None:
    """The command of Docker's compose, where this machine has it."""
    for command in (["docker", "compose"], ["docker-compose"]):
        if shutil.which(command[0]):
            asked = subprocess.run([*command, "version", "--short"], capture_output=True, text=True, check=False)
            if asked.returncode == 0 and asked.stdout.strip().lstrip("v") >= "2":
                return command
    return None


@pytest.mark.skipif(compose() is None, reason="Docker's compose is not installed: it is asked whether it understands")
@pytest.mark.parametrize("device", ["cpu", "gpu"])
def test_compose_understands_it(device: str) -> None:
    files = ["compose.yaml"] if device == "cpu" else ["compose.yaml", "compose.gpu.yaml"]
    given = [argument for file in files for argument in ("--file", str(FOLDER / file))]
    command = [*(compose() or []), *given, "--env-file", str(FOLDER / "example.env"), "config", "--format", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "variable is not set" not in done.stderr
    services = json.loads(done.stdout)["services"]
    assert services["worker"]["build"]["args"]["DEVICE"] == device
    assert Path(services["server"]["build"]["context"]) == ROOT
    assert (
        services["label-studio"]["environment"]["LABEL_STUDIO_USER_TOKEN"]
        == services["server"]["environment"]["LABEL_STUDIO_API_KEY"]
    )
