"""Keras trains the network of wavecast: with the same weights, its loss is wavecast's."""

import os

import numpy as np
import pytest
import torch

from models.heads import GaussianMixtureHead
from models.predictor import Predictor
from models.recurrent.stack import RecurrentStack
from pipeline.benchmarks.frameworks.task import Settings, steps_of

os.environ.setdefault("KERAS_BACKEND", "torch")
pytest.importorskip("keras", reason="needs the extra `frameworks`")
GATES = {"gru": (1, 0, 2), "lstm": (0, 1, 2, 3)}
"""Places in PyTorch's weights of the gates in the order of Keras."""


def settings(cell: str) -> Settings:
    return Settings(cell, 12, "diagonal", 3, 1e-3, 20, 32, 10, 0, 2, 1e-3, 1.0, 0, 1.0)


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_the_loss_is_that_of_wavecast_on_the_same_weights(cell: str) -> None:
    from pipeline.benchmarks.frameworks import with_keras

    shared = settings(cell)
    windows = np.random.default_rng(0).normal(size=(2, 32 + 7 * 10)).astype(np.float32)
    inputs, targets = steps_of(windows, shared, shared.window)
    network = Predictor(20, RecurrentStack(cell, 20, 12), GaussianMixtureHead(12, 10, 3, 1e-3))
    model = with_keras.build(shared, 7)
    weights = {name: value.detach().numpy() for name, value in network.named_parameters()}
    recurrent, dense = model.layers[1:]

    def gates(part: str) -> np.ndarray:
        (found,) = (value for name, value in weights.items() if name.endswith(part))
        return np.concatenate([found.reshape(-1, 12, *found.shape[1:])[gate] for gate in GATES[cell]]).T

    biases = gates("bias_ih_l0"), gates("bias_hh_l0")
    bias = np.stack(biases) if cell == "gru" else sum(biases)
    recurrent.set_weights([gates("weight_ih_l0"), gates("weight_hh_l0"), bias])
    dense.set_weights([weights["head.projection.weight"].T, weights["head.projection.bias"]])
    distribution, _ = network(torch.tensor(inputs), network.initial_state(2))
    expected = -distribution.log_prob(torch.tensor(targets)).detach().numpy()
    found = with_keras.nats(with_keras.ops.convert_to_tensor(targets), model(inputs), shared)
    found = with_keras.ops.convert_to_numpy(found)
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_the_scales_start_as_those_of_wavecast() -> None:
    from pipeline.benchmarks.frameworks import with_keras

    bias = with_keras.build(settings("gru"), 7).layers[-1].get_weights()[1]
    head = GaussianMixtureHead(12, 10, 3, 1e-3)
    np.testing.assert_allclose(bias[-30:], head.projection.bias.detach()[-30:], rtol=1e-5)
