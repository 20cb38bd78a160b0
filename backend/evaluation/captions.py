"""Judging captions: by the words they share with people's.

A caption is accepted when it was submitted as it was shown, but for white space; changing one in whatever way is one
edit. Two models are compared by the F1 of words, since a caption that lacks one word is nearly right.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from backend.evaluation.comparison import Scores
from backend.evaluation.intervals import Indices, interval
from model_zoo.caption_metrics import best_f1, cider
from model_zoo.postprocess import Postprocess
from model_zoo.types import Caption, Captions, LabelSpace, Output, Target


def same_captions(before: Captions, after: Captions) -> int:
    """How many captions both sides have."""
    return len(_spelled(before) & _spelled(after))


class CaptionEvaluation:
    """An item is right when exactly its captions were proposed."""

    def scores(self, answers: Sequence[Target], truths: Sequence[Target]) -> Scores:
        """The mean, over an item's captions, of each one's F1 with the most alike of people's: several of theirs are
        several ways to say the same. 0 where nothing was proposed."""
        pairs = zip(_captions(answers), _captions(truths), strict=True)
        return np.array([_likeness(answer.texts, truth.texts) for answer, truth in pairs])

    def edits(self, predicted: Target, answered: Target) -> int:
        """Captions to change, to add or to take away; one edit each."""
        before, after = map(_spelled, _captions([predicted, answered]))
        return max(len(before - after), len(after - before))

    def measure(
        self, outputs: Sequence[Output], truths: Sequence[Target], postprocess: Postprocess, labels: LabelSpace
    ) -> dict[str, float]:
        """`accuracy` is the share of items that nobody would have edited, `token_f1` the mean of `scores` and `cider`
        the CIDEr-D (see `caption_metrics`), of the first caption proposed."""
        if len(outputs) != len(truths):
            raise ValueError(f"Got {len(outputs)} outputs and {len(truths)} truths; wanted as many of each.")
        if not outputs:
            return {}
        shown: list[Target] = [postprocess.decide(output, labels).target for output in outputs]
        exact = np.array([self.edits(*pair) == 0 for pair in zip(shown, truths, strict=True)])
        alike = self.scores(shown, truths)
        first = [captions.texts[0] if captions.texts else "" for captions in _captions(shown)]
        described = cider(first, [truth.texts for truth in _captions(truths)])
        figures = {"items": float(len(outputs))}
        statistics: Mapping[str, Callable[[Indices], float]] = {
            "accuracy": lambda rows: float(exact[rows].mean()),
            "token_f1": lambda rows: float(alike[rows].mean()),
            "cider": lambda rows: float(described[rows].mean()),
        }
        for name, statistic in statistics.items():
            low, high = interval(statistic, len(outputs))
            figures |= {name: statistic(np.arange(len(outputs))), f"{name}_low": low, f"{name}_high": high}
        return figures


def _likeness(answer: Sequence[Caption], truth: Sequence[Caption]) -> float:
    return float(np.mean([best_f1(text, truth) for text in answer])) if answer else 0.0


def _spelled(captions: Captions) -> frozenset[str]:
    return frozenset(" ".join(text.split()) for text in captions.texts)


def _captions(targets: Sequence[Target]) -> list[Captions]:
    strange = next((target for target in targets if not isinstance(target, Captions)), None)
    if strange is not None:
        raise TypeError(f"Got {type(strange).__name__}, wanted captions to judge a captioner.")
    return [target for target in targets if isinstance(target, Captions)]
