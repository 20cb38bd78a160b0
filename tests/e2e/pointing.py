"""A person with Auto-Annotation on: points, drags and selects, and a backend that only takes note of what is sent."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from playwright.sync_api import Page, expect

from tests.e2e.drawing import PATIENCE, TRIES, Area, Canvas
from tests.e2e.labelling_page import SCREENSHOTS
from tests.label_studio import TestProject
from tests.processes import eventually

ASKED = "/interactive-annotating"
Sent = dict[str, Any]
"""The body of one `/predict` with a context."""


class Notes:
    """A backend that answers with `answer`, and keeps every interactive request."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.sent: list[Sent] = []
        self.answer: list[dict[str, Any]] = []

    def contexts(self) -> list[list[dict[str, Any]]]:
        return [body["params"]["context"]["result"] for body in self.sent]

    def wait(self, count: int) -> None:
        """Until so many were sent."""
        eventually(
            lambda: len(self.sent) >= count, lambda: f"{count} interactive requests; sent was {self.contexts()}", 30.0
        )

    def add_to(self, project: TestProject) -> None:
        body = {"project": project.id, "title": "Notes", "url": self.url, "is_interactive": True, "extra_params": ""}
        project.studio.call("POST", "/api/ml", json=body)


@contextmanager
def taking_notes() -> Iterator[Notes]:
    """A running `Notes`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer({"status": "UP"})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
            if self.path != "/predict":
                self._answer({"model_version": "v0", "status": "UP"})
                return
            if (body.get("params") or {}).get("context"):
                notes.sent.append(body)
                self._answer({"results": [{"result": notes.answer, "score": 0.5, "model_version": "v0"}]})
                return
            self._answer({"results": [{"result": [], "score": 0.5, "model_version": "v0"} for _ in body["tasks"]]})

        def _answer(self, value: Any) -> None:
            content = json.dumps(value).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *arguments: Any) -> None:
            """Tests' output is for tests."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    notes = Notes(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield notes
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def switch_on(page: Page, *, accept: bool = False) -> None:
    """Turn Auto-Annotation on, and Auto-Accept on or off where there is such a switch: on images alone."""
    toggle = page.get_by_label("Auto-Annotation")
    if not toggle.is_checked():
        page.get_by_text("Auto-Annotation").click()
    expect(toggle).to_be_checked(timeout=PATIENCE)
    accepting = page.get_by_test_id("bottombar-auto-accept-toggle")
    if accepting.count() and accepting.is_checked() is not accept:
        page.get_by_text("Auto-Accept Suggestions").click()


def click(canvas: Canvas, label: str, x: float, y: float, *, alt: bool = False) -> None:
    """Click a pixel of the upright image with the smart tool."""
    page, place = canvas.page, canvas.at(x, y)

    def clicking() -> None:
        if alt:
            page.keyboard.down("Alt")
        page.mouse.click(*place)
        if alt:
            page.keyboard.up("Alt")

    _point(canvas, label, clicking)


def drag(canvas: Canvas, label: str, area: Area) -> None:
    """Draw a box, in pixels of the upright image, with the smart tool."""
    _point(canvas, label, lambda: canvas.drag(area))


def _point(canvas: Canvas, label: str, act: Callable[[], None]) -> None:
    """Choose `label` and the smart tool, which alone asks anything, and act until it was answered.

    On busy cores the page may miss what is done. An answer that is still on its way would be suggested after the one
    before it was taken over.
    """
    page = canvas.page
    before = canvas.regions()
    answered: list[str] = []
    page.on("requestfinished", lambda request: answered.append(request.url) if ASKED in request.url else None)
    for _ in range(TRIES):
        page.locator(".lsf-label", has_text=label).first.click()
        if not page.locator(".lsf-tool_smart.lsf-tool_active").count():
            page.locator(".lsf-tool_smart").first.click(timeout=PATIENCE / TRIES)
        act()
        for _ in range(8):
            page.wait_for_timeout(50)
            if canvas.regions() > before:
                eventually(lambda: _asked_meanwhile(page, answered), lambda: f"an answer to {label}", PATIENCE / 1000)
                return
        page.keyboard.press("Escape")
    raise AssertionError(f"Pointed {TRIES} times with {label}, and no region came of it.")


def _asked_meanwhile(page: Page, answered: Sequence[str]) -> bool:
    """Playwright tells of requests only while it waits for the page."""
    page.wait_for_timeout(50)
    return bool(answered)


def accept(page: Page, screenshot: str) -> None:
    """Take over what is suggested, once it is there."""
    button = page.get_by_test_id("bottombar-accept-suggestions-button")
    expect(button).to_be_visible(timeout=PATIENCE)
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{screenshot}.png")
    button.click()
    expect(button).to_be_hidden(timeout=PATIENCE)


_FIND = """([words, number]) => {
  const texts = document.querySelectorAll(".lsf-richtext, .lsf-paragraphs");
  for (const root of texts.length ? texts : [document.body]) {
    const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      for (let at = node.data.indexOf(words); at >= 0; at = node.data.indexOf(words, at + 1)) {
        const range = document.createRange();
        range.setStart(node, at);
        range.setEnd(node, at + words.length);
        const box = range.getBoundingClientRect();
        if (!box.width || number-- > 0) continue;
        return [box.left, box.top, box.right, box.bottom];
      }
    }
  }
  return null;
}"""


def select(page: Page, label: str, words: str, number: int = 0) -> None:
    """Choose `label` and drag over the words' appearance of that number in the text, or in the page within the page."""
    page.locator(".lsf-label", has_text=label).first.click()
    left, top, right, bottom = _place(page, words, number)
    middle = (top + bottom) / 2
    page.mouse.move(left + 1, middle)
    page.mouse.down()
    page.mouse.move((left + right) / 2, middle, steps=4)
    page.mouse.move(right - 1, middle, steps=4)
    page.mouse.up()


def _place(page: Page, words: str, number: int) -> tuple[float, float, float, float]:
    for frame in page.frames:
        found = frame.evaluate(_FIND, [words, number])
        if found is not None:
            within = frame.frame_element().bounding_box() if frame.parent_frame else None
            across, down = (within["x"], within["y"]) if within else (0, 0)
            return found[0] + across, found[1] + down, found[2] + across, found[3] + down
    raise AssertionError(f"{words} is not in the text that is shown")


def write(page: Page, text: str) -> None:
    """Write into the text area and press Enter."""
    area = page.get_by_test_id("textarea-input")
    area.fill(text)
    area.press("Enter")
