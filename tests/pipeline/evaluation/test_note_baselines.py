"""The baselines of notes: entropies that are known, and the published sets' own figures."""

import math
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import UserError
from pipeline.evaluation.note_baselines import frequency_nats, last_frame_nats
from pipeline.music.midi import KEYS, Roll
from pipeline.music.piano_roll import read_sequences

FIRST_PREDICTED = 1  # a sequence's first frame is not scored


def note_baselines(train: list[Roll], test: list[Roll]) -> dict[str, float]:
    return {
        "note frequencies": frequency_nats(train, test),
        "last frame again": last_frame_nats(train, test),
    }


def flipping(steps: int, on: float, off: float, seed: int) -> Roll:
    """One note that goes on with probability ``on`` and off with ``off``; the other 87 are silent."""
    uniform = np.random.default_rng(seed).random(steps)
    roll = np.zeros((steps, KEYS), np.uint8)
    for step in range(1, steps):
        before = roll[step - 1, 50]
        roll[step, 50] = before ^ (uniform[step] < (off if before else on))
    return roll


def entropy(probability: float) -> float:
    return -sum(p * math.log(p) for p in (probability, 1 - probability))


def test_a_note_that_flips_costs_the_entropy_of_its_flips() -> None:
    on, off = 0.02, 0.1
    train, test = [flipping(40_000, on, off, 0)], [flipping(40_000, on, off, 1)]
    found = note_baselines(train, test)
    share = on / (on + off)
    assert found["note frequencies"] == pytest.approx(entropy(share), rel=0.05)
    assert found["last frame again"] == pytest.approx(
        share * entropy(off) + (1 - share) * entropy(on), rel=0.05
    )


def test_what_never_happened_in_training_stays_possible() -> None:
    silent = np.zeros((10, KEYS), np.uint8)
    all_sound = np.ones((10, KEYS), np.uint8)
    found = note_baselines([silent], [all_sound])
    # Nine silent steps and half a step added to each side; what comes after a sounding note is not known.
    assert found["note frequencies"] == pytest.approx(KEYS * math.log(10 / 0.5))
    assert found["last frame again"] == pytest.approx(KEYS * math.log(2))
    assert all(math.isfinite(nats) for nats in note_baselines([], [all_sound]).values())


def test_nats_are_averaged_over_the_steps_of_the_set_without_first_frames() -> None:
    random = np.random.default_rng(0)
    train = [(random.random((200, KEYS)) < 0.1).astype(np.uint8)]
    test = [(random.random((steps, KEYS)) < 0.1).astype(np.uint8) for steps in (1, 2, 30, 7)]
    predicted = np.concatenate([roll[FIRST_PREDICTED:] for roll in test])
    counts = train[0][FIRST_PREDICTED:].sum(0)
    frequency = (counts + 0.5) / (199 + 1)
    nats = -(predicted * np.log(frequency) + (1 - predicted) * np.log(1 - frequency)).sum(1).mean()
    assert note_baselines(train, test)["note frequencies"] == pytest.approx(nats)
    for rolls in ([], [train[0][:1]]):
        for nats_of in (frequency_nats, last_frame_nats):
            with pytest.raises(UserError, match="nothing to predict"):
                nats_of(train, rolls)


@pytest.mark.parametrize(
    ("name", "frequencies", "last_frame"),
    [
        ("JSB_Chorales", 11.0910, 10.4907),
        ("Nottingham", 10.2607, 5.1531),
        ("MuseData", 11.5145, 8.5594),
        ("Piano_midi", 11.0519, 8.2648),
    ],
)
def test_figures_of_the_published_sets(
    name: str, frequencies: float, last_frame: float, shared_data: Path
) -> None:
    sequences = read_sequences(shared_data / "music" / "npz" / f"{name}.npz", 4)
    train, test = ([s.notes for s in sequences if s.split == split] for split in ("train", "test"))
    found = note_baselines(train, test)
    assert found["note frequencies"] == pytest.approx(frequencies, abs=1e-4)
    assert found["last frame again"] == pytest.approx(last_frame, abs=1e-4)
