"""How good are labels' names alone? `python -m tests.benchmarks.zero_shot`

Temperature, background and threshold of `text_classification/minilm_linear.v1` are set on one half of banking77's
intents and validated on the other half, which had no part in it. Projects are imitated: 2 to 30 intents of a half
are offered as labels, and a third of the texts belong to an intent of that half that is not offered.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from model_zoo.registry import family
from model_zoo.text_classification.minilm_linear import BACKGROUND, TEMPERATURE, THRESHOLD
from model_zoo.types import LabelSpace
from tests.benchmarks.shared_data import banking77

Array = npt.NDArray[np.float64]

SIZES = (2, 3, 5, 8, 12, 20, 30)
DRAWS = 20
TEXTS = 200
WANTED_PRECISION = 0.8


@dataclass(frozen=True)
class Trial:
    """Similarities (texts, labels) and the index of each text's label, which is the number of labels for "none"."""

    similarities: Array
    truths: npt.NDArray[np.int64]


def trials(vectors: Array, intents: npt.NDArray[np.int64], names: Array, half: list[int], seed: int) -> list[Trial]:
    """Imitated projects over the intents of `half`."""
    random = np.random.default_rng(seed)
    drawn = []
    for size in SIZES:
        for _ in range(DRAWS):
            offered = random.permutation(half)[:size]
            inside = np.flatnonzero(np.isin(intents, offered))
            outside = np.flatnonzero(np.isin(intents, np.setdiff1d(half, offered)))
            many, some = 2 * TEXTS // 3, TEXTS // 3
            chosen = np.append(random.choice(inside, many, replace=False), random.choice(outside, some, replace=False))
            place = {intent: index for index, intent in enumerate(offered)}
            truths = np.array([place.get(intent, size) for intent in intents[chosen]])
            drawn.append(Trial(vectors[chosen] @ names[offered].T, truths))
    return drawn


def probabilities(trial: Trial, temperature: float, background: float) -> Array:
    """Of each label and, last, of none of them: what the family's untrained model computes."""
    scores = np.column_stack([trial.similarities, np.full(len(trial.truths), background)]) / temperature
    shares = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(shares / shares.sum(axis=1, keepdims=True))


def log_loss(drawn: list[Trial], temperature: float, background: float) -> float:
    losses = []
    for trial in drawn:
        right = probabilities(trial, temperature, background)[np.arange(len(trial.truths)), trial.truths]
        losses.append(-np.log(right).mean())
    return float(np.mean(losses))


def shown(drawn: list[Trial], temperature: float, background: float, threshold: float) -> tuple[float, float]:
    """Precision of what is shown, and the share of texts with an offered label for which the right one is shown."""
    right = seen = answerable = 0
    for trial in drawn:
        table = probabilities(trial, temperature, background)[:, :-1]
        best, confident = table.argmax(axis=1), table.max(axis=1) >= threshold
        right += int((confident & (best == trial.truths)).sum())
        seen += int(confident.sum())
        answerable += int((trial.truths < table.shape[1]).sum())
    return right / max(seen, 1), right / answerable


def main() -> None:
    rows = banking77("train")
    names = sorted({intent for _, intent in rows})
    minilm = family("text_classification/minilm_linear.v1")
    encoder = minilm.encoder()
    assert encoder is not None
    vectors = encoder.encode([text for text, _ in rows]).astype(np.float64)
    intents = np.array([names.index(intent) for _, intent in rows])
    anchors = minilm.anchors(LabelSpace(tuple(names))).astype(np.float64)  # type: ignore[attr-defined]  # a LinearFamily
    order = np.random.default_rng(77).permutation(len(names))
    setting = trials(vectors, intents, anchors, list(order[: len(names) // 2]), seed=1)
    validating = trials(vectors, intents, anchors, list(order[len(names) // 2 :]), seed=2)

    grid = [(t / 100, b / 100) for t in range(3, 16) for b in range(10, 71, 5)]
    temperature, background = min(grid, key=lambda pair: log_loss(setting, *pair))
    candidates = [t / 100 for t in range(20, 96, 5)]
    precise = [t for t in candidates if shown(setting, temperature, background, t)[0] >= WANTED_PRECISION]
    threshold = min(precise, default=candidates[-1])
    print(f"set on {len(names) // 2} intents: temperature {temperature:.2f}, background {background:.2f}, ", end="")
    print(f"threshold {threshold:.2f}; in the code: {TEMPERATURE}, {BACKGROUND}, {THRESHOLD}")
    for title, drawn in (("set on", setting), ("validated on", validating)):
        precision, recall = shown(drawn, TEMPERATURE, BACKGROUND, THRESHOLD)
        everything, _ = shown(drawn, TEMPERATURE, BACKGROUND, 0.0)
        print(f"{title:>13}: shown and right {precision:.3f}, right label shown {recall:.3f}; ", end="")
        print(f"were everything shown, right {everything:.3f}")


if __name__ == "__main__":
    main()
