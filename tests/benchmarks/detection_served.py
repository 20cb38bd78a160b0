"""Seconds from the submission of boxes to the moment in which what they taught is served, in a real Label Studio."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.simulation.regions import FROM, TO, boxes
from model_zoo.images import image_size
from model_zoo.types import DetectionExample
from tests.benchmarks.backend import Backend
from tests.benchmarks.detection_data import raccoons
from tests.benchmarks.figures import Figure
from tests.benchmarks.freshness import served
from tests.benchmarks.projects import UPLOADED_AT_ONCE, Known
from tests.label_studio import LabelStudioInstance, start_instance

LABELLED = 4
"""Labelled images to begin with: the first submission that is measured is the fifth."""
TASKS = 40
LIMIT = 30.0
"""Seconds, to reach."""
CONFIG = (
    f'<View><Image name="{TO}" value="$image"/><RectangleLabels name="{FROM}" toName="{TO}">'
    '<Label value="raccoon"/></RectangleLabels></View>'
)


@dataclass(frozen=True)
class KnownBoxes(Known):
    """A project whose images' true boxes are known, by the uploaded file's name."""

    truths: dict[str, DetectionExample]

    def submit(self, task: dict[str, Any]) -> float:
        example = self.truths[self.answer(task)]
        result = boxes(example.boxes, image_size(example.item.input))
        begun = time.perf_counter()
        path = f"/api/tasks/{task['id']}/annotations/?project={self.id}"
        self.project.studio.call("POST", path, json={"result": result, "lead_time": 9.0})
        return time.perf_counter() - begun


def measure(weights: Path, often: int = 5) -> list[Figure]:
    """Everything real but the annotator: Label Studio, `prelabel up` with these weights, and the raccoons."""
    with tempfile.TemporaryDirectory(prefix="prelabel-benchmark-") as temporary:
        folder = Path(temporary)
        studio = start_instance(folder / "label-studio", folder)
        try:
            with Backend(folder / "backend", {"PRELABEL_WEIGHTS_DIR": str(weights)}) as backend:
                known = project(studio)
                backend.connect(studio, known.id)
                backend.learn(known.uid)
                return served(backend, f"boxes, {LABELLED + 1} to {LABELLED + often} images", known, often, LIMIT)
        finally:
            studio.close()


def project(studio: LabelStudioInstance) -> KnownBoxes:
    """Uploaded photographs of raccoons, the first few of them labelled."""
    examples = {Path(str(example.item.input)).name: example for example in raccoons().pool[:TASKS]}
    made = KnownBoxes(studio.new_project(CONFIG, "Raccoons"), FROM, {name: name for name in examples}, examples)
    files = [(name, (name, Path(str(one.item.input)).read_bytes(), "image/jpeg")) for name, one in examples.items()]
    for start in range(0, len(files), UPLOADED_AT_ONCE):
        studio.call("POST", f"/api/projects/{made.id}/import", files=files[start : start + UPLOADED_AT_ONCE])
    for task in made.unlabelled(LABELLED):
        made.submit(task)
    return made
