"""The training job: sync, teach, gate, publish, announce, and show people the new predictions."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass

from backend.errors import (
    InvalidConfig,
    NothingToLearn,
    PrelabelError,
    QueueUnavailable,
    StoreDamaged,
    StoreError,
    Superseded,
    UnknownProject,
)
from backend.evaluation.prequential import recent
from backend.jobs.collaborators import Collaborators, build_collaborators
from backend.jobs.config import read_config
from backend.jobs.context import current_settings
from backend.jobs.distil import Distiller, Source
from backend.jobs.featurise import Featuriser
from backend.jobs.learn import Taught, Teacher
from backend.jobs.lease import Hold, Lease, lease
from backend.jobs.machine import cost, environment
from backend.jobs.progress import report
from backend.jobs.retention import Retention, Rule
from backend.jobs.show import Show
from backend.jobs.shown import ShownLog
from backend.jobs.sync import Sync, Synced
from backend.jobs.turn import Turn
from backend.jobs.unlabelled import for_teacher
from backend.jobs.verdicts import record, refused
from backend.labelstudio.changes import Glance, glance
from backend.labelstudio.client import LabelStudio
from backend.labelstudio.config import LabellingConfig
from backend.labelstudio.webhook import claim_webhook
from backend.projects.identity import UNTRAINED
from backend.projects.record import ProjectRecord
from backend.serving.inputs import Task
from backend.serving.swap import announce
from backend.store.ledger import Event
from backend.store.manifest import ControlVersion, Manifest
from backend.store.objects import ObjectMissing
from backend.store.versions import Pointer
from model_zoo.base import Progress, Watch
from model_zoo.errors import Cancelled

log = logging.getLogger(__name__)

THOROUGH_EVERY = 3600
"""Seconds between two comparisons of all annotated tasks, for changes that leave no trace in times and totals."""


def run(uid: str) -> str:
    """RQ's entry: train the project with the worker's settings; returns a sentence that says what came of it."""
    with closing(build_collaborators(current_settings())) as collaborators:
        return Training(collaborators, uid).run()


@dataclass(frozen=True)
class Learnt:
    """What a run has learnt. `manifest` is the next version, not yet published; None where nothing is new. `pointer`
    is where versions stood when it began, and `champion` what it had to beat."""

    pointer: Pointer
    champion: Manifest | None
    taught: Mapping[str, Taught]
    manifest: Manifest | None


class Training:
    """One run for one project. What it publishes is complete, or nothing at all."""

    def __init__(self, collaborators: Collaborators, uid: str) -> None:
        self._with = collaborators
        self._uid = uid
        self._featuriser = Featuriser(uid, collaborators.features, collaborators.inputs)
        self._begun = time.monotonic()
        self._glance: Glance | None = None

    def run(self) -> str:
        """Raises `LabelStudioError`, `StoreError`, `QueueUnavailable`; RQ tries again then."""
        try:
            with lease(self._with.redis, self._uid, at_least=self._with.versions.fence(self._uid) + 1) as held:
                self._with.queue.begin(self._uid)
                self._with.facts.begin(self._uid)
                said = self._train(held)
                self._remember_glance()
                return said
        except (Superseded, Cancelled) as reason:
            # The mark may be gone, and whoever was first may have read the annotations before it was set.
            self._with.queue.mark(self._uid, time.time())
            log.info("Project %s: %s", self._uid, reason)
            return str(reason)
        except (NothingToLearn, InvalidConfig, UnknownProject) as reason:
            # None is a failure of ours, and trying again would change nothing: an event will, when something changes.
            log.info("Project %s: %s", self._uid, reason)
            self._remember_glance()
            return str(reason)
        except Exception:  # whatever it was: RQ tries again and says so, and the next label need not wait for that
            with suppress(QueueUnavailable):
                self._with.facts.failed(self._uid)
            raise

    def _remember_glance(self) -> None:
        """What was there when this began has been dealt with; see `reconcile`."""
        if self._glance is not None:
            self._with.facts.saw(self._uid, self._glance)

    def _train(self, held: Lease) -> str:
        report("sync", 0.0, "Reading what changed in Label Studio.")
        project = self._with.records.get(self._uid)
        with self._with.label_studio() as label_studio:
            config = read_config(label_studio, project)
            self._glance = glance(label_studio, project.id, config.xml)
            claim_webhook(label_studio, project.id, self._with.settings)
            sync = Sync(self._with.snapshots, self._with.ledger, self._with.roles)
            shown = ShownLog(self._with.redis, self._uid)
            thorough = self._with.facts.is_time("thorough", self._uid, THOROUGH_EVERY)
            try:
                synced = sync.run(self._uid, config, label_studio, shown, thorough=thorough, total=self._glance.tasks)
            except PrelabelError:
                if thorough:
                    self._with.facts.not_done("thorough", self._uid)
                raise
            self._with.facts.synced(self._uid, len(synced.records), synced.total)
            learnt = self.learn(held, project, config, synced, lambda: label_studio.unlabelled_tasks(project.id))
            if learnt.manifest is None:
                return self._unchanged(synced, learnt.champion, learnt.taught)
            held.check()
            turn = Turn(self._with.redis, self._uid)
            with turn.asked():
                if self._publish(learnt.manifest, learnt.pointer):
                    said = self._show(turn, learnt.manifest, config, synced, label_studio)
                else:
                    said = self._kept(learnt.manifest, learnt.pointer)
            self._retire()
            return said

    def learn(
        self,
        held: Hold,
        project: ProjectRecord,
        config: LabellingConfig,
        synced: Synced,
        unlabelled: Callable[[], Iterable[Task]] = tuple,
    ) -> Learnt:
        """Teach every control, and let the gate judge what it has learnt. Publishes nothing, and needs neither Redis
        nor Label Studio, but for the tasks that are `unlabelled`, where a teacher is asked about some. Raises the zoo's
        `Cancelled` once `held` is not held any more."""
        pointer = self._with.versions.pointer(self._uid)
        champion = self._champion(pointer)
        taught = self._teach(held, project, config, synced, champion, unlabelled)
        changed = any(lesson.changed for lesson in taught.values())
        manifest = self._manifest(held.fence, synced, champion, taught) if changed else None
        return Learnt(pointer, champion, taught, manifest)

    def _champion(self, pointer: Pointer) -> Manifest | None:
        """The version to learn on from: the current one, or the newest where a pin keeps that from being current."""
        name = pointer.newest if pointer.pinned else pointer.current
        return self._with.versions.get(self._uid, name) if name != UNTRAINED else None

    def _teach(
        self,
        held: Hold,
        project: ProjectRecord,
        config: LabellingConfig,
        synced: Synced,
        champion: Manifest | None,
        unlabelled: Callable[[], Iterable[Task]],
    ) -> dict[str, Taught]:
        """Every control in turn. Raises the zoo's `Cancelled` once the lease is lost."""
        teacher = Teacher(
            self._with.artifacts,
            self._with.families,
            self._featuriser,
            self._with.versions.next_name(self._uid),
            self._with.settings.seed,
            project.parameters,
            self._distiller(synced, unlabelled),
        )
        seen = self._learnt_by(champion)
        held_back = refused(self._with.ledger, self._with.versions, self._uid, champion)
        judgements = self._with.ledger.judgements(self._uid)
        taught = {}
        for number, control in enumerate(config.controls):
            progress = ControlProgress(0.1 + 0.6 * number / len(config.controls), 0.6 / len(config.controls))
            part = champion.controls.get(control.name) if champion else None
            records = synced.records.values()
            watch = Watch(progress.trained, cancelled=lambda: not held.held)
            judged = recent(judgements, control.name)
            lesson = teacher.teach(control, records, part, seen, held_back, progress.encoded, watch, judged)
            self._keep_verdict(control.name, lesson)
            taught[control.name] = lesson
        return taught

    def _distiller(self, synced: Synced, unlabelled: Callable[[], Iterable[Task]]) -> Distiller:
        have = self._with

        def tasks(most: int) -> list[Task]:
            return for_teacher(unlabelled(), synced.records, have.roles, most)

        def part(version: str, control: str) -> tuple[ControlVersion | None, frozenset[int]]:
            manifest = have.versions.get(self._uid, version)
            return manifest.controls.get(control), self._learnt_by(manifest)

        source = Source(tasks, part, have.settings.distil_tasks)
        return Distiller(have.families, have.artifacts, self._featuriser, source)

    def _learnt_by(self, champion: Manifest | None) -> frozenset[int]:
        """The tasks that were labelled when the champion was trained."""
        if champion is None or champion.snapshot is None:
            return frozenset()
        try:
            return frozenset(record.task for record in self._with.snapshots.read(self._uid, champion.snapshot))
        except (StoreDamaged, ObjectMissing) as error:
            # As if it had met none of them before, which can only make it look better than it is.
            log.warning("Project %s: What %s learnt from is not known any more: %s", self._uid, champion.name, error)
            return frozenset()

    def _keep_verdict(self, control: str, lesson: Taught) -> None:
        if lesson.challenger is not None and lesson.verdict is not None:
            log.info("Project %s, %s: %s", self._uid, control, lesson.verdict.reason)
            record(self._with.ledger, self._uid, control, lesson.challenger, lesson.verdict)

    def _unchanged(self, synced: Synced, champion: Manifest | None, taught: Mapping[str, Taught]) -> str:
        notes = " ".join(note for lesson in taught.values() for note in lesson.notes)
        if champion is None:
            # It encodes every task, so that the first training needn't, which somebody waits for.
            self._with.queue.refresh(self._uid, UNTRAINED)
            raise NothingToLearn(
                f"There is nothing to learn from yet: {len(synced.records)} tasks are labelled, and none of their "
                f"annotations answers a control that can be learnt. {notes}".strip()
            )
        self._with.queue.refresh(self._uid, self._with.versions.current_name(self._uid))
        return f"Nothing to learn since {champion.name}. {notes}".strip()

    def _manifest(
        self, fence: int, synced: Synced, champion: Manifest | None, taught: Mapping[str, Taught]
    ) -> Manifest:
        parts: dict[str, ControlVersion] = {
            name: lesson.part for name, lesson in taught.items() if lesson.part is not None
        }
        return Manifest(
            project=self._uid,
            name=self._with.versions.next_name(self._uid),
            created=time.time(),
            fence=fence,
            controls=parts,
            parent=champion.name if champion else None,
            snapshot=synced.snapshot,
            metrics={"labelled": float(len(synced.records)), "total": float(synced.total)},
            environment=environment(),
            cost=cost(time.monotonic() - self._begun, self._with.settings.machine_rate),
            notes=tuple(note for lesson in taught.values() for note in lesson.notes),
        )

    def _publish(self, manifest: Manifest, pointer: Pointer) -> bool:
        """Whether the version is there for everybody now; the pointer moves last, and for a pinned project not at all.

        Raises `Superseded` where somebody moved the pointer by hand since the training read it.
        """
        report("publish", 0.75, f"Publishing {manifest.name}.")
        self._with.records.get(self._uid)  # raises where the project was forgotten meanwhile
        if self._with.versions.pointer(self._uid) != pointer:
            raise Superseded(f"{manifest.name} was trained on from {pointer.current}, which somebody left meanwhile.")
        self._with.versions.publish(manifest)
        self._with.facts.published(self._uid, int(manifest.metrics["labelled"]))
        detail = {"version": manifest.name, "parent": manifest.parent or UNTRAINED, "notes": list(manifest.notes)}
        self._with.ledger.append(self._uid, [Event("publish", manifest.created, detail)])
        if self._with.versions.current_name(self._uid) != manifest.name:
            return False
        missing = announce(self._with.redis, self._uid, manifest.name)
        if missing:
            log.warning("Servers %s did not acknowledge %s; they follow the pointer.", sorted(missing), manifest.name)
        return True

    def _kept(self, manifest: Manifest, pointer: Pointer) -> str:
        """What is said of a version that a pin keeps from serving. New tasks get predictions of the pinned one."""
        self._with.queue.refresh(self._uid, pointer.current)
        return f"{manifest.name} is ready, and {pointer.current} goes on serving: the project is pinned."

    def _retire(self) -> None:
        """Delete what is old, under the lease; where that fails, the next training tries again."""
        have, settings = self._with, self._with.settings
        retention = Retention(have.records, have.versions, have.artifacts, have.snapshots, have.ledger)
        try:
            retention.run(self._uid, Rule(settings.keep_versions, settings.keep_days), time.time())
        except StoreError as error:
            log.warning("Old versions of project %s stay for now: %s", self._uid, error)

    def _show(
        self, turn: Turn, manifest: Manifest, config: LabellingConfig, synced: Synced, label_studio: LabelStudio
    ) -> str:
        report("refresh", 0.8, "Writing the predictions that people meet next.")
        with turn.taken():
            show = Show(self._with, self._uid, manifest, config, label_studio, list(synced.records.values()))
            written = show.first().written
        # Not at once: while somebody labels task after task, most of it would be out of date before anybody saw it,
        # and the writing makes Label Studio slow to take the labels. But the first refresh compiles, too.
        quiet = 0.0 if show.lacks_forms() else self._with.settings.refresh_quiet
        self._with.queue.refresh(self._uid, manifest.name, quiet=quiet)
        return (
            f"{manifest.name} serves, taught by {len(synced.records)} labelled tasks; {written} predictions are shown."
        )


class ControlProgress:
    """How far the training of one control is: its part of the job begins at `start` and is `share` of it."""

    def __init__(self, start: float, share: float) -> None:
        self._start = start
        self._share = share
        self._encoding = 0.0
        """Which part of the share goes to encoding: most where items are encoded, none where they are not."""

    def encoded(self, done: int, total: int) -> None:
        self._encoding = 0.8
        report("features", self._at(self._encoding * done / total), f"Encoded {done} of {total} labelled tasks.")

    def trained(self, progress: Progress) -> None:
        fraction = self._at(self._encoding + (1 - self._encoding) * progress.fraction)
        metrics = None if progress.loss is None else {"loss": progress.loss}
        report("train", fraction, progress.message, epoch=progress.epoch, metrics=metrics)

    def _at(self, part: float) -> float:
        return self._start + self._share * part
