"""What people are told of a model, in the words of its kind of task."""

from __future__ import annotations

from backend.evaluation.headlines import headlines, in_words, items


def test_intervals_are_said_where_they_are_known() -> None:
    metrics = {
        "holdout_items": 60.0,
        "holdout_accuracy": 0.9,
        "holdout_accuracy_low": 0.82,
        "holdout_accuracy_high": 0.97,
        "holdout_oks_map50": 0.876,
        "holdout_visibility_accuracy": float("nan"),
        "out_of_fold_items": 200.0,
        "out_of_fold_oks_map50": 0.8,
    }
    assert list(headlines(metrics, "holdout")) == ["exact 90% [82%-97%]", "OKS mAP50 0.88"]
    assert items(metrics, "holdout") == 60
    assert in_words(metrics) == [
        "on 60 held-out tasks: exact 90% [82%-97%], OKS mAP50 0.88",
        "cross-validated on 200 tasks: OKS mAP50 0.80",
    ]
    assert in_words({"loss": 0.1}) == []
