"""The webhook that Label Studio itself makes when somebody adds this backend in a project's settings."""

from __future__ import annotations

import logging
from dataclasses import replace

from backend.errors import LabelStudioError
from backend.labelstudio.client import Json, LabelStudio
from backend.labelstudio.connection import canonical, new_secret, recall, remember
from backend.settings import Settings

log = logging.getLogger(__name__)

KEPT = ("url", "send_payload", "send_for_all_actions", "actions", "is_active")
"""Fields that a change of a webhook must name again: Label Studio empties `actions` otherwise."""


def claim_webhook(client: LabelStudio, project: int, settings: Settings) -> None:
    """Give that webhook the header that our server wants where it has a password: Label Studio sends no Basic Auth
    with events, so every one of them would be refused. `connect` has done so for the projects that it connected.

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
