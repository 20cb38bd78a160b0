"""The training job: sync, teach, gate, publish, announce, and show people the new predictions."""

from __future__ import annotations

import logging
import platform
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from importlib.metadata import version as release_of

from backend.errors import InvalidConfig, NothingToLearn, Superseded, UnknownProject
from backend.jobs.collaborators import Collaborators, build_collaborators
from backend.jobs.config import read_config
from backend.jobs.context import current_settings
from backend.jobs.featurise import Featuriser
from backend.jobs.learn import LEARNT_FROM, Taught, Teacher
from backend.jobs.lease import Hold, Lease, lease
from backend.jobs.progress import report
from backend.jobs.show import Show
from backend.jobs.shown import ShownLog
from backend.jobs.sync import Sync, Synced
from backend.labelstudio.client import LabelStudio
from backend.labelstudio.config import LabellingConfig
from backend.labelstudio.webhook import claim_webhook
from backend.projects.identity import UNTRAINED
from backend.projects.record import ProjectRecord
from backend.serving.swap import announce
from backend.store.ledger import Event
from backend.store.manifest import ControlVersion, Manifest
from model_zoo.base import Progress, Watch
from model_zoo.errors import Cancelled

log = logging.getLogger(__name__)

THOROUGH_EVERY = 3600
"""Seconds between two comparisons of all annotated tasks, for changes that leave no trace in times and totals."""
VERDICT = "verdict"
"""The kind of ledger event that says what the gate made of a challenger."""
RECORDED_PACKAGES = ("prelabel", "torch", "transformers", "timm", "scikit-learn", "numpy")


def run(uid: str) -> str:
    """RQ's entry: train the project with the worker's settings; returns a sentence that says what came of it."""
    with closing(build_collaborators(current_settings())) as collaborators:
        return Training(collaborators, uid).run()


@dataclass(frozen=True)
class Learnt:
    """What a run has learnt. `manifest` is the next version, not yet published; None where nothing is new."""

    champion: Manifest | None
    taught: Mapping[str, Taught]
    manifest: Manifest | None


class Training:
    """One run for one project. What it publishes is complete, or nothing at all."""

    def __init__(self, collaborators: Collaborators, uid: str) -> None:
        self._with = collaborators
        self._uid = uid
        self._featuriser = Featuriser(uid, collaborators.features, collaborators.inputs)

    def run(self) -> str:
        """Raises `LabelStudioError`, `StoreError`, `QueueUnavailable`; RQ tries again then."""
        try:
            with lease(self._with.redis, self._uid, at_least=self._with.versions.fence(self._uid) + 1) as held:
                self._with.queue.begin(self._uid)
                self._with.facts.begin(self._uid)
                return self._train(held)
        except (Superseded, Cancelled) as reason:
            # The mark may be gone, and whoever was first may have read the annotations before it was set.
            self._with.queue.mark(self._uid, time.time())
            log.info("Project %s: %s", self._uid, reason)
            return str(reason)
        except (NothingToLearn, InvalidConfig, UnknownProject) as reason:
            # None is a failure of ours, and trying again would change nothing: an event will, when something changes.
            log.info("Project %s: %s", self._uid, reason)
            return str(reason)

    def _train(self, held: Lease) -> str:
        report("sync", 0.0, "Reading what changed in Label Studio.")
        record = self._with.records.get(self._uid)
        with self._with.label_studio() as label_studio:
            config = read_config(label_studio, record)
            claim_webhook(label_studio, record.id, self._with.settings)
            sync = Sync(self._with.snapshots, self._with.ledger, self._with.roles)
            shown = ShownLog(self._with.redis, self._uid)
            thorough = self._with.facts.is_time("thorough", self._uid, THOROUGH_EVERY)
            synced = sync.run(self._uid, config, label_studio, shown, thorough=thorough)
            self._with.facts.synced(self._uid, len(synced.records), synced.total)
            learnt = self.learn(held, record, config, synced)
            if learnt.manifest is None:
                return self._unchanged(synced, learnt.champion, learnt.taught)
            held.check()
            self._publish(learnt.manifest)
            return self._show(learnt.manifest, config, synced, label_studio)

    def learn(self, held: Hold, record: ProjectRecord, config: LabellingConfig, synced: Synced) -> Learnt:
        """Teach every control, and let the gate judge what it has learnt. Publishes nothing, and needs neither Redis
        nor Label Studio. Raises the zoo's `Cancelled` once `held` is not held any more."""
        champion = self._with.versions.current(self._uid)
        taught = self._teach(held, record, config, synced, champion)
        changed = any(lesson.changed for lesson in taught.values())
        manifest = self._manifest(held.fence, synced, champion, taught) if changed else None
        return Learnt(champion, taught, manifest)

    def _teach(
        self,
        held: Hold,
        record: ProjectRecord,
        config: LabellingConfig,
        synced: Synced,
        champion: Manifest | None,
    ) -> dict[str, Taught]:
        """Every control in turn. Raises the zoo's `Cancelled` once the lease is lost."""
        teacher = Teacher(
            self._with.artifacts,
            self._with.families,
            self._featuriser,
            self._with.versions.next_name(self._uid),
            self._with.settings.seed,
            record.parameters,
        )
        seen = self._learnt_by(champion)
        held_back = self._held_back()
        taught = {}
        for number, control in enumerate(config.controls):
            progress = ControlProgress(0.1 + 0.6 * number / len(config.controls), 0.6 / len(config.controls))
            part = champion.controls.get(control.name) if champion else None
            records = synced.records.values()
            watch = Watch(progress.trained, cancelled=lambda: not held.held)
            lesson = teacher.teach(control, records, part, seen, held_back, progress.encoded, watch)
            self._record_verdict(control.name, lesson)
            taught[control.name] = lesson
        return taught

    def _learnt_by(self, champion: Manifest | None) -> frozenset[int]:
        """The tasks that were labelled when the champion was trained."""
        if champion is None or champion.snapshot is None:
            return frozenset()
        return frozenset(record.task for record in self._with.snapshots.read(self._uid, champion.snapshot))

    def _held_back(self) -> frozenset[str]:
        """Fingerprints of what challengers that the gate held back had learnt from."""
        verdicts = (event.detail for event in self._with.ledger.events(self._uid, VERDICT))
        return frozenset(str(detail["learnt_from"]) for detail in verdicts if not detail["promote"])

    def _record_verdict(self, control: str, lesson: Taught) -> None:
        """A challenger keeps its numbers and its reason, promoted or not."""
        if lesson.challenger is None or lesson.verdict is None:
            return
        detail = {
            "control": control,
            "promote": lesson.verdict.promote,
            "reason": lesson.verdict.reason,
            "learnt_from": lesson.challenger.recipe[LEARNT_FROM],
            "artifact": lesson.challenger.artifact,
            "metrics": dict(lesson.challenger.metrics),
        }
        log.info("Project %s, %s: %s", self._uid, control, lesson.verdict.reason)
        self._with.ledger.append(self._uid, [Event(VERDICT, time.time(), detail)])

    def _unchanged(self, synced: Synced, champion: Manifest | None, taught: Mapping[str, Taught]) -> str:
        notes = " ".join(note for lesson in taught.values() for note in lesson.notes)
        if champion is None:
            # It encodes every task, so that the first training needn't, which somebody waits for.
            self._with.queue.refresh(self._uid, UNTRAINED)
            raise NothingToLearn(
                f"There is nothing to learn from yet: {len(synced.records)} tasks are labelled, and none of their "
                f"annotations answers a control that can be learnt. {notes}".strip()
            )
        self._with.queue.refresh(self._uid, champion.name)
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
            environment=_environment(),
            notes=tuple(note for lesson in taught.values() for note in lesson.notes),
        )

    def _publish(self, manifest: Manifest) -> None:
        """The pointer moves last; from then on the version is there for everybody."""
        report("publish", 0.75, f"Publishing {manifest.name}.")
        self._with.records.get(self._uid)  # raises where the project was forgotten meanwhile
        self._with.versions.publish(manifest)
        self._with.facts.published(self._uid, int(manifest.metrics["labelled"]))
        detail = {"version": manifest.name, "parent": manifest.parent or UNTRAINED, "notes": list(manifest.notes)}
        self._with.ledger.append(self._uid, [Event("publish", manifest.created, detail)])
        missing = announce(self._with.redis, self._uid, manifest.name)
        if missing:
            log.warning("Servers %s did not acknowledge %s; they follow the pointer.", sorted(missing), manifest.name)

    def _show(self, manifest: Manifest, config: LabellingConfig, synced: Synced, label_studio: LabelStudio) -> str:
        report("refresh", 0.8, "Writing the predictions that people meet next.")
        show = Show(self._with, self._uid, manifest, config, label_studio, list(synced.records.values()))
        written = show.first().written
        self._with.queue.refresh(self._uid, manifest.name)
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
        report("train", self._at(self._encoding + (1 - self._encoding) * progress.fraction), progress.message)

    def _at(self, part: float) -> float:
        return self._start + self._share * part


def _environment() -> dict[str, str]:
    """What the version was made with."""
    packages = {name: release_of(name) for name in RECORDED_PACKAGES}
    return {"python": platform.python_version(), "machine": platform.machine(), "system": platform.system(), **packages}
