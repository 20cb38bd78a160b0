"""Points in a snapshot's manifest."""

from __future__ import annotations

from backend.labelstudio.config import parse_config
from backend.lifecycle.manifest import augmented_manifest
from backend.store.records import Annotation, Record

CONFIG = parse_config(
    '<View><Image name="image" value="$image"/><RectangleLabels name="box" toName="image"><Label value="mouse"/>'
    '</RectangleLabels><KeyPointLabels name="point" toName="image"><Label value="tail"/><Label value="nose"/>'
    "</KeyPointLabels></View>"
)


def test_objects_have_their_points_in_pixels() -> None:
    size = {"original_width": 200, "original_height": 100, "to_name": "image"}
    box = {"x": 10, "y": 10, "width": 50, "height": 40, "rotation": 0, "rectanglelabels": ["mouse"]}
    point = {"x": 25, "y": 20, "width": 1, "keypointlabels": ["nose"]}
    result = (
        {**size, "id": "a", "from_name": "box", "type": "rectanglelabels", "value": box},
        {**size, "id": "b", "parentID": "a", "from_name": "point", "type": "keypointlabels", "value": point},
    )
    record = Record(1, {"image": "https://mice.example/1.jpg"}, (Annotation(7, result, 3),))
    (line,) = augmented_manifest(CONFIG, [record])
    assert line["point"]["image_size"] == [{"width": 200, "height": 100, "depth": 3}]
    assert line["point"]["annotations"] == [
        {
            "keypoints": [{"keypoint_id": 1, "x": 50.0, "y": 20.0, "visible": True}],
            "left": 20,
            "top": 10,
            "width": 100,
            "height": 40,
            "class_id": 0,
        }
    ]
    assert line["point-metadata"]["keypoint-map"] == {"0": "tail", "1": "nose"}
