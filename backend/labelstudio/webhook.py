"""A project's webhooks at our address: the two that `connect` makes, and the one of a backend that was added by hand.

Label Studio calls them inside the request of whoever changed something, and builds what it sends in there, too: for
every event a project with eight counts over all of its tasks and annotations, for an annotation's the task as well.
So the events of annotations, for which somebody waits, come without a payload; a header says which project they are
of, and the job reads what changed by API, as it would anyway.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from backend.errors import LabelStudioError
from backend.labelstudio.client import Json, LabelStudio
from backend.labelstudio.connection import canonical, new_secret, recall, remember
from backend.settings import Settings

log = logging.getLogger(__name__)

KEPT = ("url", "send_payload", "send_for_all_actions", "actions", "is_active")
"""Fields that a change of a webhook must name again: Label Studio empties `actions` otherwise."""


PROJECT_HEADER = "X-Prelabel-Project"
"""Names the project, by id and time of creation, of an event without a payload."""
HINTED = ("ANNOTATION_CREATED", "ANNOTATION_UPDATED", "ANNOTATIONS_CREATED", "ANNOTATIONS_DELETED")
"""The events that come without a payload."""
TOLD = ("TASKS_CREATED", "TASKS_DELETED", "PROJECT_UPDATED")
"""The events that come with one: it says whether the labelling config is another."""


def wanted_webhooks(project: Mapping[str, Any], url: str, headers: Mapping[str, str]) -> list[Json]:
    """The two webhooks that `project`, as the API gives it, should have at `url`."""
    named = {**headers, PROJECT_HEADER: f"{project['id']} {project['created_at']}"}
    common = {"url": url, "send_for_all_actions": False, "is_active": True}
    return [
        {**common, "send_payload": True, "actions": list(TOLD), "headers": dict(headers)},
        {**common, "send_payload": False, "actions": list(HINTED), "headers": named},
    ]


def with_project(body: Any, named: str | None) -> Any:
    """An event's body with the project that the header names, where it has none itself."""
    if named is None or not isinstance(body, dict) or body.get("project") is not None:
        return body
    identifier, _, created = named.partition(" ")
    return {**body, "project": {"id": int(identifier) if identifier.isdecimal() else named, "created_at": created}}


def names_project(webhook: Mapping[str, Any]) -> bool:
    """Whether it is a webhook for events without a payload."""
    return any(name.lower() == PROJECT_HEADER.lower() for name in webhook.get("headers") or {})


def claim_webhook(client: LabelStudio, project: int, settings: Settings) -> None:
    """Give the webhook that Label Studio made itself the header that our server wants where it has a password: Label
    Studio sends no Basic Auth with events, so every one of them would be refused. `connect` has done so for the
    projects that it connected.

    A Label Studio that refuses is only logged: changes are found later without webhooks. Raises `SettingsError`.
    """
    connection = recall(settings)
    if settings.password is None or connection is None:
        return
    try:
        for webhook in _without_header(client, project, f"{settings.own_address}/webhook"):
            if connection.webhook_secret is None:
                connection = replace(connection, webhook_secret=new_secret())
                remember(settings.data_dir, connection)
            kept = {name: webhook[name] for name in KEPT}
            client.update_webhook(int(webhook["id"]), **kept, headers=connection.webhook_headers)
            log.info("The webhook of project %d sends our secret from now on.", project)
    except LabelStudioError as error:
        log.warning("The webhook of project %d could not be given our secret: %s", project, error)


def _without_header(client: LabelStudio, project: int, url: str) -> list[Json]:
    mine = [one for one in client.webhooks(project) if one.get("project") == project]
    return [one for one in mine if canonical(str(one["url"])) == canonical(url) and not _authorised(one)]


def _authorised(webhook: Json) -> bool:
    return any(name.lower() == "authorization" for name in webhook.get("headers") or {})
