"""What `GET /` says: every project with its version, labels, running accuracy, job and notes."""

from __future__ import annotations

from dataclasses import asdict
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as release_of

from backend.errors import InvalidConfig, QueueUnavailable
from backend.evaluation.headlines import in_words
from backend.evaluation.measures import measures, spoken, spoken_time, time_saved
from backend.evaluation.prequential import running_accuracy
from backend.jobs.collaborators import Collaborators
from backend.jobs.facts import ProjectFacts
from backend.jobs.view import JobKind, JobState, JobView
from backend.labelstudio.config import LabellingConfig, parse_config
from backend.projects.identity import UNTRAINED
from backend.projects.record import ProjectRecord
from backend.server.protocol import (
    AccuracyPoint,
    ControlStatus,
    ErrorStatus,
    JobStatus,
    ProjectStatus,
    Status,
)
from backend.store.ledger import Judged
from backend.store.manifest import Manifest

ERRORS_SHOWN = 5


class StatusReport:
    """Reads everything anew at each call; loads no model and calls nobody but Redis and the store."""

    def __init__(self, collaborators: Collaborators) -> None:
        self._with = collaborators

    def read(self) -> Status:
        jobs, reachable = self._jobs()
        connection = self._with.connection()
        return Status(
            status="UP",
            model_class="Prelabel",
            title=self._with.settings.title,
            release=_release(),
            label_studio=connection.url if connection else None,
            queue=reachable,
            projects=[
                self._project(record, [job for job in jobs if job.uid == record.uid], reachable)
                for record in self._with.records.all()
            ],
            errors=[]
            if reachable
            else [ErrorStatus(at=0.0, message="Redis cannot be reached; training waits for it.")],
        )

    def _jobs(self) -> tuple[list[JobView], bool]:
        try:
            return self._with.queue.jobs(), True
        except QueueUnavailable:
            return [], False

    def _project(self, record: ProjectRecord, jobs: list[JobView], reachable: bool) -> ProjectStatus:
        pointer = self._with.versions.pointer(record.uid)
        manifest = self._with.versions.get(record.uid, pointer.current) if pointer.current != UNTRAINED else None
        judged = self._with.ledger.judgements(record.uid)
        facts = self._with.facts.read(record.uid) if reachable else ProjectFacts()
        connection = self._with.connection()
        config, problem = _parsed(record)
        notes = [
            *(config.skipped if config else ()),
            *(manifest.notes if manifest else ()),
            *([problem] if problem else ()),
        ]
        measured = [one for one in measures(judged) if one.version == pointer.current]
        saved = time_saved(judged)
        return ProjectStatus(
            uid=record.uid,
            id=record.id,
            title=record.title,
            url=f"{connection.url}/projects/{record.id}" if connection else None,
            version=pointer.current,
            pinned=pointer.pinned,
            controls=_controls(config, manifest, judged),
            labelled=facts.labelled,
            total=facts.total,
            accuracy=_accuracy(judged[-50:]),
            history=_history(judged),
            measures=[asdict(one) for one in measured],
            time_saved=asdict(saved) if saved else None,
            words=[*map(spoken, measured), *([spoken_time(saved)] if saved else [])],
            job=_job(jobs),
            notes=notes,
            errors=_errors(jobs),
        )


def _release() -> str:
    try:
        return release_of("prelabel")
    except PackageNotFoundError:  # run from a source tree that is not installed
        return "source"


def _parsed(record: ProjectRecord) -> tuple[LabellingConfig | None, str | None]:
    try:
        return parse_config(record.label_config), None
    except InvalidConfig as error:
        return None, str(error)


def _controls(config: LabellingConfig | None, manifest: Manifest | None, judged: list[Judged]) -> list[ControlStatus]:
    parts = manifest.controls if manifest else {}
    return [
        ControlStatus(
            name=control.name,
            tag=control.tag,
            family=parts[control.name].family if control.name in parts else None,
            labels=int(parts[control.name].metrics.get("answers", 0)) if control.name in parts else 0,
            accuracy=_accuracy([entry for entry in judged if entry.control == control.name][-50:]),
            metrics=dict(parts[control.name].metrics) if control.name in parts else {},
            words=in_words(parts[control.name].metrics) if control.name in parts else [],
        )
        for control in (config.controls if config else ())
    ]


def _accuracy(judged: list[Judged]) -> float | None:
    """The share of judged predictions that were right; None when none was judged."""
    verdicts = [entry.correct for entry in judged if entry.correct is not None]
    return sum(verdicts) / len(verdicts) if verdicts else None


def _history(judged: list[Judged]) -> list[AccuracyPoint]:
    return [
        AccuracyPoint(version=point.version, accuracy=point.accuracy, judged=point.judged)
        for point in running_accuracy(judged)
    ]


def _job(jobs: list[JobView]) -> JobStatus | None:
    """The job to show: the one that runs, else the one that waits; trainings before refreshes."""
    alive = sorted(
        (job for job in jobs if job.state.alive),
        key=lambda job: (job.state is not JobState.STARTED, job.kind is not JobKind.TRAIN),
    )
    if not alive:
        return None
    job = alive[0]
    return JobStatus(
        id=job.id,
        kind=job.kind.value,
        state=job.state.value,
        stage=job.stage,
        epoch=job.epoch,
        epochs=job.epochs,
        metrics=dict(job.metrics),
        fraction=job.fraction,
        eta=job.eta,
    )


def _errors(jobs: list[JobView]) -> list[ErrorStatus]:
    failed = [job for job in jobs if job.error is not None]
    return [
        ErrorStatus(at=job.ended_at.timestamp() if job.ended_at else 0.0, message=f"{job.kind.value}: {job.error}")
        for job in failed[:ERRORS_SHOWN]
    ]
