"""The compiled network against torch's, and against itself."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from models.compiled.predictor import CompiledPredictor, unsupported
from models.recurrent.cells import CELLS
from tests.helpers.networks.compiled import COVARIANCES, WINDOW, both, numbers, values

COMPILED = [name for name, cell in CELLS.items() if cell.compiled]

SETTINGS: list[dict[str, Any]] = [
    {},
    {"companding_step": 5e-3},
    {"num_layers": 2, "residual": True, "learned_initial_state": True},
    {"num_layers": 3, "layer_norm": True, "residual": True, "companding_step": 5e-3},
]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("cell", COMPILED)
def test_it_gives_the_numbers_of_torch(cell: str, settings: dict[str, Any]) -> None:
    network, fast = both(cell, **settings)
    inputs = 0.5 * values(3, 150, WINDOW)
    tensors = torch.from_numpy(inputs)
    state = network.initial_state(3)
    expected, after = network._hidden(tensors, state)
    hidden, ended = fast.hidden(inputs, fast.initial_state(3))
    np.testing.assert_allclose(hidden, expected, atol=1e-5)
    for part, other in zip(ended, after, strict=True):
        np.testing.assert_allclose(part, other, atol=1e-5)
    parameters, _ = fast.step(inputs[:, 0], fast.initial_state(3))
    np.testing.assert_allclose(parameters, network.head.projection(expected[:, 0]), atol=1e-5)


@pytest.mark.parametrize("cell", COMPILED)
def test_a_sequence_steps_and_any_batch_give_the_same_bits(cell: str) -> None:
    _, fast = both(cell, num_layers=2, companding_step=5e-3)
    inputs = values(6, 90, WINDOW)
    hidden, ended = fast.hidden(inputs, fast.initial_state(6))
    for b in (0, 5):
        state = fast.initial_state(1)
        for t in range(90):
            parameters, state = fast.step(inputs[b : b + 1, t], state)
            np.testing.assert_array_equal(parameters[0], fast.parameters(hidden)[b, t])
        for part, whole in zip(state, ended, strict=True):
            np.testing.assert_array_equal(part[:, 0], whole[:, b])


@pytest.mark.parametrize("covariance", COVARIANCES)
def test_the_projection_has_the_order_of_the_head(covariance: str) -> None:
    network, fast = both("gru", covariance)
    hidden = values(2, 7, 37)
    expected = network.head.projection(torch.from_numpy(hidden))
    np.testing.assert_allclose(fast.parameters(hidden), expected, atol=1e-5)


def test_states_that_go_in_stay_as_they_are() -> None:
    _, fast = both("lstm")
    state = fast.initial_state(2)
    _, after = fast.hidden(values(2, 3, WINDOW), state)
    assert all(not part.any() for part in state)
    assert all(part.any() for part in after)


def test_weights_of_another_shape_are_rejected() -> None:
    network, _ = both("gru", "full")
    weights = {name: value.numpy() for name, value in network.state_dict().items()}
    settings: dict[str, Any] = {"target_size": 5, "components": 4, "covariance": "full", "scale_floor": 1e-4}
    settings |= {"companding_step": None, "residual": False}
    CompiledPredictor(weights, "gru", seen=10, **settings)
    for cell, changes in [
        ("gru", {"seen": 11}),
        ("lstm", {}),
        ("gru", {"components": 3}),
        ("gru", {"covariance": "diagonal"}),
        ("gru", {"companding_step": 0.1}),
    ]:
        with pytest.raises(ValueError, match="weights"):
            CompiledPredictor(weights, cell, **{"seen": 10, **settings, **changes})


def test_arrays_of_another_shape_are_rejected() -> None:
    _, fast = both("gru")
    state, window = fast.initial_state(2), values(2, WINDOW)
    uniform, noise = numbers(2, 4)
    scaling = {"mean": 0.0, "std": 0.06, "unit": 1 / 32_768}
    with pytest.raises(ValueError, match="inputs"):
        fast.hidden(values(2, 3, 9), state)
    with pytest.raises(ValueError, match="state"):
        fast.hidden(values(3, 3, WINDOW), state)
    with pytest.raises(ValueError, match="hidden"):
        fast.parameters(values(2, 36))
    with pytest.raises(ValueError, match="window"):
        fast.generate(4, state, window[:, :9], uniform, noise, **scaling)
    with pytest.raises(ValueError, match="noise"):
        fast.generate(4, state, window, uniform, noise[:, :3], **scaling)


def test_it_runs_without_torch() -> None:
    program = "import sys, models.compiled.predictor; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_what_is_supported() -> None:
    for cell in (*COMPILED, "study-lstm"):
        assert unsupported(cell, "gaussian_mixture", "full", "predictor", 0) is None
    for reason, settings in {
        "convolutions": ("gru", "gaussian_mixture", "full", "predictor", 1),
        "the encoder-decoder": ("gru", "gaussian_mixture", "full", "encoder-decoder", 0),
        "the head nade": ("gru", "nade", "diagonal", "predictor", 0),
        "the cell mingru": ("mingru", "gaussian_mixture", "diagonal", "predictor", 0),
    }.items():
        assert (unsupported(*settings) or "").startswith(f"{reason} ha")


PROGRAM = """
import hashlib
import numpy as np
from tests.helpers.networks.compiled import WINDOW, both, numbers, values
digest = hashlib.sha256()
for cell in ("lstm", "chung2014-gru"):
    _, fast = both(cell, "autoregressive", num_layers=2, layer_norm=True, companding_step=5e-3)
    hidden, state = fast.hidden(values(5, 100, WINDOW), fast.initial_state(5))
    made = fast.generate(100, state, values(5, WINDOW), *numbers(5, 100), mean=0.0, std=0.06, unit=1 / 32_768)
    for array in (hidden, fast.parameters(hidden), made.samples, *made.state):
        digest.update(np.ascontiguousarray(array).tobytes())
print(digest.hexdigest())
"""


@pytest.mark.slow
def test_processors_without_vectors_or_fused_operations_give_the_same_bits(tmp_path: Path) -> None:
    digests = set()
    for kind in ({}, {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""}):
        environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / str(len(kind))), **kind}
        run = subprocess.run(
            [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True
        )
        digests.add(run.stdout)
    assert len(digests) == 1
