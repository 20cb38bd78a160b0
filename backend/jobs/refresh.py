"""The refresh job: predictions of every task that is still to be labelled, by the version that serves now."""

from __future__ import annotations

import logging
from contextlib import closing

from backend.errors import InvalidConfig, Superseded, UnknownProject
from backend.jobs.collaborators import Collaborators, build_collaborators
from backend.jobs.config import read_config
from backend.jobs.context import current_settings
from backend.jobs.featurise import Featuriser
from backend.jobs.progress import report
from backend.jobs.show import Show
from backend.jobs.turn import Turn
from backend.labelstudio.client import LabelStudio
from backend.labelstudio.config import LabellingConfig
from backend.projects.identity import UNTRAINED, Uid
from model_zoo.base import Watch
from model_zoo.errors import MissingExtra, WeightsNotFound

log = logging.getLogger(__name__)


def run(uid: str, version: str) -> str:
    """RQ's entry: refresh the project with the worker's settings; returns a sentence that says what came of it.

    Before the first version it computes the features of all tasks, so that the first training need not.
    """
    with closing(build_collaborators(current_settings())) as collaborators:
        try:
            collaborators.queue.begin_refresh(uid, version)
            record = collaborators.records.get(uid)
            with collaborators.label_studio() as label_studio:
                config = read_config(label_studio, record)
                if version == UNTRAINED:
                    return _prepare(collaborators, uid, config, label_studio)
                return _refresh(collaborators, uid, version, config, label_studio)
        except Superseded as reason:  # it is another job's turn, which will not see what this refresh is about
            collaborators.queue.refresh(uid, collaborators.versions.current_name(uid))
            return str(reason)
        except (InvalidConfig, UnknownProject) as reason:
            log.info("Project %s: %s", uid, reason)
            return str(reason)  # trying again would change nothing


def _refresh(
    collaborators: Collaborators, uid: str, version: str, config: LabellingConfig, label_studio: LabelStudio
) -> str:
    if collaborators.versions.current_name(uid) != version:
        return f"{version} serves no more; its refresh is left to the version after it."
    manifest = collaborators.versions.get(uid, version)
    head = collaborators.snapshots.head(uid)
    labelled = list(collaborators.snapshots.read(uid, head)) if head else []

    turn = Turn(collaborators.redis, uid)

    def step(done: int, total: int) -> None:
        report("features", 0.5 * done / total, f"Looked at {done} of {total} tasks.")
        if turn.is_asked():
            raise Superseded(f"A training writes its first predictions; those of {version} wait for it.")

    show = Show(collaborators, uid, manifest, config, label_studio, labelled, go_on=lambda: not turn.is_asked())
    show.compile()
    with turn.taken():
        outcome = show.everything(step, Watch())
    if outcome.superseded:
        current = collaborators.versions.current_name(uid)
        collaborators.queue.refresh(uid, current)
        return f"{outcome.written} predictions of {version} written; the rest is left to the refresh of {current}."
    refused = f", {len(outcome.refused)} refused" if outcome.refused else ""
    return f"{outcome.written} predictions of {version} written, {outcome.drafted} left to their drafts{refused}."


def _prepare(collaborators: Collaborators, uid: str, config: LabellingConfig, label_studio: LabelStudio) -> str:
    featuriser = Featuriser(uid, collaborators.features, collaborators.inputs)

    def step(done: int, total: int) -> None:
        report("features", done / total, f"Looked at {done} of {total} tasks.")

    tasks = list(label_studio.unlabelled_tasks(Uid(uid).project_id))
    for control in config.controls:
        try:
            family = collaborators.families.comparing(control, collaborators.families.of(control))
            encoder = family.encoder() if family is not None else None
            if family is not None and encoder is not None:
                collaborators.forms.make_all([encoder.program])
                featuriser.items(control, family, tasks, step)
        except (InvalidConfig, MissingExtra, WeightsNotFound) as error:  # that control's model alone is not there
            log.warning("Project %s, %s: %s", uid, control.name, error)
    return f"The features of {len(tasks)} tasks are ready for the first training."
