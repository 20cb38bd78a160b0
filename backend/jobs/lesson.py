"""What one training has before it, and how its outcome is judged: samples with what models say of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from backend.evaluation.gate import Paired
from backend.evaluation.kinds import evaluation_of
from backend.jobs.examples import Answer
from model_zoo.base import Model, Trained
from model_zoo.postprocess import Postprocess
from model_zoo.types import Item, LabelSpace, Output, Target, TaskKind


@dataclass(frozen=True)
class Sample:
    """An item with what is true of it, as the zoo says it, and whose answer that is."""

    answer: Answer
    item: Item
    target: Target

    @property
    def task(self) -> int:
        return self.answer.record.task


@dataclass(frozen=True)
class Lesson:
    """What is learnt from, and the holdout that is not."""

    kind: TaskKind
    labels: LabelSpace
    training: list[Sample] = field(default_factory=list)
    holdout: list[Sample] = field(default_factory=list)


@dataclass(frozen=True)
class Answered:
    """Samples with a model's outputs for them, which had not learnt from them."""

    pairs: list[tuple[Sample, Output]]

    @property
    def samples(self) -> list[Sample]:
        return [sample for sample, _ in self.pairs]

    @property
    def outputs(self) -> list[Output]:
        return [output for _, output in self.pairs]

    @property
    def truths(self) -> list[Target]:
        return [sample.target for sample, _ in self.pairs]

    def without(self, tasks: Collection[int]) -> Answered:
        return Answered([pair for pair in self.pairs if pair[0].task not in tasks])


def crossed_of(trained: Trained, lesson: Lesson) -> Answered:
    """Training samples with the outputs of models that had not seen them, where there are any."""
    pairs = zip(lesson.training, trained.out_of_fold, strict=True)
    return Answered([(sample, output) for sample, output in pairs if output is not None])


def predicted(model: Model, samples: Sequence[Sample]) -> Answered:
    outputs = model.predict([sample.item for sample in samples])
    return Answered(list(zip(samples, outputs, strict=True)))


def paired_of(
    lesson: Lesson, champion: tuple[Answered, Postprocess], challenger: tuple[Answered, Postprocess]
) -> Paired:
    """Item scores of both; their samples are the same."""
    scores = [
        evaluation_of(lesson.kind, lesson.labels).scores(
            [postprocess.decide(output, lesson.labels).target for output in answered.outputs], answered.truths
        )
        for answered, postprocess in (champion, challenger)
    ]
    return Paired(*scores)


def against_judgements(
    lesson: Lesson, judged: Mapping[int, bool], crossed: Answered, postprocess: Postprocess
) -> Paired:
    """Whether what was shown was right, and whether the challenger would have been; without its having seen it."""
    known = [(sample, output) for sample, output in crossed.pairs if sample.task in judged]
    evaluation = evaluation_of(lesson.kind, lesson.labels)
    right = [
        evaluation.edits(postprocess.decide(output, lesson.labels).target, sample.target) == 0
        for sample, output in known
    ]
    return Paired([float(judged[sample.task]) for sample, _ in known], [float(one) for one in right])


def metrics_of(
    lesson: Lesson, trained: Trained, crossed: Answered, postprocess: Postprocess, held: Answered
) -> dict[str, float]:
    """Figures for the manifest: by cross-validation, and on the holdout once there is one."""
    figures = {
        "answers": float(len(lesson.training) + len(lesson.holdout)),
        "examples": float(len(lesson.training)),
        "loss": trained.loss,
    }
    for name, answered in (("out_of_fold", crossed), ("holdout", held)):
        measured = evaluation_of(lesson.kind, lesson.labels).measure(
            answered.outputs, answered.truths, postprocess, lesson.labels
        )
        figures |= {f"{name}_{key}": value for key, value in measured.items()}
    return figures
