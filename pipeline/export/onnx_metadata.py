"""Metadata of an exported step: everything needed to compute its inputs and to sample from its outputs.

Every value is a string, as ONNX requires: a number, a list in JSON, or a sentence.
"""

import hashlib
import json
from typing import TYPE_CHECKING

from models.distributions.constants import POLE_LIMIT
from models.head_kinds import GAUSSIAN_MIXTURE, head_kind
from pipeline.generation.free_running import maximum_scale
from pipeline.model.limiter import MOMENT_S

if TYPE_CHECKING:
    from models.onnx_step import ExplicitStep
    from pipeline.model.trained_model import TrainedModel

FORMAT = "wavecast-step-1"

INPUTS = (
    "the newest `window` rows, oldest first, `width` values each, normalised: (row * unit - mean) / std; "
    "before the beginning zeros in place of normalised values; the next step's window begins `hop` rows later"
)
STATE = (
    "begins as `initial_state`, repeated along the batch (axis 1); every output next_X of a step is the next "
    "step's input X"
)
GAUSSIANS = (
    "choose one component k with the weights softmax(logits / temperature) and let "
    "s = spread * min(scale[k], widest); with standard normal e_0, e_1, ... the outputs are "
)
OUTPUTS = {
    "diagonal": GAUSSIANS + "x_n = mean[k, n] + s_n e_n",
    "full": GAUSSIANS
    + "x_n = mean[k, n] + d_n, d_n = s_n e_n + sum over m < n of lower[k, n(n-1)/2 + m] d_m",
    "autoregressive": GAUSSIANS
    + "x_n = offset[k] + s_n e_n + sum over p = 1 ... P of coefficients[k, p-1] x_(n-p), where x_(-1), "
    "x_(-2), ... are the last inputs; where the outermost pole of 1 / (1 - sum of coefficients[k, p-1] "
    f"z^-p) has a radius r >= 1, take coefficients[k, p-1] ({POLE_LIMIT} / r)^p instead",
    "bernoulli": "note n sounds with the probability sigmoid(logits[n] / temperature)",
    "nade": "from the lowest note up, note n sounds with the probability "
    "sigmoid((note_bias[n] + decoder_weight[n] . h) / temperature), h = sigmoid(hidden_bias + sum of "
    "encoder_weight[m] over the notes m < n that sound)",
}
LEVEL = (
    f"the training split's root mean square x over {1_000 * MOMENT_S:.0f} ms is at most loudest_level; a "
    "free run that is held below it does not run away"
)


def step_metadata(model: "TrainedModel", step: "ExplicitStep") -> dict[str, str]:
    """Return the metadata of a model's exported step, as text by key.

    Args:
        model: the trained model.
        step: the step that is exported.
    """
    frames, normalisation, representation = model.framing, model.normalisation, model.representation
    head = head_kind(model.model.head, model.model.covariance).name
    initial = zip(step.state_names, step.initial_state(1), strict=True)
    facts = {
        "format": FORMAT,
        "kind": model.input.kind,
        "rows_per_second": model.row_rate_hz,
        "window": frames.window,
        "hop": frames.hop,
        "width": frames.width,
        "unit": representation.unit,
        "mean": normalisation.mean,
        "std": normalisation.std,
        "low": normalisation.low,
        "high": normalisation.high,
        "distribution": head,
        "inputs": INPUTS,
        "state": STATE,
        "outputs": OUTPUTS[head],
        "rows": representation.restoring,
        "initial_state": {name: part.tolist() for name, part in initial},
        "weights_sha256": weights_digest(model),
    }
    if representation.sound is not None:
        facts["sample_rate"] = representation.sound.sample_rate
    if model.model.head == GAUSSIAN_MIXTURE:
        facts |= {"scale_floor": step.predictor.head.scale_floor, "widest": maximum_scale(model)}
    limiter = model.limiter
    if limiter is not None:
        facts |= {"loudest_level": limiter.limit, "level": LEVEL}
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in facts.items()}


def weights_digest(model: "TrainedModel") -> str:
    """Return the SHA-256 of the model's `model.safetensors`."""
    from safetensors.numpy import save

    return hashlib.sha256(save(dict(model.weights()))).hexdigest()
