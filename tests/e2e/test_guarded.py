"""A `prelabel up` with a password, which was told of a Label Studio below a path, and of a legacy token for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect
from pydantic import SecretStr

from backend.demo.label_studio import free_port
from backend.demo.samples import DIGITS_CONFIG, TICKETS_CONFIG, digits
from backend.labelstudio.connect import connect_projects
from tests.e2e.installation import Installation
from tests.e2e.labelling_page import PATIENCE, LabellingPage
from tests.label_studio import LabelStudioInstance, TestProject, below_path

pytestmark = pytest.mark.label_studio


@pytest.fixture(scope="module")
def guarded(label_studio: LabelStudioInstance, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with below_path(label_studio.url) as url:
        installation = Installation(
            tmp_path_factory.mktemp("guarded"),
            LABEL_STUDIO_URL=url,
            LABEL_STUDIO_API_KEY=label_studio.process.legacy_token(),
            PRELABEL_USERNAME="label-studio",
            PRELABEL_PASSWORD="correct horse",
        )
        try:
            installation.start()
            yield installation
        finally:
            installation.close()


def teach_digits(project: TestProject, folder: Path) -> None:
    """Upload ten digits and label six of them."""
    for image in digits(10):
        path = folder / image.name
        path.write_bytes(image.png)
        task = project.upload(path)
        if len(project.task_ids()) <= 6:
            project.annotate(task, str(image.digit), control="digit")


def test_every_route_wants_the_password(guarded: Installation) -> None:
    for path in ("/", "/health", "/metrics"):
        assert guarded.client.get(path, auth=("label-studio", "wrong")).status_code == 401
        assert guarded.client.get(path).status_code == 200


@pytest.mark.browser
def test_model_connected_in_the_settings_page(
    guarded: Installation, label_studio: LabelStudioInstance, labelling: LabellingPage, tmp_path: Path
) -> None:
    project = label_studio.new_project(DIGITS_CONFIG)
    page = labelling.open_model_settings(project)
    page.locator("button", has_text="Connect Model").click()
    page.fill("input[name=title]", "Prelabel, by hand")
    page.fill("input[name=url]", guarded.url)
    page.locator("button[data-name=auth_method]").click()
    page.get_by_text("Basic Authentication", exact=True).click()
    page.fill("input[name=basic_auth_user]", "label-studio")
    page.fill("input[name=basic_auth_pass]", "correct horse")
    labelling.screenshot("connect-model")
    page.locator("button", has_text="Validate and Save").click()
    expect(page.get_by_text("Connected", exact=True)).to_be_visible(timeout=PATIENCE)

    teach_digits(project, tmp_path)

    version = guarded.await_version(project, 6)
    assert all(guarded.await_stored(project, project.task_ids()[6:], version).values())
    guarded.await_rest(
        project
    )  # what it does to its project is an event, which the next test must not take for its own


def test_connecting_with_the_command(guarded: Installation, label_studio: LabelStudioInstance, tmp_path: Path) -> None:
    project = label_studio.new_project(DIGITS_CONFIG)

    done = guarded.run("connect", "--project", str(project.id))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "The legacy token of admin@example.com is valid." in done.stdout
    teach_digits(project, tmp_path)

    version = guarded.await_version(project, 6)
    assert all(guarded.await_stored(project, project.task_ids()[6:], version).values())
    guarded.await_rest(
        project
    )  # what it does to its project is an event, which the next test must not take for its own


def test_the_command_names_the_hop_that_fails(
    guarded: Installation, label_studio: LabelStudioInstance, tmp_path: Path
) -> None:
    project = label_studio.new_project(TICKETS_CONFIG)
    done = guarded.run("connect", "--project", str(project.id), "--api-key", "0" * 40)
    assert done.returncode == 1
    assert "FAIL token: " in done.stdout
    assert "ok   Label Studio: " in done.stdout
    nowhere = f"http://127.0.0.1:{free_port()}"

    def failures(**changed: object) -> dict[str, str]:
        """What another data folder finds wrong, so that nothing of `guarded` changes."""
        settings = guarded.settings.model_copy(update={"data_dir": tmp_path, **changed})
        hops = connect_projects(settings, [project.id])
        return {hop.name.removeprefix(f"project {project.id}: "): hop.message for hop in hops if not hop.ok}

    assert "cannot be reached" in failures(label_studio_url=nowhere)["Label Studio"]
    assert "PRELABEL_PASSWORD" in failures(password=SecretStr("wrong"))["backend"]
    stopped = failures(port=free_port())
    assert "prelabel up" in stopped["this backend"]
    assert "does not reach" in stopped["backend"]
    assert "does not speak https" in failures(public_url=guarded.url.replace("http", "https"))["backend"]
    assert list(failures()) == ["webhook arrives"]  # the other folder has another secret, which the server refuses
