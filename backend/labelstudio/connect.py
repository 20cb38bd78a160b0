"""`prelabel connect`: pins a Label Studio, connects its projects, and checks every hop on the way.

Everything is looked up before it is made, so that it can be repeated; what is found wrong is said with what to do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from backend.errors import InvalidConfig, LabelStudioError, PrelabelError
from backend.labelstudio.client import Json, LabelStudio
from backend.labelstudio.config import Control, LabellingConfig, parse_config
from backend.labelstudio.connection import Connection, canonical, new_secret, recall, remember
from backend.labelstudio.media import MediaFetcher
from backend.labelstudio.queries import TaskQuery
from backend.labelstudio.reachability import (
    OwnServer,
    arrives,
    explain_refusal,
    label_studio_release,
    webhook_problem,
)
from backend.labelstudio.webhook import HINTED, TOLD, names_project, wanted_webhooks
from backend.settings import Settings

KEPT = ("url", "send_payload", "send_for_all_actions", "actions", "headers")
"""Fields of a webhook that a change must name again: Label Studio empties `actions` otherwise."""
UNCERTAINTY = "Uncertainty sampling"

UNTRAINED = "v0"
"""What `/setup` answers before there is a version: live predictions under the backend's title."""


@dataclass(frozen=True)
class Hop:
    """One step on the way between Label Studio and us. `message` says what was found, and what to do where not `ok`."""

    name: str
    ok: bool
    message: str


def connect_projects(settings: Settings, projects: Sequence[int], *, sampling: bool = True) -> list[Hop]:
    """Connect `projects` of the Label Studio in `settings` (or the remembered one); every hop in order.

    A hop that fails ends what depends on it. `sampling` sets the projects to uncertainty sampling. Raises nothing but
    `SettingsError`, for a damaged connection file.
    """
    connection = recall(settings)
    if connection is None:
        advice = "Give it with --label-studio-url and --api-key, or LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY."
        return [Hop("Label Studio", False, f"No address is known. {advice}")]
    url = connection.url
    with LabelStudio(connection) as client:
        hops = [_hop("Label Studio", lambda: f"{url} is release {label_studio_release(url)}.")]
        if hops[-1].ok:
            hops.append(_hop("token", lambda: _token(client)))
        if not hops[-1].ok:
            return hops
        connection = replace(connection, webhook_secret=connection.webhook_secret or new_secret(), learnt=False)
        remember(settings.data_dir, connection)
        server = OwnServer.find(settings)
        hops.append(_own_server(settings, server))
        for project in projects:
            hops += _Connecting(settings, client, connection, server, project, sampling).run()
    return hops


class _Connecting:
    """Connects one project."""

    def __init__(
        self,
        settings: Settings,
        client: LabelStudio,
        connection: Connection,
        server: OwnServer | None,
        project: int,
        sampling: bool,
    ) -> None:
        self._settings = settings
        self._client = client
        self._connection = connection
        self._server = server
        self._project = project
        self._sampling = sampling
        self._address = settings.own_address
        self._replaced: str | None = None
        """The backend's address before it moved."""

    def run(self) -> Iterator[Hop]:
        found = self._named("project", self._describe)
        yield found
        if not found.ok:
            return
        yield self._named("config", self._config)
        added = self._named("backend", self._add_backend)
        yield added
        if not added.ok:
            return
        yield self._named("project settings", self._set_up_project)
        webhook = self._named("webhook", self._silence_webhook if self._settings.polling else self._add_webhook)
        yield webhook
        if webhook.ok and not self._settings.polling:
            yield self._named("webhook arrives", self._check_webhook)
        yield self._named("media", self._check_media)

    def _named(self, name: str, check: Callable[[], str]) -> Hop:
        return _hop(f"project {self._project}: {name}", check)

    def _describe(self) -> str:
        project = self._client.project(self._project)
        annotations = project["total_annotations_number"]
        return f'"{project["title"]}" has {project["task_number"]} tasks and {annotations} annotations.'

    def _parsed(self) -> LabellingConfig:
        return parse_config(str(self._client.project(self._project)["label_config"]))

    def _config(self) -> str:
        config = self._parsed()
        learnt = [
            f'{control.tag} "{control.name}" on {control.object_tag} is learnt: {_learnt(control)}.'
            for control in config.controls
        ]
        return " ".join([*learnt, *config.skipped])

    def _add_backend(self) -> str:
        fields: dict[str, Any] = {
            "project": self._project,
            "url": self._address,
            "title": self._settings.title,
            "is_interactive": True,
            **self._basic_auth(),
        }
        existing = self._backend()
        try:
            if existing is None:
                answer = self._client.create_backend(**fields)
            else:
                self._replaced = str(existing["url"])
                answer = self._client.update_backend(int(existing["id"]), **fields)
        except LabelStudioError as error:
            raise self._explained(error) from None
        if answer.get("state") not in (None, "CO"):
            raise LabelStudioError(
                f"Label Studio added {self._address} and reports it as {answer.get('readable_state')}: "
                f"{answer.get('error_message')}. Look at this backend's log."
            )
        done = "added" if existing is None else "updated"
        return f'Label Studio reaches {self._address}; it is {done} as "{self._settings.title}", interactive.'

    def _backend(self) -> Json | None:
        """Our backend in the project: at our address, or else under our title (it moved)."""
        backends = self._client.backends(self._project)
        at_address = [one for one in backends if canonical(str(one["url"])) == canonical(self._address)]
        titled = [one for one in backends if one["title"] == self._settings.title]
        return next(iter([*at_address, *titled]), None)

    def _basic_auth(self) -> dict[str, str]:
        if self._settings.username is None or self._settings.password is None:
            return {"auth_method": "NONE"}
        return {
            "auth_method": "BASIC_AUTH",
            "basic_auth_user": self._settings.username,
            "basic_auth_pass": self._settings.password.get_secret_value(),
        }

    def _set_up_project(self) -> str:
        project = self._client.project(self._project)
        wanted: dict[str, Any] = {"show_collab_predictions": True}
        if self._sampling:
            wanted["sampling"] = UNCERTAINTY
        changed = {name: value for name, value in wanted.items() if project.get(name) != value}
        if changed:
            self._client.update_project(self._project, **changed)
        version = self._name_version(project.get("model_version"))
        order = "the most useful tasks come first" if self._sampling else f'sampling stays "{project.get("sampling")}"'
        return f'Predictions of "{version}" are shown; {order}.'

    def _name_version(self, current: Any) -> str:
        """Have the project show our version, or the live backend while there is none; what it shows then."""
        backend = self._backend()
        version = str((backend or {}).get("model_version") or UNTRAINED)
        for name in (version, self._settings.title):
            if name == UNTRAINED:
                continue
            if name == current:
                return name
            try:
                self._client.update_project(self._project, model_version=name)
                return name
            except LabelStudioError as error:
                if error.status != 400 or name == self._settings.title:
                    raise  # 400: no prediction of that version is stored yet, so the live backend answers until then
        raise AssertionError("the last name returns or raises")

    def _add_webhook(self) -> str:
        url = f"{self._address}/webhook"
        problem = webhook_problem(url)
        if problem is not None:
            raise LabelStudioError(problem)
        wanted = wanted_webhooks(self._client.project(self._project), url, self._connection.webhook_headers)
        there = self._webhooks(url)
        try:
            for fields in wanted:
                existing = next((one for one in there if names_project(one) is names_project(fields)), None)
                if existing is None:
                    self._client.create_webhook(project=self._project, **fields)
                elif any(_differs(existing.get(name), value) for name, value in fields.items()):
                    self._client.update_webhook(int(existing["id"]), **fields)
        except LabelStudioError as error:
            raise self._explained(error) from None
        return f"Label Studio sends {len(HINTED) + len(TOLD)} kinds of events to {url}, with our secret."

    def _silence_webhook(self) -> str:
        """Label Studio makes one when a backend is added; where it arrives nowhere, annotators wait for it."""
        for existing in self._webhooks(f"{self._address}/webhook"):
            if existing["is_active"]:
                kept = {name: existing[name] for name in KEPT}
                self._client.update_webhook(int(existing["id"]), **{**kept, "is_active": False})
        return f"None is used: changes are looked for every {self._settings.polling:g} s."

    def _explained(self, error: LabelStudioError) -> LabelStudioError:
        """Label Studio's refusal of our address in words that help; 500 is how it says that a host has no address."""
        if error.status not in (400, 403, 500):
            return error
        return LabelStudioError(explain_refusal(error, self._address, self._settings.port), error.status)

    def _webhooks(self, url: str) -> list[Json]:
        """Our webhooks in the project: those at our address, then those at the one that the backend had before."""
        before = f"{self._replaced.rstrip('/')}/webhook" if self._replaced else url
        addresses = list(dict.fromkeys([canonical(url), canonical(before)]))
        found = [one for one in self._client.webhooks(self._project) if one.get("project") == self._project]
        return [one for address in addresses for one in found if canonical(str(one["url"])) == address]

    def _check_webhook(self) -> str:
        server = self._server
        if server is None:
            raise LabelStudioError("Whether webhooks arrive cannot be told while the server does not answer here.")
        if not arrives(server, "PROJECT_UPDATED", self._touch):
            raise LabelStudioError(self._lost_webhook())
        return "An event of Label Studio's arrived here."

    def _touch(self) -> None:
        """Save the project as it is: that sends `PROJECT_UPDATED`."""
        project = self._client.project(self._project)
        self._client.update_project(self._project, title=project["title"])

    def _lost_webhook(self) -> str:
        return (
            f"Label Studio sent an event to {self._address}/webhook and none arrived within some seconds. Start Label "
            "Studio with SSRF_PROTECTION_ENABLED=false if that address is private; check that this command and the "
            "server use the same data folder (the webhook's secret lies there) and that nothing between them drops the "
            "Authorization header. Until then changes are found every few minutes only."
        )

    def _check_media(self) -> str:
        fetched = [control for control in self._parsed().controls if control.fetched]
        if not fetched:
            return "Tasks hold their texts themselves: nothing to fetch."
        task = next(self._client.tasks(self._project, TaskQuery(page_size=1)), None)
        if task is None:
            return "No task yet, so nothing was fetched."
        fetcher = MediaFetcher.from_settings(
            self._settings, lambda: self._connection, self._client.authorization_header
        )
        sizes = [
            fetcher.fetch(str(task["data"].get(control.data_key)), task_id=int(task["id"])).stat().st_size
            for control in fetched
        ]
        return f"Task {task['id']}: fetched {', '.join(f'{size:,} bytes' for size in sizes)}."


def _learnt(control: Control) -> str:
    """What is learnt of a control, in a few words."""
    if not control.labels:
        return "what people write"
    return f"{'several' if control.multiple else 'one'} of {len(control.labels)} labels"


def _token(client: LabelStudio) -> str:
    kind = "personal access token" if client.uses_personal_token else "legacy token"
    return f"The {kind} of {client.whoami()['email']} is valid."


def _own_server(settings: Settings, server: OwnServer | None) -> Hop:
    if server is None:
        return Hop(
            "this backend",
            False,
            f"Nothing answers at {settings.own_address} or on port {settings.port} of this machine. Start it with "
            "`prelabel up`; give --url if it runs elsewhere, and its PRELABEL_USERNAME and PRELABEL_PASSWORD.",
        )
    return Hop("this backend", True, f"It answers at {server.url}.")


def _hop(name: str, check: Callable[[], str]) -> Hop:
    try:
        return Hop(name, True, check())
    except InvalidConfig as error:
        return Hop(name, False, f"{error} Change the config in Label Studio and connect again.")
    except PrelabelError as error:
        return Hop(name, False, str(error))


def _differs(found: Any, wanted: Any) -> bool:
    return sorted(found) != sorted(wanted) if isinstance(found, list) else found != wanted
