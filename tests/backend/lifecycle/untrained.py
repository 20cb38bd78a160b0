"""Networks of random weights whose answers are as odd as their own."""

from __future__ import annotations

import torch

from model_zoo.object_detection.network import Network


def spread(network: Network) -> Network:
    """With class branches that say something else of each cell, where they would all say the same."""
    torch.manual_seed(0)
    with torch.inference_mode():
        levels = network.pyramid(network.backbone(torch.rand(1, 3, 96, 96)))
        hidden = network.hidden(levels)
    for level, seen in zip(network.head.cv3, hidden, strict=True):
        flat = seen.flatten(2)
        weight = torch.randn(level[-1].out_channels, flat.shape[1]) / flat.std(2).clamp(min=1e-9) / flat.shape[1] ** 0.5
        level[-1].weight.data = weight[..., None, None]
        level[-1].bias.data = -1 - weight @ flat.mean(2)[0]
    return network
