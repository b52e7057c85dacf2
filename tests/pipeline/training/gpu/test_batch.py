"""The kernel that gathers batches, run by Triton's interpreter, against the operations that define it."""

import pytest

from tests.helpers.networks.triton_programs import run_interpreted

PROGRAM = """
from types import SimpleNamespace
import numpy as np, torch
from models.gpu_kernels import operations
from pipeline.config.inputs import PianoRollConfig, WaveformConfig
from pipeline.data.batching import carried_plan
from pipeline.data.dataset import SplitRows
from pipeline.features.framing import Framing
from pipeline.features.normalisation import Normalisation
from pipeline.features.normaliser import Normaliser
from pipeline.features.representations import representation_of
from pipeline.training.gpu.batch import BatchSource
from pipeline.training.gpu.memory import Memory
from pipeline.training.gpu.settling import Register
from pipeline.training.gpu.tables import chunk_steps, chunk_table, Tables

LENGTHS = np.array([53, 7, 90, 31])

def sources(config, framing, loss, rows):
    width, device = framing.width, torch.device("cpu")
    moments = (0.1,) * width, (0.7,) * width
    normaliser = Normaliser(representation_of(config), Normalisation(*moments, (), ()), device)
    offsets = np.cumsum(LENGTHS) - LENGTHS
    data = SplitRows(rows, torch.from_numpy(offsets), torch.from_numpy(LENGTHS))
    plan = carried_plan(-(-LENGTHS // framing.hop), 3, 5, np.arange(len(LENGTHS))[::-1])
    length = chunk_steps(plan, LENGTHS, framing)
    chunks, values = chunk_table(plan, offsets, LENGTHS, framing, length)
    numbers = np.stack([np.zeros(len(plan)), values / framing.target_size], -1)
    tables = Tables(torch.from_numpy(chunks), torch.from_numpy(numbers).float())
    initial = lambda lanes: (torch.zeros(2, lanes, 4), torch.zeros(1, lanes, 7))
    training = SimpleNamespace(
        data=data, framing=framing, normaliser=normaliser, device=device,
        config=SimpleNamespace(loss=loss), network=SimpleNamespace(initial_state=initial),
    )
    make = lambda: BatchSource(training, Register.on(device), tables, Memory.of(initial(plan.lanes)), length)
    return make(), make(), len(plan)

def compare(ours, theirs, row, skipped):
    found = []
    for source, by_kernel in ((ours, True), (theirs, False)):
        source.register.row.fill_(row)
        source.register.found_inf.fill_(skipped)
        source.state.whole.fill_(torch.nan if skipped else 3.0)
        operations.has_kernels = lambda _, by_kernel=by_kernel: by_kernel
        found.append(source())
    (one, count, state), (other, expected, before) = found
    torch.testing.assert_close((one.inputs, one.targets), (other.inputs, other.targets), rtol=1e-6, atol=1e-6)
    assert torch.equal(count, expected) and float(one.values) == float(other.values)
    assert all(map(torch.equal, state, before))
    for name in ("stored", "mask", "recording"):
        assert torch.equal(getattr(one, name), getattr(other, name)), name
    keep = torch.zeros_like(other.keep) if skipped else other.keep
    assert torch.equal(one.keep, keep)
    if one.bounds:
        assert len(set(other.distance.tolist())) > 1 or row
        assert all(map(torch.equal, one.bounds, other.intervals(ours.training.normaliser)))
    return other.keep

random = np.random.default_rng(1)
samples = random.integers(-32768, 32768, (LENGTHS.sum(), 1), np.int16)
samples[::9], samples[1::9] = -32768, 32767
samples[-31:] &= -256  # the last recording has eight bits
notes = random.integers(0, 2, (LENGTHS.sum(), 88), np.uint8)
waveform = WaveformConfig(sample_rate=8000), Framing(6, 3, 1)
roll = PianoRollConfig(kind="piano-roll"), Framing(2, 1, 88, 1)
inputs = (waveform, "discrete", samples), (waveform, "density", samples), (roll, "density", notes)
for kind, loss, rows in inputs:
    ours, theirs, updates = sources(*kind, loss, torch.from_numpy(rows))
    keeps = [compare(ours, theirs, row, skipped=row == 2) for row in range(updates)]
    assert len({keep.tolist().count(True) for keep in keeps}) > 1
print("equal")
"""


@pytest.mark.slow
def test_batches_and_states_equal_those_of_the_operations() -> None:
    """Whole and partial chunks, fresh and empty lanes, samples and notes, and after a skipped update."""
    run_interpreted(PROGRAM)
