"""Directions in which examples of one label differ from each other tell nothing about the label: scale them down.

The covariance within labels is shrunk towards a multiple of the identity, as in regularised discriminant analysis
(Friedman 1989, https://doi.org/10.1080/01621459.1989.10478752), and features are multiplied by its inverse root.
Five images of each hand sign know enough about light and skin for that to matter.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Whitening:
    """x -> ((x - centre) + ((x - centre) directions^T * gains) directions) * scale.

    `directions` (k, dimensions) are orthonormal; `gains` (k,) are relative to all other directions.
    """

    centre: Array
    directions: Array
    gains: Array
    scale: float

    def __call__(self, features: Array) -> Array:
        return self._turn(features - self.centre)

    def fold(self, weight: Array, bias: Array) -> tuple[Array, Array]:
        """A linear map of whitened features, as one of the features themselves."""
        turned = self._turn(weight)
        return turned, bias - turned @ self.centre

    def _turn(self, rows: Array) -> Array:
        turned: Array = (rows + ((rows @ self.directions.T) * self.gains) @ self.directions) * self.scale
        return turned


def fit_whitening(features: Array, targets: npt.NDArray[np.bool_], shrinkage: float, dimensions: int) -> Whitening:
    """Learn from features (items, r) and which labels apply (items, labels); whitened examples have unit mean square.

    `dimensions` is that of the space the features came from, where they were rotated into a smaller one; the
    directions that are missing have no variance.
    """
    design = np.column_stack([np.ones(len(features)), targets]).astype(np.float64)
    fitted, _, rank, _ = np.linalg.lstsq(design, features, rcond=None)
    residuals = features - design @ fitted
    freedom = len(features) - int(rank)
    directions, variances = _principal(residuals, freedom)
    mean = float(variances.sum()) / dimensions
    if mean > 0:
        gains = np.sqrt(shrinkage * mean / (shrinkage * mean + (1 - shrinkage) * variances)) - 1
    else:
        gains = np.zeros(0)
    unscaled = Whitening(_centre(features, targets), directions, gains, 1.0)
    size = float(np.sqrt(np.square(unscaled(features)).sum(axis=1).mean()))
    return Whitening(unscaled.centre, directions, gains, 1 / size if size > 1e-6 else 1.0)


def _centre(features: Array, targets: npt.NDArray[np.bool_]) -> Array:
    """The mean of the labels' means, so that a label with many examples doesn't pull it."""
    held = targets.any(axis=0)
    if not held.any():
        mean: Array = features.mean(axis=0)
        return mean
    shares = targets[:, held] / targets[:, held].sum(axis=0)
    centre: Array = (shares.T @ features).mean(axis=0)
    return centre


def _principal(residuals: Array, freedom: int) -> tuple[Array, Array]:
    """Orthonormal directions (k, r) of the residuals and the variance along each; none where nothing is left over."""
    rows, columns = residuals.shape
    if freedom <= 0:
        return np.zeros((0, columns)), np.zeros(0)
    if rows < columns:
        values, vectors = np.linalg.eigh(residuals @ residuals.T)
    else:
        values, vectors = np.linalg.eigh(residuals.T @ residuals)
    kept = values > max(values[-1] * 1e-8, 1e-12)
    values, vectors = values[kept], vectors[:, kept]
    directions = (vectors.T @ residuals) / np.sqrt(values)[:, None] if rows < columns else vectors.T
    return directions, values / freedom
