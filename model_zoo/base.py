"""The contract that every family of the zoo fulfils; `tests/model_zoo/test_contract.py` holds them to it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from model_zoo.errors import TrainingImpossible, WeightsNotFound
from model_zoo.recipes import Recipe
from model_zoo.types import Example, FloatArray, Input, Item, LabelSpace, Output, Target, TaskKind
from model_zoo.weights import Located, Weights

if TYPE_CHECKING:
    from model_zoo.distillation import Distillation
    from model_zoo.programs.program import Program
    from model_zoo.runtime import Runtime


@dataclass(frozen=True)
class Progress:
    """How far a training is: `fraction` in [0, 1], the loss so far, and a sentence for people.

    `epoch` is that which runs, from 1, and the number of them all; None where nothing is repeated.
    """

    fraction: float
    message: str
    loss: float | None = None
    epoch: tuple[int, int] | None = None


@dataclass(frozen=True)
class Watch:
    """How a caller follows and ends long work: `report` is called now and then, `cancelled` polled within 2 s."""

    report: Callable[[Progress], None] = lambda progress: None
    cancelled: Callable[[], bool] = lambda: False


UNWATCHED = Watch()
"""Work that nobody follows."""


class Encoder(ABC):
    """A frozen network that turns inputs into features; shared by every model of the process that names it.

    Making one is cheap: the network is built and loaded on first use. Safe to use from several threads.
    """

    architecture: ClassVar[str]
    """Versioned, as in `minilm_l6_v2.v1`."""
    dimensions: ClassVar[int]
    weights: ClassVar[Weights]
    at_once: ClassVar[int] = 16
    """Of models that encode with it; see `Model`."""

    def __init__(self, located: Located) -> None:
        self.located = located
        self.name = f"{self.architecture}{located.variant}"
        """Stored features are only reused under the same name; other weights than those tested make another."""

    def unloadable(self, reason: Exception) -> WeightsNotFound:
        """The error to raise when the weights that were found are not this network's."""
        said = str(reason).splitlines()[0] if str(reason) else type(reason).__name__
        publisher = self.weights.package or "its publisher"
        return WeightsNotFound(
            f"{self.located.main.name} ({self.located.origin}) does not hold {self.weights.name}: {said} "
            f"Wanted what {publisher} has in {self.weights.main}; put that there, or take this file away."
        )

    @property
    @abstractmethod
    def program(self) -> Program:
        """The network, which serving may run in a compiled form."""

    @abstractmethod
    def prepare(self, value: Input | None) -> Input:
        """The input read as far as the network needs it, and no larger: what `encode` does first, done ahead of it.

        Raises `UnreadableInput`.
        """

    @abstractmethod
    def encode(self, inputs: Sequence[Input | None], watch: Watch = UNWATCHED) -> FloatArray:
        """Features of shape (inputs, dimensions), for which a dot product is a sensible similarity.

        Raises `UnreadableInput` for an input that cannot be decoded, `Cancelled` when the watch says so.
        """


class Model(ABC):
    """Something trained, for one control of one project."""

    family: type[Family]
    labels: LabelSpace
    at_once: int = 16
    """Items that one call of `predict` should get at most: enough to be efficient, few enough to keep a deadline."""

    @abstractmethod
    def predict(self, items: Sequence[Item]) -> list[Output]:
        """One output an item, in order. An empty batch gives an empty list.

        Items that carry features of the family's encoder are not encoded again.
        """

    def prepare(self, item: Item) -> Item:
        """The item read as far as `predict` needs it, which readers call ahead of the model; `predict` takes both.

        Raises `UnreadableInput`.
        """
        return item

    def programs(self) -> tuple[Program, ...]:
        """The networks behind it that may run in a compiled form."""
        return ()

    def own_encoder(self) -> Encoder | None:
        """The encoder that was trained for this model, where it has one: what it takes are not its family's features
        but this one's, by its name among an item's `others`."""
        return None

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write `config.json` and safetensors into an empty folder; loading them gives identical outputs."""

    @property
    @abstractmethod
    def nbytes(self) -> int:
        """Memory that this model holds by itself, shared encoders left out, in bytes."""


@dataclass(frozen=True)
class Trained:
    """What a training returns: the model, and its predictions for its own examples made without having seen them.

    `out_of_fold` holds one output per example (None where cross-validation could not judge it, as with
    the only example of a label). Calibration and evaluation use them while no holdout is large enough. `notes` are
    sentences for people about what keeps the model from being better.
    """

    model: Model
    out_of_fold: tuple[Output | None, ...]
    loss: float
    hyperparameters: dict[str, float | int | str | bool]
    notes: tuple[str, ...] = ()


class Family(ABC):
    """An architecture by its versioned name: knows how to train and to load its models."""

    name: ClassVar[str]
    """`<task kind>/<architecture>.v<number>`, as stored in checkpoints."""
    task: ClassVar[TaskKind]
    licence: ClassVar[str]
    weights: ClassVar[tuple[Weights, ...]]
    """The pretrained weights it wants: all of them, or, with `any_weights`, one of them, the first that is found."""
    any_weights: ClassVar[bool] = False
    extra: ClassVar[str | None] = None
    """The extra of this project that it needs, and the `package` by which one sees whether that is installed."""
    package: ClassVar[str | None] = None

    def __init__(self, runtime: Runtime, weights_file: str | None = None) -> None:
        """`weights_file` is the name of a file inside the runtime's weights folder, used in place of the default."""
        self.runtime = runtime
        self.weights_file = weights_file

    @abstractmethod
    def encoder(self) -> Encoder | None:
        """The process's shared frozen encoder, loaded on first use; None for families that train on raw inputs."""

    @abstractmethod
    def train(
        self,
        examples: Sequence[Example],
        labels: LabelSpace,
        recipe: Recipe,
        *,
        warm_start: Model | None = None,
        seed: int = 0,
        watch: Watch = UNWATCHED,
    ) -> Trained:
        """Learn from `examples`. Deterministic under a seed. Raises `TrainingImpossible` or `Cancelled`."""

    def distil(
        self,
        examples: Sequence[Example],
        labels: LabelSpace,
        recipe: Recipe,
        taught: Distillation,
        *,
        seed: int = 0,
        watch: Watch = UNWATCHED,
    ) -> Trained:
        """Learn from `examples` as `train` does, and from what a teacher says of items that nobody has labelled. Raises
        as `train`, and `TrainingImpossible` where the family does not learn so."""
        raise TrainingImpossible(
            f"{self.name} learns from no teacher, wanted a family for classification, detection or named entities; "
            "leave the recipe distil out."
        )

    @abstractmethod
    def load(self, folder: Path, labels: LabelSpace | None = None) -> Model:
        """Load what `Model.save` wrote. Raises `CheckpointError` when damaged or when `labels`, if given, differ."""

    def wants_inputs(self, count: int, labels: LabelSpace, recipe: Recipe, before: Model | None) -> bool:
        """Whether training on so many examples, after the model `before`, wants inputs of items that have features."""
        return False

    @classmethod
    def instead(cls, truths: Sequence[Target]) -> str | None:
        """The name of another family for the same kind of task that these truths, in any unit, ask for in place of this
        one, as turned boxes do; None where this one will do."""
        return None

    untrained_threshold: ClassVar[float] = 1.0
    """Confidence that an answer of `untrained` needs before it is shown; for `Postprocess.uncalibrated`."""

    def untrained(self, labels: LabelSpace) -> Model | None:
        """A model that answers before any label exists (zero-shot), or None where the family cannot."""
        return None

    def unknown(self, labels: LabelSpace) -> tuple[str, ...]:
        """Those of the labels that `untrained`, where there is such a model, knows nothing of."""
        return ()
