"""What a server needs no more once encoders are compiled."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from backend.demo.samples import TICKETS_CONFIG, tickets
from model_zoo.programs import openvino
from tests.e2e.installation import Installation
from tests.label_studio import LabelStudioInstance

pytestmark = [
    pytest.mark.label_studio,
    pytest.mark.skipif(not openvino.available(), reason="the extra `compiled` is not installed"),
    pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc"),
]

TICKETS = list(tickets(12))


def test_a_server_of_compiled_models_never_loads_pytorch(
    label_studio: LabelStudioInstance, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """From a fresh data folder on: it waits for the worker, which compiles. PyTorch is half of a server's memory."""
    project = label_studio.new_project(TICKETS_CONFIG)
    tasks = project.import_texts([ticket.text for ticket in TICKETS])
    installation = Installation(tmp_path_factory.mktemp("lean"))
    try:
        installation.start()
        installation.connect(label_studio, project)
        for task, ticket in zip(tasks[:6], TICKETS, strict=False):
            project.annotate(task, ticket.topic)
        installation.await_version(project, 6)
        loaded = re.compile(r'^prelabel_model_loads_total\{process="(\d+)"\} [1-9]', re.MULTILINE)
        found = installation.wait(
            project, lambda: loaded.search(installation.client.get("/metrics").text), "the server to load the version"
        )
        shown = [{"id": task, "data": {"text": ticket.text}} for task, ticket in zip(tasks, TICKETS, strict=True)]
        answer = installation.predict(project, shown)
        assert all(entry["result"] for entry in answer["results"])
        mapped = Path(f"/proc/{found[1]}/maps").read_text()
        assert "libtorch" not in mapped, installation.log()[-5000:]
    finally:
        installation.close()
