"""Teaching one control: real texts, a real family, the gate between champion and challenger."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import SecretStr

from backend.jobs.collaborators import Collaborators, build_collaborators
from backend.jobs.featurise import Featuriser
from backend.jobs.learn import Taught, Teacher
from backend.jobs.verdicts import LEARNT_FROM
from backend.labelstudio.config import Control, parse_config
from backend.projects.roles import Role
from backend.serving.inputs import content_key
from backend.settings import Settings
from backend.store.manifest import ControlVersion
from backend.store.records import Annotation, Record
from model_zoo.base import Trained, Watch
from model_zoo.linear.family import LinearFamily
from model_zoo.types import LabelSpace
from tests.backend.jobs.laboratory import SAMPLES

UID = "1.1795149789"


def control(*labels: str, attributes: str = "") -> Control:
    choices = "".join(f'<Choice value="{label}"/>' for label in labels or ("billing", "technical", "other"))
    tag = f'<Choices name="topic" toName="text" {attributes}>{choices}</Choices>'
    return parse_config(f'<View><Text name="text" value="$text"/>{tag}</View>').controls[0]


TOPIC = control()


def records(
    count: int = len(SAMPLES), *, wrong: Collection[int] = (), holdout: Collection[int] = (), copies: int = 1
) -> list[Record]:
    """Labelled samples; some labelled falsely, some for the holdout, each in so many copies that differ a little."""
    made = []
    for copy in range(copies):
        for at, (text, topic) in enumerate(SAMPLES[:count]):
            task = copy * 100 + at + 1
            given = "other" if at in wrong and topic != "other" else "billing" if at in wrong else topic
            region = {"from_name": "topic", "to_name": "text", "type": "choices", "value": {"choices": [given]}}
            role = Role.HOLDOUT if at in holdout else Role.TRAIN
            data = {"text": text + " Please." * copy}
            made.append(Record(task, data, (Annotation(task, (region,)),), role))
    return made


@pytest.fixture
def parts(tmp_path: Path) -> Collaborators:
    redis = SecretStr("redis://127.0.0.1:1/0")
    return build_collaborators(Settings(data_dir=tmp_path, redis_url=redis, torch_threads=1))


class School:
    """A teacher for each version, and what was said of its steps."""

    def __init__(self, parts: Collaborators) -> None:
        self._parts = parts
        self.versions = 0
        self.encoded = 0

    def teach(
        self,
        taught: Sequence[Record],
        champion: ControlVersion | None = None,
        *,
        asked: Control = TOPIC,
        seen: Collection[int] = (),
        held_back: Collection[str] = (),
    ) -> Taught:
        def step(done: int, total: int) -> None:
            self.encoded += done

        self.versions += 1
        featuriser = Featuriser(UID, self._parts.features, self._parts.inputs)
        teacher = Teacher(self._parts.artifacts, self._parts.families, featuriser, f"v{self.versions}", 0, {})
        return teacher.teach(asked, taught, champion, seen, held_back, step, Watch())

    def champion(self, taught: Sequence[Record], **more: Any) -> ControlVersion:
        part = self.teach(taught, **more).part
        assert part is not None
        return part


@pytest.fixture
def school(parts: Collaborators) -> School:
    return School(parts)


def test_first_lesson_serves(school: School, parts: Collaborators) -> None:
    taught = school.teach(records())
    assert taught.changed
    part = taught.part
    assert part is not None
    assert part.labels == ("billing", "technical", "other")
    assert part.trained_in == "v1"
    assert part.metrics["examples"] == len(SAMPLES)
    assert parts.artifacts.has(part.artifact)


def test_nothing_labelled_is_no_lesson(school: School) -> None:
    assert school.teach([]) == Taught(None, False)


def test_one_class_so_far_is_a_lesson(school: School) -> None:
    only = [record for record, (_, topic) in zip(records(), SAMPLES, strict=True) if topic == "billing"]
    assert school.teach(only).changed


def test_same_answers_are_carried_over_without_training(school: School) -> None:
    champion = school.champion(records(6))
    again = school.teach(records(6), champion)
    assert again == Taught(champion, False)
    assert school.teach(records(7), champion).changed


def test_answers_of_the_holdout_alone_change_nothing(school: School) -> None:
    """They are never learnt from, so more of them give no other model."""
    champion = school.champion(records(6))
    more = [*records(6), *records(8, holdout=(6, 7))[6:]]
    assert school.teach(more, champion) == Taught(champion, False)


def test_holdout_is_measured_and_not_learnt_from(school: School) -> None:
    part = school.champion(records(holdout=(10, 11)))
    assert part.metrics["examples"] == len(SAMPLES) - 2
    assert part.metrics["answers"] == len(SAMPLES)
    assert "holdout_accuracy" in part.metrics


def test_damaged_champion_is_trained_anew(school: School, parts: Collaborators, tmp_path: Path) -> None:
    champion = school.champion(records(6))
    for file in (Path(parts.settings.store_address) / "artifacts").rglob("*"):
        if file.is_file():
            file.write_bytes(b"damaged")
    again = school.teach(records(6), champion)
    assert again.changed
    assert again.verdict is not None
    assert again.verdict.promote


def test_challenger_that_is_clearly_worse_is_held_back_and_not_tried_again(school: School) -> None:
    """Half of the new answers contradict the other half, on items that neither has learnt from."""
    good = records(copies=4)
    champion = school.champion(good)
    spoilt = [*records(copies=4, wrong=range(len(SAMPLES))), *records(holdout=range(len(SAMPLES)), copies=5)[48:]]
    spoilt += [
        Record(record.task + 1000, {"text": f"{record.data['text']} Thanks."}, record.annotations, Role.HOLDOUT)
        for record in good
    ]
    taught = school.teach(spoilt, champion, seen=[record.task for record in good])
    assert taught.part is champion
    assert not taught.changed
    assert taught.verdict is not None
    assert not taught.verdict.promote
    assert taught.challenger is not None
    assert any(taught.verdict.reason in note for note in taught.notes)
    encoded = school.encoded
    fingerprint = str(taught.challenger.recipe[LEARNT_FROM])
    assert school.teach(spoilt, champion, held_back=[fingerprint]) == Taught(champion, False)
    assert school.encoded == encoded


def test_changed_labels_are_a_new_model_without_comparison(school: School) -> None:
    champion = school.champion(records())
    taught = school.teach(records(), champion, asked=control("billing", "technical", "other", "praise"))
    assert taught.changed
    assert taught.part is not None
    assert taught.part.labels[-1] == "praise"


def test_unreadable_tasks_cost_themselves(school: School) -> None:
    broken = [Record(99, {"text": None}, records(1)[0].annotations), *records(6)]
    taught = school.teach(broken)
    assert taught.changed
    assert any("1 labelled tasks cannot be read" in note for note in taught.notes)


def test_nothing_but_unreadable_tasks_teach_nothing(school: School) -> None:
    taught = school.teach([Record(99, {}, records(1)[0].annotations)])
    assert (taught.part, taught.changed) == (None, False)
    assert taught.notes


def test_unknown_family_says_so_and_the_champion_stays(school: School) -> None:
    champion = school.champion(records(6))
    taught = school.teach(records(7), champion, asked=control(attributes='prelabel_model="nobody/knows.v1"'))
    assert taught.part is champion
    assert not taught.changed
    assert "nobody/knows.v1" in " ".join(taught.notes)


def test_features_are_computed_once(school: School) -> None:
    champion = school.champion(records(6))
    assert school.encoded == 6
    school.teach(records(8), champion)
    assert school.encoded == 8


def test_family_that_cross_validates_nothing_is_judged_by_what_it_has_learnt(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as one from another package: a training that went wrong must not replace what serves."""
    learnt = LinearFamily.train
    goes_wrong = False

    def alone(self: LinearFamily, examples: Sequence[Any], labels: LabelSpace, *rest: Any, **more: Any) -> Trained:
        if goes_wrong:
            turned = [*examples[1:], examples[0]]
            examples = [replace(one, labels=other.labels) for one, other in zip(examples, turned, strict=True)]
        return replace(learnt(self, examples, labels, *rest, **more), out_of_fold=(None,) * len(examples))

    monkeypatch.setattr(LinearFamily, "train", alone)
    champion = school.champion(records(copies=3))
    goes_wrong = True
    taught = school.teach(records(copies=4), champion)
    assert taught.part is champion
    assert taught.verdict is not None
    assert "48 items that the new model has learnt from" in taught.verdict.reason
    goes_wrong = False
    assert school.teach(records(copies=4), champion).changed


def test_a_network_of_its_own_is_kept_and_its_features_stored_apart(school: School, parts: Collaborators) -> None:
    asked = control(attributes='prelabel_recipe="few_shot" prelabel_epochs="1" prelabel_parts="2"')
    every = records(copies=2)
    first = school.champion(every[:12], asked=asked)
    assert (first.recipe["name"], first.recipe["tried"]) == ("few_shot", 12)
    second = school.champion(every[:14], champion=first, asked=asked)
    assert (second.recipe["name"], second.recipe["tried"]) == ("few_shot", 12)
    behind = parts.families.behind(second)
    own = [behind.load(parts.artifacts.fetch(part.artifact)).own_encoder() for part in (first, second)]
    assert own[0] is own[1] is not None
    encoder = behind.encoder()
    assert encoder is not None
    keys = [content_key(asked, {"id": 1, "data": record.data}) for record in every[:14]]
    mine, shared = (parts.features.get(UID, name, keys) for name in (own[0].name, encoder.name))
    assert mine.keys() == shared.keys() == set(keys)
    assert not any(np.allclose(mine[key], shared[key], atol=1e-6) for key in keys)
    third = school.champion(every[:19], champion=second, asked=asked)
    assert third.recipe["tried"] == 19, "clearly more labels"


def test_larger_recipes_get_inputs_of_what_was_encoded_before(school: School) -> None:
    """Too few labels for their own sake: nothing is read that has features."""
    asked = control(attributes='prelabel_least="10" prelabel_epochs="3" prelabel_parts="2"')
    tried = school.champion(records(copies=3)[:24], asked=asked)
    assert tried.recipe["tried"] == 24
    assert "tried" not in school.champion(records(), asked=TOPIC).recipe
