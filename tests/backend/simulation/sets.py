"""Small labelled sets in every format, written on the spot; each has one broken file or line where it can."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
from PIL import Image

from backend.demo.samples import tickets
from tests.model_zoo.semantic_segmentation.landscapes import landscape

WIDTH, HEIGHT = 80, 40


def picture(path: Path, size: tuple[int, int] = (WIDTH, HEIGHT)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (200, 100, 50)).save(path)
    return path


def imagefolder(folder: Path) -> Path:
    for label, names in (("cat", ("1.png", "2.png")), ("dog", ("1.png",))):
        for name in names:
            picture(folder / label / name)
    (folder / "dog" / "broken.png").write_bytes(b"no image")
    return folder


def texts(file: Path, count: int = 60) -> Path:
    """Support tickets by topic."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", newline="") as opened:
        table = csv.writer(opened)
        table.writerow(["text", "label"])
        table.writerows([ticket.text, ticket.topic] for ticket in tickets(count))
    return file


def voc(folder: Path) -> Path:
    picture(folder / "images" / "a.png")
    (folder / "annotations").mkdir()
    boxes = "".join(
        f"<object><name>{name}</name><bndbox><xmin>{left}</xmin><ymin>4</ymin><xmax>{right}</xmax><ymax>24</ymax></bndbox>"
        "</object>"
        for name, left, right in (("car", 8, 24), ("bus", 40, 90), ("bus", 60, 50))
    )
    size = f"<size><width>{WIDTH}</width><height>{HEIGHT}</height></size>"
    (folder / "annotations" / "a.xml").write_text(f"<annotation><filename>a.png</filename>{size}{boxes}</annotation>")
    (folder / "annotations" / "b.xml").write_text("<annotation>\n<filename>b.png</wrong>")
    (folder / "annotations" / "c.xml").write_text("<annotation><filename>../../c.png</filename></annotation>")
    return folder


def coco(folder: Path) -> Path:
    """A triangle, a mask in run lengths, a crowd, a person with points, and an annotation without category."""
    picture(folder / "train" / "a.png")
    rectangle = np.zeros((HEIGHT, WIDTH), bool)
    rectangle[10:20, 30:50] = True
    entries = [
        {"id": 1, "category_id": 7, "bbox": [8, 4, 16, 20], "segmentation": [[8, 4, 24, 4, 8, 24]],
         "keypoints": [10, 6, 2, 20, 8, 1, 0, 0, 0]},
        {"id": 2, "category_id": 7, "bbox": [30, 10, 20, 10], "keypoints": [0] * 9,
         "segmentation": {"size": [HEIGHT, WIDTH], "counts": run_lengths(rectangle)}},
        {"id": 3, "category_id": 7, "bbox": [0, 0, 80, 40], "iscrowd": 1},
        {"id": 4, "category_id": 9, "bbox": [0, 0, 8, 8]},
    ]  # fmt: skip
    content = {
        "images": [
            {"id": 5, "file_name": "a.png", "width": WIDTH, "height": HEIGHT},
            {"id": 6, "file_name": "gone.png", "width": 8, "height": 8},
        ],
        "annotations": [{"image_id": 5, **entry} for entry in entries],
        "categories": [{"id": 7, "name": "person", "keypoints": ["nose", "left eye", "right eye"]}],
    }
    file = folder / "annotations" / "instances_train.json"
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(content))
    return file


def run_lengths(mask: np.ndarray) -> list[int]:  # type: ignore[type-arg]  # any mask
    """Column by column, beginning with what is not the object."""
    flat = mask.T.ravel()
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flat]).astype(int)))
    return [int(run) for run in np.diff([0, *edges.tolist(), flat.size])]


def yolo(folder: Path) -> Path:
    picture(folder / "images" / "train" / "a.png")
    picture(folder / "images" / "train" / "empty.png")
    labels = folder / "labels" / "train"
    labels.mkdir(parents=True)
    (labels / "a.txt").write_text(
        "1 0.2 0.35 0.2 0.5\n0 0.5 0.25 0.75 0.25 0.75 0.5\n0 0.5 2.0 0.1 0.1\n8 0.5 0.5 0.1 0.1\n"
    )
    (folder / "data.yaml").write_text("names:\n  0: bus\n  1: car\n")
    return folder


def masks(folder: Path) -> Path:
    """Two objects, of which each class has one."""
    values = np.zeros((HEIGHT, WIDTH), np.uint8)
    values[4:24, 8:24], values[10:20, 40:60] = 1, 3
    picture(folder / "images" / "a.jpg")
    picture(folder / "images" / "unmasked.jpg")
    (folder / "masks").mkdir()
    Image.fromarray(values).save(folder / "masks" / "a.png")
    return folder


def landscapes(folder: Path, count: int) -> Path:
    """Landscapes of which every pixel has a class."""
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    for seed in range(count):
        pixels, classes = landscape(seed)
        Image.fromarray(pixels).save(folder / "images" / f"{seed}.png")
        Image.fromarray((classes + 1).astype(np.uint8)).save(folder / "masks" / f"{seed}.png")
    return folder


def painted(folder: Path, count: int) -> Path:
    """Drawn street scenes with the boxes of their objects painted."""
    from backend.demo import streets as drawn

    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    for scene in drawn.streets(count):
        (folder / "images" / scene.name).write_bytes(scene.jpeg)
        values = np.zeros((drawn.HEIGHT, drawn.WIDTH), np.uint8)
        for number, thing in enumerate(scene.objects, 1):
            left, top, right, bottom = map(int, thing.area)
            values[top:bottom, left:right] = number
        Image.fromarray(values).save((folder / "masks" / scene.name).with_suffix(".png"))
    return folder


def animals(folder: Path, count: int) -> Path:
    """Pictures of a square with two of its corners, in DeepLabCut's table."""
    (folder / "images").mkdir(parents=True)
    lines = ["scorer,me,me,me,me", "bodyparts,nose,nose,tail,tail", "coords,x,y,x,y"]
    for number in range(count):
        image = Image.new("RGB", (64, 48), "grey")
        left, top = 5 * number, 3 * number
        image.paste((250, 250, 250), (left, top, left + 16, top + 16))
        image.save(folder / "images" / f"{number}.png")
        lines.append(f"images/{number}.png,{left},{top},{left + 16},{top + 16}")
    (folder / "points.csv").write_text("\n".join(lines))
    return folder / "points.csv"


def keypoints_csv(folder: Path) -> Path:
    picture(folder / "images" / "img1.png")
    rows = ["scorer,me,me,me,me", "bodyparts,nose,nose,tail,tail", "coords,x,y,x,y"]
    rows += ["labeled-data/m/img1.png,8,10,,", "labeled-data/m/img2.png,1,2,3,4", "images/img1.png,a,b,1,1"]
    (folder / "labels.csv").write_text("\n".join(rows) + "\n")
    return folder


def conll(file: Path) -> Path:
    lines = ["-DOCSTART- O", "", "Ada\tB-person", "Byron\tI-person", "met\tO", "Bell\tB-person", "Labs\tB-group", ""]
    file.write_text("\n".join([*lines, "broken", "line O", "", "Rome\tI-place", "Paris\tI-place"]) + "\n")
    return file


def people(file: Path, count: int = 40) -> Path:
    """Who went where, a sentence each; some name nobody."""
    names, towns = ("Ada", "Grace", "Alan", "Linus"), ("Rome", "Oslo", "Lima", "Vienna", "Paris")
    rows = []
    for at in range(count):
        who, where = names[at % len(names)], towns[at % len(towns)]
        said = [("Yesterday", "O"), (who, "B-person"), ("went", "O"), ("to", "O"), (where, "B-place"), (".", "O")]
        rows += [*(said if at % 4 else [("It", "O"), ("rained", "O"), (".", "O")]), None]
    file.write_text("".join("\n" if row is None else f"{row[0]}\t{row[1]}\n" for row in rows))
    return file


def crowd(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "labels.yaml").write_text("{1: {10: true, 11: false}, 2: {10: false}, 3: 7}")
    (folder / "gt.yaml").write_text("{10: true, 11: false}")
    return folder


def crowd_of_texts(folder: Path, count: int) -> Path:
    """Support tickets by topic, judged by three people, the last of whom errs on every fifth."""
    folder.mkdir(parents=True, exist_ok=True)
    found = {ticket.text: ticket.topic for ticket in tickets(count)}
    topics = sorted({*found.values()})
    last = {
        text: topics[(topics.index(topic) + 1) % len(topics)] if at % 5 == 0 else topic
        for at, (text, topic) in enumerate(found.items())
    }
    (folder / "labels.json").write_text(json.dumps({"ada": found, "grace": found, "alan": last}))
    (folder / "gt.json").write_text(json.dumps(found))
    return folder


def mot(folder: Path) -> Path:
    for number in (1, 2):
        picture(folder / "img1" / f"{number:06}.jpg")
    (folder / "gt").mkdir()
    lines = ["1,1,8,4,16,20,-1", "1,2,40,4,16,20,0", "2,1,zero,4,16,20,1", "1,3,40,10,10,10,1,3,1.0", "9,1,1,1,5,5,1"]
    (folder / "gt" / "gt.txt").write_text("\n".join(lines))
    return folder


def streets(folder: Path, count: int) -> Path:
    """Drawn street scenes as YOLO's files."""
    from backend.demo import streets as drawn

    for name in ("images", "labels"):
        (folder / name).mkdir(parents=True)
    names = ["Vehicle", "Pedestrian", "Sign"]
    for scene in drawn.streets(count):
        (folder / "images" / scene.name).write_bytes(scene.jpeg)
        lines = []
        for thing in scene.objects:
            left, right = (edge / drawn.WIDTH for edge in thing.area[::2])
            top, bottom = (edge / drawn.HEIGHT for edge in thing.area[1::2])
            box = ((left + right) / 2, (top + bottom) / 2, right - left, bottom - top)
            lines.append(" ".join(map(str, (names.index(thing.label), *box))))
        (folder / "labels" / scene.name).with_suffix(".txt").write_text("\n".join(lines))
    (folder / "classes.txt").write_text("\n".join(names))
    return folder
