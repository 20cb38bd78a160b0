"""New tasks in a project, and the files that they show."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import quote, urlsplit

import httpx

from backend.errors import LabelStudioError
from backend.labelstudio.client import Json, LabelStudio

FILES_AT_ONCE = 50
"""Files in one request; Django refuses more than 100."""
TASKS_AT_ONCE = 250
"""Tasks in one request: each may bring painted masks of some 100 kB."""


class Uploads:
    """Writes tasks into one project. Every failure is a `LabelStudioError`."""

    def __init__(self, client: LabelStudio, project: int, timeout: float = 120.0) -> None:
        self._client = client
        self._project = project
        self._http = httpx.Client(base_url=client.url + "/", timeout=timeout)

    def __enter__(self) -> Uploads:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._http.close()

    def files(self, paths: Sequence[Path]) -> Iterator[str]:
        """Upload files that no task shows yet; the address of each, in order."""
        prefix = urlsplit(self._client.url).path.rstrip("/")
        for start in range(0, len(paths), FILES_AT_ONCE):
            some = paths[start : start + FILES_AT_ONCE]
            with ExitStack() as opened:
                # Under a name each: of several files with one name Label Studio takes the last.
                parts = [
                    (f"file{number}", (path.name, opened.enter_context(path.open("rb"))))
                    for number, path in enumerate(some)
                ]
                answer = self._ask("POST", "import", params={"commit_to_project": "false"}, files=parts)
            ids = list(answer["file_upload_ids"])
            listed = self._ask("GET", "file-uploads", params={"ids": str(ids)})
            named = {int(entry["id"]): str(entry["file"]) for entry in listed}
            if len(ids) != len(some) or any(one not in named for one in ids):
                raise LabelStudioError(f"Label Studio took {len(named)} of {len(some)} files. Try again.")
            yield from (f"{prefix}/data/{quote(named[one])}" for one in ids)

    def tasks(self, tasks: Sequence[Json]) -> int:
        """Import tasks with whatever annotations they bring; how many were made."""
        made = 0
        for start in range(0, len(tasks), TASKS_AT_ONCE):
            made += int(self._ask("POST", "import", json=list(tasks[start : start + TASKS_AT_ONCE]))["task_count"])
        return made

    def _ask(self, method: str, path: str, **arguments: Any) -> Any:
        address = f"api/projects/{self._project}/{path}"
        # Asked for anew each time: a personal token's access tokens live for 300 s.
        headers = self._client.authorization_header()
        try:
            answer = self._http.request(method, address, headers=headers, **arguments)
        except httpx.HTTPError as error:
            raise LabelStudioError(f"Label Studio at {self._client.url} did not take the import: {error}.") from None
        if not answer.is_success:
            raise LabelStudioError(
                f"Label Studio refused the import: {method} {address} answered {answer.status_code}, "
                f"{answer.text[:300]}.",
                answer.status_code,
            )
        return answer.json()
