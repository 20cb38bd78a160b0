"""Named entities: calibrated confidences, of candidates that overlap the best, what is too doubtful left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from model_zoo.calibration import Calibration
from model_zoo.errors import CheckpointError
from model_zoo.postprocess.base import EntityDecision, Postprocess
from model_zoo.postprocess.objects_fit import Evidence, calibrate, join, thresholds
from model_zoo.types import EntityOutput, FloatArray, LabelSpace, Output, Span, Spans, Target

if TYPE_CHECKING:
    from typing_extensions import Self

USUAL = 0.3
"""Confidence from which on a span is shown while nothing is known of the model."""
THRESHOLDS = np.array([0.08, *np.round(np.arange(0.1, 0.81, 0.05), 2)])
"""F1 is highest at half of what it is there (Lipton et al. 2014), so low for models that know little; no lower than one
in twelve, for people take the wrong ones away."""
DOUBTFUL = 0.05
"""Confidence below which a candidate is no reason to doubt."""
UNSEEN = 0.5
"""Uncertainty about a text in which nothing was found."""

Candidates = tuple[npt.NDArray[np.int64], FloatArray, npt.NDArray[np.int64]]
"""Spans (n, 2), confidences (n,) and labels' indices (n,), the most confident first."""


@dataclass(frozen=True)
class EntityPostprocess(Postprocess):
    """`thresholds`, and slopes and shifts of `calibration`, one a label. Of candidates that overlap the most confident
    stays: a tagger gives each word one label."""

    calibration: Calibration
    thresholds: tuple[float, ...]

    @classmethod
    def uncalibrated(cls, labels: LabelSpace, threshold: float | None = None) -> Self:
        return cls(Calibration(), (USUAL if threshold is None else threshold,) * len(labels))

    @classmethod
    def fit(cls, outputs: Sequence[Output | None], truths: Sequence[Target], labels: LabelSpace) -> Self:
        """As promised; spans, not texts, of labels outside the space are left out."""
        pairs = [
            (output, tuple(span for span in truth if isinstance(span, Span) and span.label in labels.names))
            for output, truth in zip(outputs, truths, strict=True)
            if isinstance(output, EntityOutput) and isinstance(truth, tuple)
        ]
        usual = cls.uncalibrated(labels)
        if not any(spans for _, spans in pairs):
            return usual
        evidence = join([_judge(usual.candidates(output), spans, labels) for output, spans in pairs])
        calibration = calibrate(evidence)
        return replace(usual, calibration=calibration, thresholds=thresholds(evidence, calibration, THRESHOLDS))

    def decide(self, output: Output, labels: LabelSpace, minimum: float | None = None) -> EntityDecision:
        if not isinstance(output, EntityOutput):
            raise TypeError(f"Got a {type(output).__name__}, wanted an EntityOutput to decide on spans.")
        least = np.array(self.thresholds) if minimum is None else np.full(len(labels), minimum)
        spans, confidence, label = self.candidates(output)
        shown = np.flatnonzero(confidence >= least[label])
        shown = shown[np.argsort(spans[shown, 0], kind="stable")]
        best: FloatArray = np.zeros(len(labels), np.float32)
        np.maximum.at(best, label, confidence)
        return EntityDecision(
            output.text,
            tuple(Span(int(spans[at, 0]), int(spans[at, 1]), labels.names[label[at]]) for at in shown),
            tuple(confidence[at].tolist() for at in shown),
            best,
            _uncertainty(confidence),
        )

    def candidates(self, output: EntityOutput) -> Candidates:
        """Disjoint spans, each with its best label and that label's calibrated confidence."""
        if not output.probabilities.size:
            return np.empty((0, 2), np.int64), np.empty(0, np.float32), np.empty(0, np.int64)
        calibrated = np.clip(self.calibration(output.probabilities), 0, 1)
        label = calibrated.argmax(axis=1)
        confidence = calibrated[np.arange(len(label)), label]
        taken = np.zeros(int(output.spans[:, 1].max()), np.bool_)
        stay = []
        for at in np.argsort(-confidence, kind="stable").tolist():
            start, end = output.spans[at]
            if not taken[start:end].any():
                taken[start:end] = True
                stay.append(at)
        return output.spans[stay], confidence[stay], label[stay]

    def to_json(self) -> dict[str, Any]:
        return {
            "slopes": list(self.calibration.slopes),
            "shifts": list(self.calibration.shifts),
            "thresholds": list(self.thresholds),
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        try:
            numbers = {key: tuple(float(x) for x in content[key]) for key in ("slopes", "shifts", "thresholds")}
        except (ValueError, KeyError, TypeError) as error:
            raise CheckpointError(f"The version's postprocessing is damaged ({error!r}); train again.") from error
        if len({len(found) for found in numbers.values()} - {0}) > 1:
            raise CheckpointError(
                f"Got {len(numbers['slopes'])} slopes for {len(numbers['thresholds'])} thresholds; train again."
            )
        return cls(Calibration(1.0, numbers["slopes"], numbers["shifts"]), numbers["thresholds"])


def _judge(found: Candidates, truth: Spans, labels: LabelSpace) -> Evidence:
    """Hold one text's candidates against its true spans: right is what begins, ends and is called the same."""
    true = {(span.start, span.end, labels.names.index(span.label)) for span in truth}
    spans, confidence, label = found
    right = [(int(start), int(end), int(index)) in true for (start, end), index in zip(spans, label, strict=True)]
    counts = np.bincount([index for _, _, index in true], minlength=len(labels)).astype(np.int64)
    return Evidence(confidence, label, np.array(right, np.bool_), counts)


def _uncertainty(confidence: FloatArray) -> float:
    """That of the candidate nearest one half. Nothing found at all says little: people know what was overlooked."""
    worth = confidence[confidence >= DOUBTFUL]
    return float(1 - np.abs(2 * worth - 1).min()) if len(worth) else UNSEEN
