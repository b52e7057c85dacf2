"""The tables of an epoch describe the batches that the host's loop makes."""

from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.data.batching import batches, carried_plan, independent_plan
from pipeline.training.gpu.batch import gathered_batch
from pipeline.training.gpu.tables import Tables, chunk_steps, chunk_table, on_host
from tests.helpers.networks.device_updates import training_of


@pytest.mark.parametrize("state", ["carried", "reset"])
@pytest.mark.parametrize("unscored", [0, 7])
def test_every_row_gives_the_batch_of_the_plan(tmp_path: Path, state: str, unscored: int) -> None:
    """Whole and partial chunks, fresh lanes and empty ones."""
    training = training_of(tmp_path)
    framing = type(training.framing)(20, 10, 1, unscored)
    data, normaliser = training.data, training.normaliser
    steps, random = framing.steps(data.length).numpy(), np.random.default_rng(1)
    if state == "carried":
        plan = carried_plan(steps, 4, 150, random.permutation(len(steps)))
    else:
        plan = independent_plan(steps, 4, 150, random)
    offsets, lengths = on_host(data)
    length = chunk_steps(plan, lengths, framing)
    chunks, values = chunk_table(plan, offsets, lengths, framing, length)
    numbers = np.stack([np.zeros(len(plan)), values / framing.target_size], -1)
    tables = Tables(torch.from_numpy(chunks), torch.from_numpy(numbers).float())
    assert (plan.chunks(0, len(plan)).recording < 0).any()
    for row, batch in enumerate(batches(plan, data, framing, normaliser)):
        ours = gathered_batch(tables, torch.tensor([row]), data, framing, normaliser, length)
        count = batch.inputs.shape[1]
        mask = torch.ones_like(batch.targets, dtype=torch.bool) if batch.mask is None else batch.mask
        assert ours.mask is not None
        torch.testing.assert_close(ours.mask[:, :count], mask, rtol=0, atol=0)
        assert not ours.mask[:, count:].any()
        for name in ("inputs", "targets"):
            assert torch.equal(getattr(ours, name)[:, :count], getattr(batch, name))
        assert torch.equal(ours.stored[:, :count][mask], batch.stored[mask])
        assert torch.equal(ours.keep, batch.keep)
        assert torch.equal(ours.recording, batch.recording)
        assert float(ours.values) == pytest.approx(float(batch.values))
