"""The page's markup and headers, without a browser."""

from __future__ import annotations

import json
import re

from starlette.testclient import TestClient

from backend.app import create_app
from backend.dashboard.pages import STATIC
from backend.settings import Settings
from tests.backend.server.stand_in import StandInServices, project_status


def client(services: StandInServices) -> TestClient:
    return TestClient(create_app(services.settings, services), headers={"Accept": "text/html,*/*;q=0.8"})


def test_browsers_get_a_page_with_the_first_status_inside() -> None:
    services = StandInServices(Settings(title="A <b>bold</b> backend"))
    services.projects = [project_status(title="</script>")]
    answer = client(services).get("/")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "<title>A &lt;b&gt;bold" in answer.text
    inside = re.search(r'<script type="application/json"[^>]*>(.*?)</script>', answer.text, re.DOTALL)
    assert inside is not None
    assert json.loads(inside[1])["projects"][0]["title"] == "</script>"


def test_the_page_may_load_nothing_from_elsewhere() -> None:
    answer = client(StandInServices()).get("/")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert re.findall(r'(?:src|href)="(?!static/)', answer.text) == []
    for name in ("status.css", "status.js"):
        assert not re.search(r"url\(|@import|https?://(?!www\.w3\.org/2000/svg)", (STATIC / name).read_text())


def test_the_pages_files_are_served() -> None:
    page = client(StandInServices())
    for path in re.findall(r'(?:src|href)="(static/[^"]+)"', page.get("/").text):
        assert page.get(f"/{path}").status_code == 200
    assert page.get("/static/../pages.py").status_code == 404
    assert page.get("/static/%2e%2e/pages.py").status_code == 404
