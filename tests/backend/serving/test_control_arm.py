"""Tasks that are shown without prediction."""

from __future__ import annotations

import pytest

from backend.labelstudio.config import parse_config
from backend.labelstudio.media import MediaFetcher
from backend.labelstudio.media.cache import MediaCache
from backend.labelstudio.media.fetcher import MediaLimits
from backend.projects.roles import RolePolicy, draw, role
from backend.serving.inputs import InputReader
from backend.serving.pool import LoadedVersion
from backend.serving.predict import Predictor, TaskDraft
from backend.store.manifest import Manifest

CONFIG = parse_config(
    '<View><Text name="text" value="$text"/><Choices name="topic" toName="text"><Choice value="a"/></Choices></View>'
)
TASKS = range(1, 400)


@pytest.mark.parametrize(
    "policy", [RolePolicy(), RolePolicy(fraction=0.0, control=0.1)], ids=["holdout", "control arm"]
)
def test_tasks_that_people_label_alone_get_an_empty_prediction_in_random_order(
    policy: RolePolicy, tmp_path_factory: pytest.TempPathFactory
) -> None:
    inputs = InputReader(MediaFetcher(MediaCache(tmp_path_factory.mktemp("media"), 1000), MediaLimits()))
    predictor = Predictor(inputs, policy)
    version = LoadedVersion("v3", {}, Manifest("1.1", "v3", 0.0, 1, {}, metrics={"labelled": 100.0}))
    alone = [task for task in TASKS if not role(task, 100, policy).shows_prediction]
    assert 0.05 < len(alone) / len(TASKS) < 0.15
    assert [task for task in TASKS if predictor.is_blind(version, task)] == alone
    shown = predictor.assemble(CONFIG, version, TaskDraft({"id": alone[0], "data": {"text": "x"}}), 0.25)
    assert (shown.result, shown.score) == ([], draw(alone[0], "order"))
    inputs.close()
