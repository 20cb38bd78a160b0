"""Fixtures that show the whole: a real Label Studio, `prelabel up`, and a person with a browser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.e2e.installation import WEIGHTS, Installation
from tests.e2e.labelling_page import LabellingPage, chromium
from tests.label_studio import LabelStudioInstance


@pytest.fixture(scope="session")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """A `prelabel up` with nothing set, as on a laptop: no password, and no Label Studio pinned yet."""
    installation = Installation(tmp_path_factory.mktemp("prelabel"))
    try:
        installation.start()
        yield installation
    finally:
        installation.close()


@pytest.fixture(scope="session")
def pinned(tmp_path_factory: pytest.TempPathFactory, label_studio: LabelStudioInstance) -> Iterator[Installation]:
    """A `prelabel up` that knows its Label Studio from the beginning, with its operator's weights where there are
    some: `PRELABEL_WEIGHTS_DIR` of whoever runs the tests."""
    settings = {"LABEL_STUDIO_URL": label_studio.url, "LABEL_STUDIO_API_KEY": label_studio.api_key}
    if WEIGHTS:
        settings["PRELABEL_WEIGHTS_DIR"] = WEIGHTS
    installation = Installation(tmp_path_factory.mktemp("prelabel-pinned"), **settings)
    try:
        installation.start()
        yield installation
    finally:
        installation.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Headless. Not for the whole run: while Playwright runs, this thread has an event loop, and other tests want
    one of their own."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def labelling(
    browser: Browser, label_studio: LabelStudioInstance, request: pytest.FixtureRequest
) -> Iterator[LabellingPage]:
    """Somebody who is logged in. What the page looks like at the end is kept for people."""
    with browser.new_context(viewport={"width": 1200, "height": 800}) as context:
        labelling = LabellingPage(context.new_page(), label_studio)
        labelling.log_in()
        yield labelling
        labelling.screenshot(f"{request.node.name}-end")


@pytest.fixture(scope="module")
def person(browser: Browser, label_studio: LabelStudioInstance) -> Iterator[LabellingPage]:
    """Somebody who has logged in once, for all tests here."""
    with browser.new_context(viewport={"width": 1200, "height": 800}) as context:
        labelling = LabellingPage(context.new_page(), label_studio)
        labelling.log_in()
        yield labelling
