"""The one module that imports `ultralytics`, and only when a network is first needed: architectures, weights, loss."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np

from model_zoo.errors import MissingExtra, WeightsNotFound
from model_zoo.types import FloatArray

UPRIGHT = -float(np.log(3))
"""Log-odds that an angle is none, as Ultralytics has it: a quarter of the way from -45 to 135 degrees."""
SEED = 0
"""Of weights drawn at random: a network without pretrained weights is the same in every process."""


def require() -> None:
    """Raises `MissingExtra` where the package is not installed."""
    if find_spec("ultralytics") is None:
        raise MissingExtra(
            "Detection needs the package ultralytics, which is AGPL-3.0 and therefore an extra. "
            "Install it with: pip install 'prelabel[detection]'"
        )


def _tasks() -> Any:
    """`ultralytics.nn.tasks`. Raises `MissingExtra`."""
    require()
    return _imported()


@cache
def _imported() -> Any:
    """`ultralytics.nn.tasks`."""
    with _undone():
        from ultralytics.nn import tasks
    return tasks


@contextmanager
def _undone() -> Iterator[None]:
    """For importing parts of ultralytics: that replaces functions of other packages for the whole process (its
    `PIL.Image.open` installs packages from the network); all of that is undone."""
    # Read by ultralytics when it is imported: it shall neither look for a network nor install packages by itself.
    os.environ.setdefault("YOLO_OFFLINE", "true")
    os.environ.setdefault("YOLO_AUTOINSTALL", "false")
    import cv2
    import torch
    from PIL import Image

    patched: list[tuple[Any, str]] = [(Image, "open"), (torch, "save")]
    patched += [(cv2, name) for name in ("imread", "imwrite", "imshow") if hasattr(cv2, name)]
    before = [getattr(module, name) for module, name in patched]
    printing, threads = np.get_printoptions(), cv2.getNumThreads()
    with warnings.catch_warnings():
        yield
    for (module, name), function in zip(patched, before, strict=True):
        setattr(module, name, function)
    np.set_printoptions(**printing)
    torch.set_printoptions(profile="default")  # type: ignore[no-untyped-call]  # torch has not annotated it
    cv2.setNumThreads(threads)


HEADS = {"detection": "Detect", "segmentation": "Segment", "pose": "Pose", "oriented": "OBB"}
"""What Ultralytics calls the last layer of a network that solves a task."""


def load(file: Path, task: str = "detection") -> Any:
    """The network for `task` in a `.pt` file, in evaluation mode. Only classes that ultralytics lists as safe are
    unpickled, and no code in the file is run. Raises `WeightsNotFound` where it holds no such network."""
    tasks = _tasks()
    try:
        content, _ = tasks.torch_safe_load(str(file), safe_only=True)
        network = content.get("ema") or content["model"]
        if not isinstance(network, tasks.DetectionModel) or network.model[-1].__class__.__name__ != HEADS[task]:
            raise TypeError(f"it holds a {type(network).__name__}")
    except (TypeError, KeyError, ValueError, RuntimeError, OSError, EOFError, UnpicklingError, AttributeError) as error:
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise WeightsNotFound(
            f"{file.name} is no {task} network of ultralytics: {said}. "
            f"Wanted a .pt file such as yolov8n{SUFFIXES[task]}.pt; put one there, or take this file away."
        ) from error
    return network.float().eval()


SUFFIXES = {"detection": "", "segmentation": "-seg", "pose": "-pose", "oriented": "-obb"}
"""What the names of Ultralytics' files for a task end in."""


def build(architecture: str, task: str = "detection") -> Any:
    """A network of random weights, the same for the same architecture, such as `yolov8n`; in evaluation mode."""
    import torch

    tasks = _tasks()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        made = {
            "detection": tasks.DetectionModel,
            "segmentation": tasks.SegmentationModel,
            "pose": tasks.PoseModel,
            "oriented": tasks.OBBModel,
        }
        return made[task](f"{architecture}.yaml", verbose=False, **({} if task == "pose" else {"nc": 80})).eval()


def oriented_head(head: Any) -> Any:
    """The head for turned boxes that Ultralytics' architectures such as `yolov8n-obb` have, on the branches of a
    detector's head, which it shares; and with one more of random weights, the same each time, that begins by saying
    that nothing is turned."""
    import torch

    _tasks()
    from ultralytics.nn.modules.head import OBB

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        made = OBB(head.nc, 1, head.reg_max, ch=[branch[0].conv.in_channels for branch in head.cv2])
        for branch in made.cv4:
            for layer in branch[:-1]:
                # Normalisation keeps its statistics, so that what a layer makes of its input has to have its size.
                torch.nn.init.kaiming_normal_(layer.conv.weight)
            torch.nn.init.zeros_(branch[-1].weight)
            torch.nn.init.constant_(branch[-1].bias, UPRIGHT)
    made.cv2, made.cv3, made.stride = head.cv2, head.cv3, head.stride
    made.f, made.i, made.type = head.f, head.i, head.type
    return made.requires_grad_(False).eval()


def segment_anything(
    widths: Sequence[int], depths: Sequence[int], heads: Sequence[int], wide: Sequence[int] | None
) -> Any:
    """A network of the Segment Anything family without weights, for images of 1024 pixels: MobileSAM's encoder with so
    many channels, blocks and heads a stage where `wide` is None, else SAM's own of one stage, whose blocks of these
    numbers look at the whole image. Raises `MissingExtra`."""
    _tasks()
    with _undone():
        from ultralytics.models.sam import build

    # The package has public names for its published sizes alone.
    if wide is None:
        return build._build_sam(list(widths), list(depths), list(heads), None, mobile_sam=True)
    return build._build_sam(widths[0], depths[0], heads[0], list(wide))


def detection_loss(head: Any, weights: FloatArray, *, masks: bool = False, angles: bool = False) -> Any:
    """`loss(predictions, batch) -> (tensor of box, class and distribution loss, their values)` for a Detect head, or
    with `masks` for a Segment head, whose mask loss comes second, or with `angles` for an OBB head, whose angle loss
    comes last; `weights`, one a label, are those of the class loss."""
    import torch

    _tasks()
    from ultralytics.cfg import get_cfg
    from ultralytics.utils.loss import v8DetectionLoss, v8OBBLoss, v8SegmentationLoss

    class Shell:
        """As much of a model as the loss looks at."""

        args = get_cfg()
        model = (head,)
        class_weights = torch.from_numpy(weights)

        def parameters(self) -> Any:
            return head.parameters()

    return (v8SegmentationLoss if masks else v8OBBLoss if angles else v8DetectionLoss)(Shell())


def anchors(levels: Any, strides: Any) -> tuple[Any, Any]:
    """Centres (n, 2) in cells and strides (n, 1) of all cells of `levels`."""
    _tasks()
    from ultralytics.utils.tal import make_anchors

    points, sizes = make_anchors(levels, strides, 0.5)
    return points, sizes


def class_loss(loss: Any, scores: Any, corners: Any, levels: Any, targets: tuple[Any, Any]) -> Any:
    """The classes' share of `loss`, where the boxes are known and stay as they are: `scores` (b, labels, n),
    `corners` (b, n, 4) in pixels, `targets` the true labels (b, m, 1) and corners (b, m, 4), padded with zeros."""
    points, strides = anchors(levels, loss.stride)
    logits = scores.transpose(1, 2)
    labels, boxes = targets
    present = boxes.sum(2, keepdim=True).gt(0).to(boxes.dtype)
    _, _, wanted, _, _ = loss.assigner(logits.detach().sigmoid(), corners, points * strides, labels, boxes, present)
    wrong = loss.bce(logits, wanted.to(logits.dtype)) * loss.class_weights
    return loss.hyp.cls * wrong.sum() / wanted.sum().clamp(min=1)


def assigned(loss: Any, scores: Any, corners: Any, levels: Any, targets: tuple[Any, Any]) -> tuple[Any, Any, Any]:
    """Which cells (b, n) answer for an object, for which of the true ones (b, n), and its corners (b, n, 4); arguments
    as of `class_loss`."""
    points, strides = anchors(levels, loss.stride)
    labels, boxes = targets
    present = boxes.sum(2, keepdim=True).gt(0).to(boxes.dtype)
    given = scores.transpose(1, 2).sigmoid()
    _, aims, _, chosen, which = loss.assigner(given, corners, points * strides, labels, boxes, present)
    return chosen, which, aims


def mask_loss(loss: Any, cells: tuple[Any, Any, Any], coefficients: Any, pictures: Any, true: Any, side: int) -> Any:
    """The masks' share of a segmenter's `loss` for `assigned` cells: `coefficients` (b, k, n) weigh `pictures`
    (b, k, h, w); `true` (b, h, w) are the objects, numbered from 1; `side` is that of the square input in pixels."""
    import torch

    chosen, which, aims = cells
    if not chosen.any():
        return (coefficients * 0).sum()
    size = torch.tensor([side, side], dtype=coefficients.dtype)
    count = torch.zeros(len(true), 1)
    answers = coefficients.transpose(1, 2).contiguous()
    return loss.hyp.box * loss.calculate_segmentation_loss(chosen, true, which, aims, count, pictures, answers, size)


def padded(pictures: Any) -> tuple[Any, Any]:
    """Labels (b, m, 1) and corners (b, m, 4) of pictures, padded with zeros to the largest number."""
    import torch

    most = max(1, *(len(one.boxes) for one in pictures))
    labels, boxes = torch.zeros(len(pictures), most, 1), torch.zeros(len(pictures), most, 4)
    for at, one in enumerate(pictures):
        labels[at, : len(one.labels), 0] = torch.from_numpy(one.labels).float()
        boxes[at, : len(one.boxes)] = torch.from_numpy(one.boxes)
    return labels, boxes
