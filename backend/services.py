"""Everything a server process works with, built once from settings: what the routes call.

A composition root: it sees all parts, and no part sees it.
"""

from __future__ import annotations

import logging
import os
import secrets
import socket
import threading
import time
from contextlib import suppress
from dataclasses import asdict, replace
from typing import Any

from backend.dashboard.status import StatusReport
from backend.errors import InvalidConfig, InvalidRequest, PrelabelError, QueueUnavailable, StoreError, UnknownProject
from backend.interactive.assistant import Assistant
from backend.interactive.earlier import EarlierTexts
from backend.interactive.own import OwnModels
from backend.jobs.collaborators import build_collaborators
from backend.jobs.events import ACTIONS, EventOutcome, Events
from backend.jobs.lineage import lineage
from backend.jobs.policy import Rules
from backend.jobs.queue import Queue
from backend.jobs.recipe import read_parameters
from backend.jobs.reconcile import Reconciler
from backend.jobs.steering import Steering, steer
from backend.jobs.ticker import Ticker
from backend.jobs.view import JobView
from backend.labelstudio.config import LabellingConfig, parse_config
from backend.labelstudio.connection import learn_hostname
from backend.projects.identity import UNTRAINED, Uid
from backend.projects.record import ProjectRecord
from backend.server.protocol import Count, Status
from backend.serving.compiler import Compiler
from backend.serving.counters import Counters
from backend.serving.pool import Pool
from backend.serving.predict import LAST, Predictor, TaskPrediction
from backend.serving.swap import SwapListener
from backend.serving.warmup import WarmUp, exercise
from backend.settings import Settings
from model_zoo.errors import ZooError

log = logging.getLogger(__name__)

AGAIN = 0.5
"""Seconds after which a look at all projects that failed is repeated."""


class Services:
    """One server process. Methods block, are safe for threads, and raise `backend.errors` on purpose only."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._with = build_collaborators(settings)
        self._counters = Counters()
        self._compiler = Compiler(self._with.forms, self._ask_for_refresh)
        self._pool = Pool(
            self._with.versions,
            self._with.artifacts,
            self._with.families,
            settings.model_memory_bytes,
            on_load=lambda family: self._counters.add("model_loads"),
            on_first_use=self._compiler.take,
        )
        self._predictor = Predictor(
            self._with.inputs, self._with.roles, lambda reason: self._counters.add("prediction_failures", reason)
        )
        own = OwnModels(self._pool, self._predictor)
        self._assistant = Assistant(self._with.inputs, settings, EarlierTexts(self._with.snapshots), own)
        rules = Rules(
            settings.retrain_always_below, settings.retrain_growth, settings.retrain_quiet, settings.retrain_spacing
        )
        self._ticker = Ticker(self._with.queue)
        self._events = Events(
            self._with.queue, self._with.facts, self._with.records, self._with.versions, rules, self._ticker.soon
        )
        self._report = StatusReport(self._with)
        self._warmup = WarmUp(self._load_in_advance)
        self._stop = threading.Event()
        self._look_now = threading.Event()
        self._reconciler = Reconciler(self._with, rules)
        # Apart from the ticker: a Label Studio that answers slowly must not keep it from what is due.
        self._looker = threading.Thread(target=self._reconcile, name="prelabel-reconcile", daemon=True)
        name = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self._listener = SwapListener(self._with.redis, name, self._swap, self._look_at_everything)

    @property
    def queue(self) -> Queue:
        return self._with.queue

    def setup(self, uid: str, schema: str, hostname: str, extra_params: Any) -> str:
        """Record the project; returns the version that it is served with. Loads no model.

        Raises `InvalidConfig`, `InvalidRequest`, and `Untrusted` for the address of another Label Studio.
        """
        learn_hostname(self.settings, hostname)
        parse_config(schema)
        self._record(Uid(uid), schema, set_up=True, parameters=read_parameters(extra_params))
        self._warmup.ask(uid)
        return self._pool.name(uid)

    def predict(
        self, uid: str | None, label_config: str | None, tasks: list[Any], context: dict[str, Any] | None
    ) -> list[dict[str, Any]]:
        """One prediction a task, in order; an empty result for a task that cannot be predicted."""
        if context is not None:
            return self._assist(uid, label_config, tasks, context)
        config = self._config_to_predict(uid, label_config)
        if len(tasks) == 1:  # what the page asks when somebody opens a task
            self._assistant.prepare(uid or "", config.xml, tasks[0])
        version = self._pool.get(Uid(uid), config) if uid else self._pool.before_labels(config)
        self._compiler.offer(uid, version)
        deadline = time.monotonic() + self.settings.predict_budget
        predictions = self._predictor.predict(config, version, tasks, deadline)
        self._counters.add("predictions", amount=sum(bool(prediction.result) for prediction in predictions))
        if uid and any(problem.kind == "deadline" for prediction in predictions for problem in prediction.problems):
            self._ask_for_refresh(uid, version.name)
        return [prediction.as_dict() for prediction in predictions]

    def event(self, action: str, payload: dict[str, Any]) -> EventOutcome:
        """Take note of a webhook, within milliseconds."""
        outcome = self._events.handle(action, payload)
        # Other names come from whoever calls us, and would be series without end.
        self._counters.add("events", action if action in ACTIONS else "other")
        return outcome

    def train(self, uid: str) -> JobView:
        """Train as soon as a worker is free. Raises `UnknownProject`, `QueueUnavailable`."""
        return self._with.queue.train_now(self._with.records.get(Uid(uid)).uid)

    def version_names(self, uid: str) -> list[str]:
        """Every version of the project, oldest first."""
        return self._with.versions.names(Uid(uid))

    def model_version(self, uid: str) -> str:
        """The version that predictions are made with now."""
        return self._pool.name(Uid(uid))

    def lineage(self, uid: str) -> dict[str, Any]:
        """The project's versions with all that is recorded of them. Raises `UnknownProject`."""
        return lineage(self._with.versions, self._with.ledger, self._with.records.get(Uid(uid)).uid)

    def move(self, uid: str, action: str, version: str | None) -> dict[str, Any]:
        """Make another version current by hand, or pin one. Raises `UnknownProject`, `UnknownVersion`."""
        return asdict(steer(Steering(self._with, self._with.records.get(Uid(uid)).uid), action, version))

    def delete(self, uid: str) -> None:
        """Forget a project: its models, snapshots and ledger. Its labels lie in Label Studio and stay."""
        self._with.queue.forget(Uid(uid))
        self._with.records.delete(uid)
        self._pool.drop(uid)
        self._with.facts.forget(uid)

    def duplicate(self, src: str, dst: str) -> None:
        """Let project `dst` start with the current version of `src`."""
        source = self._with.records.get(Uid(src))
        if self._with.records.find(Uid(dst)) is None:
            self._with.records.put(replace(source, uid=dst, set_up_at=time.time()))
        self._with.versions.duplicate(src, dst)

    def validate(self, config: str) -> LabellingConfig:
        """Raises `InvalidConfig` when nothing of the config can be learnt."""
        return parse_config(config)

    def status(self) -> Status:
        """What the status page shows."""
        return self._report.read()

    def counts(self) -> list[Count]:
        """This process's counters."""
        names = {"prediction_failures": "reason", "events": "action"}
        return [
            Count(name=name, labels={names[name]: label} if name in names else {}, value=float(value))
            for name, label, value in self._counters.items()
        ]

    def start(self) -> None:
        """Begin to listen for swaps and to enqueue what is due."""
        self._compiler.start()
        self._listener.start()
        self._ticker.start(self._events.retry_missed)
        self._looker.start()
        self._warmup.start()

    def close(self) -> None:
        """End the background threads."""
        self._stop.set()
        self._look_now.set()
        self._warmup.close()
        self._listener.close()
        self._compiler.close()
        self._ticker.close()
        if self._looker.is_alive():
            self._looker.join(timeout=5)
        self._assistant.close()
        self._with.inputs.close()

    def _assist(
        self, uid: str | None, label_config: str | None, tasks: list[Any], context: dict[str, Any]
    ) -> list[dict[str, Any]]:
        """What a click, a box, a selection or a text is answered with; needs no model of the project."""
        xml = label_config or self._known_config(uid)
        version = self.model_version(uid) if uid else UNTRAINED
        answers = (self._assistant.answer(uid or "", xml, task, context) for task in tasks)
        predictions = [TaskPrediction(regions, LAST if not regions else 0.5, version) for regions in answers]
        self._counters.add("interactive_answers", amount=sum(bool(one.result) for one in predictions))
        return [one.as_dict() for one in predictions]

    def _record(
        self, uid: str, label_config: str, *, set_up: bool = False, parameters: dict[str, Any] | None = None
    ) -> ProjectRecord:
        """The project's record with this config, stored if it differs."""
        known = self._with.records.find(uid)
        now = replace(known or ProjectRecord(uid, f"Project {Uid(uid).project_id}", ""), label_config=label_config)
        if parameters is not None:
            now = replace(now, parameters=parameters)
        if set_up and (known is None or known.label_config != label_config):
            now = replace(now, set_up_at=time.time())
        if now != known:
            self._with.records.put(now)
            self._mark(uid)
        return now

    def _config_to_predict(self, uid: str | None, label_config: str | None) -> LabellingConfig:
        if label_config:
            config = parse_config(label_config)
            if uid is not None:
                self._record(Uid(uid), label_config)
            return config
        return parse_config(self._known_config(uid))

    def _known_config(self, uid: str | None) -> str:
        if uid is None:
            raise InvalidRequest("Got neither project nor label_config; send them as Label Studio does.")
        record = self._with.records.get(Uid(uid))
        if not record.label_config:
            raise UnknownProject(f"Project {uid} has no labelling config here yet; call /setup first.")
        return record.label_config

    def _ask_for_refresh(self, uid: str, version: str) -> None:
        try:
            self._with.queue.refresh(uid, version)
        except QueueUnavailable as error:
            log.warning("What was not reached in time waits for the next refresh: %s", error)

    def _mark(self, uid: str) -> None:
        try:
            self._with.queue.mark(uid, time.time())
        except QueueUnavailable as error:
            log.warning("Project %s is read again once Redis is back: %s", uid, error)

    def _swap(self, uid: str) -> None:
        version = self._pool.swap(uid)
        if version is None:
            self._warmup.again(uid)
        else:
            self._compiler.offer(uid, version)

    def _load_in_advance(self, uid: str) -> None:
        """Before its first version a project of images needs no model."""
        record = self._with.records.get(Uid(uid))
        config = parse_config(record.label_config)
        if self._pool.name(uid) != UNTRAINED or any(control.object_tag != "Image" for control in config.controls):
            self._await_forms(uid, config)
            version = self._pool.get(uid, config)
            self._compiler.offer(uid, version)
            exercise(version)

    def _await_forms(self, uid: str, config: LabellingConfig) -> None:
        """Those of shared encoders, which a worker makes once; a network of the project's own is another each time."""
        current = self._with.versions.current(uid)
        parts = current.controls if current is not None else {}
        for control in config.controls:
            with suppress(InvalidConfig, ZooError):  # `Pool.get` says so
                encoder = self._with.families.of(control, parts.get(control.name)).encoder()
                if encoder is not None:
                    self._compiler.wait_for(encoder.program)

    def _look_at_everything(self) -> None:
        """Redis is there (again): events may have been missed, so every project is looked at once."""
        self._look_now.set()
        try:
            for record in self._with.records.all():
                self._warmup.ask(record.uid)
        except StoreError as error:  # it must not end the thread that listens
            log.warning("The projects cannot be listed; the next look at all of them will: %s", error)

    def _reconcile(self) -> None:
        """At once when asked to, and from time to time; then one server does it for all."""
        interval = self.settings.look_interval
        while not self._stop.is_set():
            asked = self._look_now.wait(interval)
            self._look_now.clear()
            if self._stop.is_set():
                return
            try:
                # A little less, or each second look would come just before its time.
                if asked or self._with.facts.is_time("reconcile", "all", max(1, int(0.9 * interval))):
                    self._reconciler.look_at_all()
            except PrelabelError as error:
                log.warning("Looking for changes failed and is tried again: %s", error)
                if asked and not self._stop.wait(AGAIN):
                    self._look_now.set()
            except Exception:  # without this thread no unannounced change would be found again
                log.exception("Looking for changes failed and is tried again.")
