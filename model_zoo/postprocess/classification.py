"""Classifications: calibrated confidences, thresholds, the labels decided for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from model_zoo.calibration import Calibration, fit_platt, fit_temperature
from model_zoo.errors import CheckpointError
from model_zoo.postprocess.base import ClassificationDecision, Postprocess
from model_zoo.types import ClassificationOutput, FloatArray, LabelSpace, Output, Target

if TYPE_CHECKING:
    from typing_extensions import Self

HALF = 0.5
ENOUGH = 10
"""Examples with a label, and as many without, from which on its threshold is fitted; below, it is `HALF`."""
THRESHOLDS = np.round(np.arange(0.2, 0.81, 0.05), 2)


@dataclass(frozen=True)
class ClassificationPostprocess(Postprocess):
    """Calibration, and for each label the confidence from which on it is shown."""

    calibration: Calibration
    thresholds: tuple[float, ...]

    @classmethod
    def uncalibrated(cls, labels: LabelSpace, threshold: float | None = None) -> Self:
        """For a model that nothing is known of. Without a `threshold`: the best label, or all above one half."""
        usual = HALF if labels.multiple else 0.0
        return cls(Calibration(), (usual if threshold is None else threshold,) * len(labels))

    @classmethod
    def fit(cls, outputs: Sequence[Output | None], truths: Sequence[Target], labels: LabelSpace) -> Self:
        """As promised, and where one label holds of several, a truth of more or fewer is left out too."""
        index = {name: column for column, name in enumerate(labels.names)}
        pairs = [
            (output.probabilities, sorted(index[name] for name in truth))
            for output, truth in zip(outputs, truths, strict=True)
            if isinstance(output, ClassificationOutput)
            and isinstance(truth, frozenset)
            and truth <= index.keys()
            and (labels.multiple or len(truth) == 1)
        ]
        if not pairs:
            return cls.uncalibrated(labels)
        probabilities = np.stack([row for row, _ in pairs])
        if not labels.multiple:
            calibration = fit_temperature(probabilities, np.array([columns[0] for _, columns in pairs]))
            return cls(calibration, (0.0,) * len(labels))
        held = np.zeros(probabilities.shape, np.bool_)
        for row, (_, columns) in enumerate(pairs):
            held[row, columns] = True
        calibration = fit_platt(probabilities, held)
        confidence = calibration(probabilities)
        return cls(calibration, tuple(_threshold(confidence[:, k], held[:, k]) for k in range(len(labels))))

    def decide(self, output: Output, labels: LabelSpace, minimum: float | None = None) -> ClassificationDecision:
        if not isinstance(output, ClassificationOutput):
            raise TypeError(f"Got a {type(output).__name__}, wanted a ClassificationOutput to decide on labels.")
        confidence = self.calibration(output.probabilities)
        if not labels.multiple and len(labels):
            # A request decides on hundreds, and of these few numbers Python's own functions take a third of NumPy's
            # time.
            best = int(confidence.argmax())
            sure = float(confidence[best])
            shown_one = sure >= (self.thresholds[best] if minimum is None else minimum)
            one = ((labels.names[best], min(max(sure, 0.0), 1.0)),) if shown_one else ()
            return ClassificationDecision(one, confidence, uncertainty(confidence, multiple=False))
        thresholds = np.array(self.thresholds) if minimum is None else np.full(len(labels), minimum)
        shown = confidence >= thresholds
        ranked = sorted(np.flatnonzero(shown), key=lambda index: -float(confidence[index]))
        chosen = tuple((labels.names[index], float(np.clip(confidence[index], 0, 1))) for index in ranked)
        return ClassificationDecision(chosen, confidence, uncertainty(confidence, labels.multiple))

    def to_json(self) -> dict[str, Any]:
        return {
            "temperature": self.calibration.temperature,
            "slopes": list(self.calibration.slopes),
            "shifts": list(self.calibration.shifts),
            "thresholds": list(self.thresholds),
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        try:
            numbers = {key: tuple(float(x) for x in content[key]) for key in ("slopes", "shifts", "thresholds")}
            calibration = Calibration(float(content["temperature"]), numbers["slopes"], numbers["shifts"])
        except (ValueError, KeyError, TypeError) as error:
            raise CheckpointError(f"The version's postprocessing is damaged ({error!r}); train again.") from error
        if calibration.slopes and len(calibration.slopes) != len(numbers["thresholds"]):
            raise CheckpointError(
                f"Got {len(calibration.slopes)} slopes for {len(numbers['thresholds'])} thresholds; train again."
            )
        return cls(calibration, numbers["thresholds"])


def uncertainty(confidence: FloatArray, multiple: bool) -> float:
    """One minus the margin between the two best labels; where several may apply, that of the label nearest one half."""
    if confidence.size == 0:
        return 1.0
    if multiple:
        return float(np.clip(1 - np.abs(2 * confidence - 1).min(), 0, 1))
    best = np.sort(confidence)
    return min(max(1.0 - (float(best[-1]) - (float(best[-2]) if len(best) > 1 else 0.0)), 0.0), 1.0)


def _threshold(confidence: FloatArray, held: npt.NDArray[np.bool_]) -> float:
    """Where F1 is highest, and nearest one half among equals."""
    if min(held.sum(), (~held).sum()) < ENOUGH:
        return HALF

    def rank(threshold: float) -> tuple[float, float]:
        shown = confidence >= threshold
        return 2 * float((shown & held).sum()) / float(shown.sum() + held.sum()), -abs(threshold - HALF)

    return float(max(THRESHOLDS, key=rank))
