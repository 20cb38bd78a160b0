"""The status page in a real browser."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from backend.app import create_app
from backend.errors import QueueUnavailable
from backend.jobs.view import JobKind, JobState, JobView
from backend.settings import Settings
from tests.backend.server.running import running
from tests.backend.server.stand_in import UID, StandInServices, project_status
from tests.e2e.labelling_page import chromium

pytestmark = pytest.mark.browser

RUNNING = JobView(
    "train-1_1795149789",
    UID,
    JobKind.TRAIN,
    JobState.STARTED,
    stage="fitting",
    fraction=0.4,
    epoch=3,
    epochs=40,
    metrics={"loss": 0.1234},
    eta=12.0,
)
"""The job that `project_status` tells of."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def services() -> StandInServices:
    services = StandInServices()
    services.projects = [project_status()]
    services.queue.known = {RUNNING.id: RUNNING}
    services.queue.logs = {RUNNING.id: ["12:00:01 INFO Reading <b>annotations</b>"]}
    return services


@pytest.fixture
def address(services: StandInServices) -> Iterator[str]:
    with running(create_app(Settings(), services)) as address:
        yield address


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """A page on which any script error, refused resource or request to elsewhere fails the test. Closed before the
    server is, which it would miss."""
    context = browser.new_context()
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.on("request", lambda request: problems.append(request.url) if "127.0.0.1" not in request.url else None)
    yield page
    context.close()
    assert problems == []


def test_a_project_is_shown_with_all_its_facts(page: Page, address: str) -> None:
    page.goto(address)
    card = page.locator("article")
    for fact in (
        "Support tickets",
        "v3",
        "42",
        "of 400 labelled",
        "88 %",
        "topic",
        "minilm_linear",
        "90 %",
        "0.1 edits a task",
        "on 60 held-out tasks: exact 85%",
    ):
        expect(card).to_contain_text(fact)
    expect(card.locator(".job")).to_contain_text("Training: fitting")
    expect(card.locator(".job")).to_contain_text("about 12 s left")
    expect(card.locator(".job .sub")).to_have_text("epoch 3 of 40 · loss 0.123")
    assert card.locator(".bar i").evaluate("fill => fill.style.width") == "40%"
    assert len(str(card.locator("polyline").get_attribute("points")).split()) == 3
    expect(card.get_by_role("link", name="Support tickets")).to_have_attribute(
        "href", "http://localhost:8080/projects/1"
    )


def test_it_refreshes_itself(page: Page, address: str, services: StandInServices) -> None:
    page.goto(address)
    expect(page.locator(".version")).to_have_text("v3")
    services.queue.known = {}
    services.projects = [project_status(version="v4", job=None), project_status(uid="2.2", id=2, title="Digits")]
    expect(page.locator(".version").first).to_have_text("v4", timeout=4000)
    expect(page.locator("article")).to_have_count(2)
    expect(page.locator("article").first.locator(".job")).to_have_count(0)


def test_a_job_is_followed_as_it_goes_and_can_be_stopped(page: Page, address: str, services: StandInServices) -> None:
    page.goto(address)
    job = page.locator(".job")
    job.get_by_text("Log").click()
    expect(job.locator("pre")).to_have_text("12:00:01 INFO Reading <b>annotations</b>")
    services.queue.known = {RUNNING.id: replace(RUNNING, stage="publish", fraction=0.75, eta=2.0)}
    expect(job).to_contain_text("Training: publish", timeout=1900)  # sooner than the page asks for all else
    expect(job.locator("pre")).to_be_visible()
    services.projects = [project_status(job=None)]
    job.get_by_role("button", name="Stop").click()
    expect(page.locator(".job")).to_have_count(0)
    assert services.queue.known[RUNNING.id].state is JobState.CANCELED


def test_a_card_that_did_not_change_stays(page: Page, address: str, services: StandInServices) -> None:
    page.goto(address)
    page.locator("article").evaluate("card => { card.dataset.kept = 'yes'; }")
    before = len(services.calls)
    deadline = time.monotonic() + 6
    while len(services.calls) < before + 2 and time.monotonic() < deadline:
        page.wait_for_timeout(100)
    assert len(services.calls) >= before + 2
    expect(page.locator("article")).to_have_attribute("data-kept", "yes")


def test_titles_and_labels_of_others_are_text(page: Page, address: str, services: StandInServices) -> None:
    evil = "</script><script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\">"
    services.projects = [project_status(title=evil, notes=[evil], url="javascript:document.title='taken'")]
    page.goto(address)
    expect(page.locator("h2")).to_have_text(evil)
    expect(page.locator(".notes li")).to_have_text(evil)
    assert page.locator("h2 a").count() == 0
    assert page.title() == "Prelabel"


def test_without_project_it_says_what_to_do(page: Page, address: str, services: StandInServices) -> None:
    services.projects = []
    page.goto(address)
    expect(page.locator("main")).to_contain_text("prelabel connect --project ID")


def test_errors_and_an_absent_redis_are_seen(page: Page, address: str, services: StandInServices) -> None:
    services.queue.error = QueueUnavailable("Redis is away.")
    services.projects = [
        project_status(errors=[{"at": time.time() - 130, "message": "Task 5: 404 at http://a/b.png."}])
    ]
    page.goto(address)
    expect(page.locator("#pulse")).to_have_text("Redis is away")
    expect(page.locator(".problems")).to_contain_text("2 min ago")
    expect(page.locator(".problems")).to_contain_text("Task 5: 404")


def test_a_server_that_went_away_is_seen(browser: Browser, services: StandInServices) -> None:
    context = browser.new_context()
    page = context.new_page()
    with running(create_app(Settings(), services)) as address:
        page.goto(address)
        expect(page.locator("#pulse")).to_have_text("live")
    expect(page.locator("#pulse")).to_have_text("no answer", timeout=6000)
    expect(page.locator("article")).to_have_count(1)
    context.close()


def test_an_unknown_progress_and_nothing_judged_yet(page: Page, address: str, services: StandInServices) -> None:
    services.queue.known = {RUNNING.id: JobView(RUNNING.id, UID, JobKind.TRAIN, JobState.QUEUED)}
    job = {
        "id": RUNNING.id, "kind": "train", "state": "queued", "stage": None, "fraction": None, "eta": None,
        "epoch": None, "epochs": None, "metrics": {},
    }  # fmt: skip
    services.projects = [project_status(version="v0", labelled=1, total=None, accuracy=None, history=[], job=job)]
    page.goto(address)
    expect(page.locator(".bar")).to_have_class("bar unknown")
    expect(page.locator(".figures")).to_have_text(re.compile("1task labelled–"))
    assert page.locator("svg").count() == 0


@pytest.mark.parametrize(("scheme", "width"), [("light", 320), ("light", 390), ("dark", 390), ("light", 1280)])
def test_nothing_overflows(
    browser: Browser, address: str, services: StandInServices, tmp_path: Path, *, scheme: str, width: int
) -> None:
    services.projects = [
        project_status(),
        project_status(uid="2.2", id=2, title="A" * 200, notes=["n" * 300], errors=[{"at": 0, "message": "e" * 300}]),
    ]
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)  # type: ignore[arg-type]  # its two literals
    page = context.new_page()
    page.goto(address)
    expect(page.locator("article")).to_have_count(2)
    page.screenshot(path=tmp_path / f"status-{scheme}-{width}.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(17, 19, 26)"
    assert dark == (scheme == "dark")
    context.close()
