"""Settings of the training."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from pipeline.config.types import Positive, Section, Seed


class TrainConfig(Section):
    """How the weights are fitted."""

    section: ClassVar[str] = "train"

    epochs: Positive = 10
    """Passes over the training split."""
    max_minutes: Annotated[float, Field(gt=0)] | None = None
    """Stop after this much time in the training loop, even before the last epoch."""
    state: Literal["carried", "reset"] = "carried"
    """`carried`: recordings run through their full length with the state carried from chunk to chunk;
    `reset`: chunks are sequences of their own that start from an empty state, as the study's are."""
    batch_size: Positive = 32
    """Sequences side by side in an update."""
    bptt_steps: Positive = 100
    """Steps through which the gradient flows back."""
    optimizer: Literal["adam", "adamw", "rmsprop"] = "adam"
    """Update rule."""
    learning_rate: Annotated[float, Field(gt=0)] = 2e-3
    """Highest learning rate."""
    schedule: Literal["constant", "linear", "cosine"] = "cosine"
    """How the learning rate falls over the epochs, to final_learning_rate_fraction of it."""
    final_learning_rate_fraction: Annotated[float, Field(ge=0, le=1)] = 0.05
    """Learning rate at the end, as a share of the highest."""
    warmup_updates: Annotated[int, Field(ge=0)] = 50
    """Updates over which the learning rate rises from nothing."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    """Weight decay (adamw) or L2 penalty (adam, rmsprop)."""
    clip_norm: Annotated[float, Field(gt=0)] = 1.0
    """The gradient is rescaled to this norm when it is larger."""
    patience_epochs: Positive = 5
    """Stop when the validation loss has not improved for this many epochs."""
    loss: Literal["density", "discrete"] = "density"
    """What is maximised: the density at the samples, or the exact probability of their integers."""
    weight_noise: Annotated[float, Field(ge=0)] = 0.0
    """Standard deviation of noise on the recurrent layers' weights while training; the study's is 0.075."""
    scheduled_sampling: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Share of the steps that an encoder-decoder hears of itself instead of the recording, at the end of
    training; it rises from 0."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Arithmetic of the recurrent layers; the mixture always computes in float32."""
    device: Annotated[str, Field(pattern=r"^(auto|cpu|cuda(:\d+)?)$")] = "auto"
    """`auto` takes the GPU when there is one; or `cpu`, `cuda`, `cuda:1`."""
    checkpoint_updates: Positive = 200
    """Updates between checkpoints; a killed run repeats fewer than this."""
    log_updates: Positive = 20
    """Updates averaged into one point of the training curve."""
    seed: Seed = 0
    """Draws the first weights and the order of the recordings."""
