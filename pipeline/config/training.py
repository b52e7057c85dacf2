"""Settings of the training."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from pipeline.config.types import Positive, Section, Seed


class TrainConfig(Section):
    """Settings of the training."""

    section: ClassVar[str] = "train"

    epochs: Positive = 10
    """Passes over the training split."""
    max_minutes: Annotated[float, Field(gt=0)] | None = None
    """Stop after this many minutes in the training loop, even before the last epoch. Null: no limit. Tables
    and kernels that are made before the first update do not count."""
    state: Literal["carried", "reset"] = "carried"
    """`carried`: the recurrent state is carried from chunk to chunk through each recording (stateful
    training). `reset`: each chunk is a sequence of its own that starts from the initial state, as in Chung
    et al. (2014)."""
    batch_size: Positive = 32
    """Number of sequences in an update."""
    bptt_steps: Positive = 100
    """Steps of truncated back-propagation through time: the length of a chunk."""
    optimizer: Literal["adam", "adamw", "rmsprop", "chung2014-rmsprop"] = "adam"
    """Optimiser. `chung2014-rmsprop` is RMSProp as the authors released it: momentum 0.9, squared gradients
    averaged with 0.95, and a denominator of at least 0.01. It has no weight decay."""
    learning_rate: Annotated[float, Field(gt=0)] = 2e-3
    """Highest learning rate, reached after the warm-up."""
    schedule: Literal["constant", "linear", "cosine"] = "cosine"
    """Decay of the learning rate over the epochs, down to final_learning_rate_fraction of the highest."""
    final_learning_rate_fraction: Annotated[float, Field(ge=0, le=1)] = 0.05
    """Final learning rate as a fraction of the highest."""
    warmup_updates: Annotated[int, Field(ge=0)] = 50
    """Number of updates over which the learning rate rises from 0."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    """Weight decay (adamw) or L2 penalty (adam, rmsprop)."""
    clip_norm: Annotated[float, Field(gt=0)] = 1.0
    """Largest norm of the gradient. A larger gradient is rescaled to it."""
    patience_epochs: Positive = 5
    """Number of epochs without an improved validation loss after which training stops."""
    loss: Literal["density", "discrete"] = "density"
    """`density`: maximise the density at the samples. `discrete`: maximise the exact probability of the
    integers."""
    weight_noise: Annotated[float, Field(ge=0)] = 0.0
    """Standard deviation of Gaussian noise on the recurrent weights during training; 0.075 in Chung et al.
    (2014)."""
    ema: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Decay of an exponential moving average of the weights, such as 0.999. The averaged weights are
    validated beside the weights themselves, and the better ones are kept. 0: no average."""
    transpose_semitones: Annotated[int, Field(ge=0, le=12)] = 0
    """In each epoch, every piece of notes is moved up or down by a random number of semitones, at most this
    many. 0: pieces stay in their keys."""
    scheduled_sampling: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Final share of steps at which an encoder-decoder is fed its own samples instead of the recording. It
    rises from 0 during training."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Number format of the recurrent layers. The output distribution is always computed in float32."""
    device: Annotated[str, Field(pattern=r"^(auto|cpu|cuda(:\d+)?)$")] = "auto"
    """`auto` uses a GPU if there is one. Otherwise `cpu`, `cuda` or, for example, `cuda:1`."""
    checkpoint_updates: Positive = 200
    """Updates between checkpoints. A killed run repeats at most this many."""
    log_updates: Positive = 20
    """Number of updates averaged into one point of the training curve."""
    start_from: Annotated[str, Field(min_length=1)] | None = None
    """Model whose weights the training starts from, where its settings fit: `champion` (that of the run's
    registered model), or any model that `--model` can name. Null: new weights."""
    seed: Seed = 0
    """Seed of the initial weights and of the order of recordings."""
