"""The picture of a piano roll, read back as pixels: notes are where their time and pitch say."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.image import imread
from numpy.typing import NDArray

from pipeline.music.midi import KEYS, Roll
from pipeline.plots.figure import SEAM_COLOUR
from pipeline.plots.piano_roll import ADDED_COLOUR, HEARD_COLOUR, pitch_name, plot_piano_roll

Pixels = NDArray[np.uint8]


def drawn(path: Path, roll: Roll, seam_s: float | None, step_rate_hz: float = 4.0) -> Pixels:
    plot_piano_roll(path, roll, step_rate_hz, seam_s, "notes for $5 and $6")
    assert path.read_bytes().startswith(b"\x89PNG")
    return (imread(path)[:, :, :3] * 255).round().astype(np.uint8)


def where(picture: Pixels, colour: str) -> NDArray[np.bool_]:
    """Mask (height, width) of the pixels of exactly this colour."""
    mask: NDArray[np.bool_] = (picture == np.round(np.multiply(to_rgb(colour), 255))).all(2)
    return mask


def middle(mask: NDArray[np.bool_]) -> tuple[float, float]:
    """Row and column in the middle of what is true."""
    rows, columns = np.nonzero(mask)
    return float(rows.mean()), float(columns.mean())


def one_note(key: int, first: int, end: int, steps: int = 40) -> Roll:
    """A note, and short ones at both ends of the picture's range so that the axes stay the same."""
    roll = np.zeros((steps, KEYS), np.uint8)
    roll[-1, [20, 60]] = 1
    roll[first:end, key] = 1
    return roll


@pytest.mark.slow
@pytest.mark.filterwarnings("error")
def test_a_note_is_drawn_at_its_time_and_pitch(tmp_path: Path) -> None:
    places, widths = [], []
    for key, first, end in ((30, 4, 8), (30, 24, 28), (40, 4, 8), (50, 4, 16)):
        # The seam leaves the short notes at the end in another colour.
        mask = where(drawn(tmp_path / "roll.png", one_note(key, first, end), 9.5), HEARD_COLOUR)
        places.append(middle(mask))
        columns = np.flatnonzero(mask.any(0))
        widths.append(int(columns[-1] - columns[0] + 1))
    early, late, higher, highest = places
    assert early[0] == pytest.approx(late[0], abs=0.5)
    assert early[1] == pytest.approx(higher[1], abs=0.5)
    assert early[0] - higher[0] == pytest.approx(higher[0] - highest[0], abs=1)
    assert early[0] - higher[0] > 50
    # Twenty steps apart, and four or twelve steps long.
    step_px = (late[1] - early[1]) / 20
    assert widths[0] == pytest.approx(4 * step_px, abs=2)
    assert widths[3] == pytest.approx(12 * step_px, abs=2)


@pytest.mark.filterwarnings("error")
def test_the_seam_separates_context_and_continuation(tmp_path: Path) -> None:
    roll = np.zeros((40, KEYS), np.uint8)
    roll[:, 30] = 1
    picture = drawn(tmp_path / "roll.png", roll, 5.0)
    assert picture.shape == (560, 1200, 3)
    seam = np.flatnonzero(where(picture, SEAM_COLOUR).sum(0) > 0.6 * len(picture)).mean()
    context, added = (np.flatnonzero(where(picture, c).any(0)) for c in (HEARD_COLOUR, ADDED_COLOUR))
    assert context[-1] < seam < added[0]
    assert len(context) == pytest.approx(len(added), abs=4)  # twenty steps of forty at four a second
    without = drawn(tmp_path / "without.png", roll, None)
    assert not where(without, SEAM_COLOUR).any()
    assert not where(without, ADDED_COLOUR).any()


@pytest.mark.thinned(4)
@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("steps", [0, 1, 2, 5_000])
@pytest.mark.parametrize("density", [0.0, 0.05, 1.0])
def test_every_length_and_density_can_be_drawn(steps: int, density: float, tmp_path: Path) -> None:
    roll = (np.random.default_rng(0).random((steps, KEYS)) < density).astype(np.uint8)
    picture = drawn(tmp_path / "roll.png", roll, None)
    assert where(picture, HEARD_COLOUR).any() == bool(roll.any())


def test_pitches_have_their_usual_names() -> None:
    assert [pitch_name(pitch) for pitch in (21, 60, 69, 70, 108)] == ["A0", "C4", "A4", "A♯4", "C8"]


def test_importing_it_imports_no_drawing_library() -> None:
    heavy = {"matplotlib", "mido", "scipy", "torch"}
    program = f"import pipeline.plots.piano_roll, sys; print({heavy!r} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
