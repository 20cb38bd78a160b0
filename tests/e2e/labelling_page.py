"""Somebody labels in Label Studio: a browser with a page, and what one sees and clicks there."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page, Response, expect

from tests.e2e.backend_process import ROOT
from tests.e2e.installation import choices
from tests.label_studio import LabelStudioInstance, TestProject

SCREENSHOTS = ROOT / ".artifacts" / "screenshots"
"""For people to look at after a run; git ignores them."""
PATIENCE = 60_000.0
"""Milliseconds that a page of a Label Studio on busy cores may take."""


def chromium() -> str | None:
    """The system's Chromium; None leaves it to the one that Playwright has downloaded."""
    return next(filter(None, map(shutil.which, ("chromium", "google-chrome", "chromium-browser"))), None)


@dataclass(frozen=True)
class Opened:
    """A task as the page got it from Label Studio. `version` and `predicted` are of the newest prediction in it."""

    task: int
    data: dict[str, Any]
    version: str | None
    predicted: list[str]

    @classmethod
    def of(cls, task: dict[str, Any]) -> Opened:
        newest = max(task["predictions"], key=lambda row: int(row["id"]), default=None)
        if newest is None:
            return cls(int(task["id"]), task["data"], None, [])
        return cls(int(task["id"]), task["data"], str(newest["model_version"]), choices(newest["result"]))


class LabellingPage:
    """The page of somebody who is logged in."""

    def __init__(self, page: Page, studio: LabelStudioInstance) -> None:
        self.page = page
        self._studio = studio
        page.set_default_timeout(PATIENCE)

    def log_in(self) -> None:
        settings = self._studio.process.settings
        self.page.goto(f"{self._studio.url}/user/login/")
        self.page.fill("input[name=email]", settings.username)
        self.page.fill("input[name=password]", settings.password)
        self.page.click("button[type=submit]")
        self.page.wait_for_url(lambda url: "login" not in url)

    def open_stream(self, project: TestProject) -> Opened:
        """Press "Label All Tasks" in the project."""
        self.page.goto(f"{self._studio.url}/projects/{project.id}/data")
        return self._next(self.page.get_by_text("Label All Tasks"))

    def open_quick_view(self, project: TestProject, task: int) -> None:
        """Click on the task in the project's table."""
        self.page.goto(f"{self._studio.url}/projects/{project.id}/data")
        row = self.page.get_by_test_id("table-row").filter(
            has=self.page.get_by_label(f"Select Task {task}", exact=True)
        )
        row.get_by_text(str(task), exact=True).first.click()
        self._expect_open(task)

    def open_model_settings(self, project: TestProject) -> Page:
        """The settings page where models are connected."""
        self.page.goto(f"{self._studio.url}/projects/{project.id}/settings/ml")
        return self.page

    def submit(self) -> Opened:
        """Press "Submit"; the task that is opened next."""
        return self._next(self.page.get_by_label("Submit current annotation"))

    def choose(self, *labels: str) -> None:
        """Click until `labels` and no others are chosen. In a single choice one click replaces the other."""
        for label in labels:
            if not self._box(label).is_checked():
                self._click(label)
        for label in self.chosen():
            if label not in labels:
                self._click(label)
        self.expect_chosen(labels)

    def chosen(self) -> list[str]:
        """The labels that are ticked on the page at this moment, sorted."""
        names: list[str] = self._boxes().evaluate_all("boxes => boxes.filter(b => b.checked).map(b => b.name)")
        return sorted(names)

    def expect_chosen(self, labels: list[str] | tuple[str, ...]) -> None:
        """Wait until exactly `labels` are ticked."""
        for label in labels:
            expect(self._box(label)).to_be_checked(timeout=PATIENCE)
        expect(self._boxes(":checked")).to_have_count(len(labels), timeout=PATIENCE)

    def screenshot(self, name: str) -> Path:
        """Keep what the page looks like, for people."""
        expect(self.page.get_by_text("Downloading image")).to_have_count(0, timeout=PATIENCE)
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        path = SCREENSHOTS / f"{name}.png"
        self.page.screenshot(path=path)
        return path

    def _next(self, button: Locator) -> Opened:
        def is_next(response: Response) -> bool:
            return "id=next_task" in response.url

        with self.page.expect_response(is_next, timeout=PATIENCE) as waiting:
            button.click()
        response = waiting.value
        assert response.ok, f"The next task: {response.status} {response.text()}"
        opened = Opened.of(response.json())
        self._expect_open(opened.task)
        return opened

    def _expect_open(self, task: int) -> None:
        expect(self.page.locator(".lsf-current-task__task-id")).to_contain_text(str(task), timeout=PATIENCE)

    def _click(self, label: str) -> None:
        self.page.locator(f'.lsf-choice label:has(input[name="{label}"])').click()

    def _box(self, label: str) -> Locator:
        return self.page.locator(f'.lsf-choice input[name="{label}"]')

    def _boxes(self, state: str = "") -> Locator:
        return self.page.locator(f".lsf-choice input{state}")
