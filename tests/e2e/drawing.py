"""Boxes on the labelling page: drawn with the mouse, and counted."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Locator, Page, ViewportSize, expect
from playwright.sync_api import TimeoutError as PageTimeout

PATIENCE = 60_000.0
"""Milliseconds, as of the whole page."""
TRIES = 6
TALL: ViewportSize = {"width": 1200, "height": 1600}

Area = tuple[float, float, float, float]
"""Left, top, right and bottom in pixels of the upright image."""


@dataclass(frozen=True)
class Canvas:
    """The image of the task that is open. `width` and `height` are those of the upright image in pixels."""

    page: Page
    width: int
    height: int

    def ready(self) -> Canvas:
        """Wait until the image is shown."""
        self.page.set_viewport_size(TALL)  # the outline renders only the regions that it has room for
        expect(self._image).to_be_visible(timeout=PATIENCE)
        expect(self.page.locator("canvas:visible").last).to_be_visible(timeout=PATIENCE)
        return self

    def draw(self, label: str, area: Area, quarter_turns: int = 0) -> None:
        """Choose `label` and drag over `area`. `quarter_turns`, clockwise, says how the view has been turned."""
        wanted = self._outline().nth(self.regions())
        left, top, right, bottom = area
        start, end = self.at(left, top, quarter_turns), self.at(right, bottom, quarter_turns)
        for _ in range(TRIES):
            # On busy cores the page may take the mouse for its own before it knows that a label was chosen.
            self.page.locator(".lsf-label", has_text=label).first.click()
            self._drag(start, end)
            with suppress(PageTimeout):
                wanted.wait_for(timeout=PATIENCE / TRIES)
                self.page.keyboard.press("Escape")  # or the next label would replace this one's
                return
            self.page.keyboard.press("Escape")
        raise AssertionError(f"Dragged over {area} {TRIES} times for a {label}, and no region came of it.")

    def drag(self, area: Area) -> None:
        """Drag over `area` with whatever tool is chosen."""
        left, top, right, bottom = area
        self._drag(self.at(left, top), self.at(right, bottom))

    def turn(self) -> None:
        """Turn the view clockwise by a quarter."""
        shown = self._place()
        self.page.get_by_label("rotate-right").click()
        self.page.wait_for_function(
            "before => { const now = document.querySelector('img[alt=image]').getBoundingClientRect();"
            " return Math.abs(now.width / now.height - before) > 0.01 }",
            arg=shown["width"] / shown["height"],
            timeout=PATIENCE,
        )

    def regions(self) -> int:
        """How many regions the task's outline lists."""
        return self._outline().count()

    def expect_regions(self, count: int) -> None:
        """Wait until so many regions are there."""
        expect(self._outline()).to_have_count(count, timeout=PATIENCE)

    @property
    def _image(self) -> Locator:
        return self.page.locator("img[alt=image]")

    def _outline(self) -> Locator:
        return self.page.locator(".lsf-tree__node:not(.lsf-tree__node_type_footer)")

    def _place(self) -> Any:
        place = self._image.bounding_box()
        assert place is not None, "the image is not shown"
        return place

    def at(self, x: float, y: float, quarter_turns: int = 0) -> tuple[float, float]:
        """Where a pixel of the upright image is on the page."""
        place = self._place()
        across, down = x / self.width, y / self.height
        for _ in range(quarter_turns % 4):
            across, down = 1 - down, across
        return place["x"] + across * place["width"], place["y"] + down * place["height"]

    def _drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        mouse = self.page.mouse
        mouse.move(*start)
        mouse.down()
        mouse.move((start[0] + end[0]) / 2, (start[1] + end[1]) / 2, steps=4)
        mouse.move(*end, steps=4)
        mouse.up()
