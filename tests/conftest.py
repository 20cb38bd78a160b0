"""Fixtures that need a real collaborator: one Label Studio a process, for its whole run, one fresh project per test."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from backend.processors import bound_threads
from tests.label_studio import LabelStudioInstance, TestProject, below_path, start_instance

if "PYTEST_XDIST_WORKER" in os.environ:
    bound_threads(1)  # the processes are as many as the processors; before anything imports torch


def pytest_make_parametrize_id(val: object) -> str | None:
    """Names of tests go between processes, which texts that no encoding takes cannot."""
    if isinstance(val, str):
        try:
            val.encode()
        except UnicodeEncodeError:
            return ascii(val)
    return None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """So does what they logged."""
    report = yield
    report.sections = [(name, text.encode("utf-8", "backslashreplace").decode()) for name, text in report.sections]
    return report


@pytest.fixture(scope="session")
def label_studio_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the session's Label Studio serves as local files."""
    return tmp_path_factory.mktemp("local-files")


@pytest.fixture(scope="session")
def label_studio(
    tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config, label_studio_files: Path
) -> Iterator[LabelStudioInstance]:
    """A real Label Studio that allows private addresses, with personal access tokens (legacy ones off)."""
    kept = pytestconfig.cache.mkdir("label-studio")
    instance = start_instance(tmp_path_factory.mktemp("label-studio"), kept, files=label_studio_files)
    yield instance
    instance.close()


@pytest.fixture
def project(label_studio: LabelStudioInstance) -> TestProject:
    """A fresh project: one `Choices` named topic (billing, technical, other) on `$text`."""
    return label_studio.new_project()


@pytest.fixture
def sub_path_url(label_studio: LabelStudioInstance) -> Iterator[str]:
    """The same Label Studio behind a proxy, below `/label-studio`."""
    with below_path(label_studio.url) as url:
        yield url
