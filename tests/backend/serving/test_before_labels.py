"""Before anybody has drawn a box, labels that COCO knows are found: in a photograph that ultralytics brings along."""

from __future__ import annotations

import base64
import os
import time
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

import pytest

from backend.demo.streets import STREETS_CONFIG
from backend.labelstudio.config import parse_config
from backend.labelstudio.media import MediaCache, MediaFetcher, MediaLimits
from backend.projects.identity import UNTRAINED
from backend.projects.roles import RolePolicy
from backend.serving.families import Families
from backend.serving.inputs import InputReader
from backend.serving.pool import Pool
from backend.serving.predict import Predictor
from backend.store.artifacts import Artifacts
from backend.store.objects import ObjectStore
from backend.store.versions import Versions

WEIGHTS = os.environ.get("PRELABEL_WEIGHTS_DIR")


@pytest.mark.skipif(WEIGHTS is None, reason="PRELABEL_WEIGHTS_DIR names no folder with weights trained on COCO")
def test_labels_that_coco_knows_are_found_before_any_is_drawn(tmp_path: Path) -> None:
    """A bus and the people beside it, by the classes that the config's `predicted_values` name."""
    package = find_spec("ultralytics")
    if package is None or package.origin is None:
        pytest.skip("the extra `detection` is not installed")
    photograph = Path(package.origin).parent / "assets" / "bus.jpg"
    address = f"data:image/jpeg;base64,{base64.b64encode(photograph.read_bytes()).decode()}"
    config, store = parse_config(STREETS_CONFIG), ObjectStore(tmp_path / "store")
    pool = Pool(Versions(store), Artifacts(store), Families(Path(WEIGHTS or "")), 10**9)
    reader = InputReader(MediaFetcher(MediaCache(tmp_path / "media", 10**8), MediaLimits()))
    version = pool.before_labels(config)
    (prediction,) = Predictor(reader, RolePolicy()).predict(
        config, version, [{"id": 1, "data": {"image": address}}], time.monotonic() + 60
    )
    reader.close()
    found = Counter(label for region in prediction.result for label in region["value"]["rectanglelabels"])
    assert (prediction.model_version, found["Vehicle"], found["Pedestrian"] >= 3) == (UNTRAINED, 1, True)
    assert config.validate(prediction.as_dict()) == []
