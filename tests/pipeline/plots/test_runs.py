"""The pictures, read back as pixels: what was asked for is where it should be."""

import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.image import imread
from numpy.typing import NDArray

from pipeline.plots.figure import COLOURS, SEAM_COLOUR
from pipeline.plots.runs import (
    FAINT_COLOUR,
    OWN_COLOUR,
    Curve,
    comparison,
    learning_curve,
    plot_recording,
    spectrogram_frames_picture,
)

RATE = 8000
Pixels = NDArray[np.uint8]


def pixels(path: Path) -> Pixels:
    assert path.read_bytes().startswith(b"\x89PNG")
    return (imread(path)[:, :, :3] * 255).round().astype(np.uint8)


def where(picture: Pixels, colour: str) -> NDArray[np.bool_]:
    """Mask (height, width) of the pixels of exactly this colour."""
    mask: NDArray[np.bool_] = (picture == np.round(np.multiply(to_rgb(colour), 255))).all(2)
    return mask


def seam_column(picture: Pixels) -> float:
    """The middle of the columns in which the seam's colour fills most of the height."""
    filled = where(picture, SEAM_COLOUR).sum(0)
    return float(np.flatnonzero(filled > 0.6 * len(picture)).mean())


def draw_recording(path: Path, seam_s: float | None) -> None:
    samples = np.zeros(4 * RATE, np.int16)
    samples[2 * RATE : 2 * RATE + 40] = 30_000
    plot_recording(path, samples, RATE, seam_s, "a click at two seconds")


def draw_frames(path: Path, seam_s: float | None) -> None:
    frames = np.full((400, 40), -8.0)
    frames[200] = 0
    spectrogram_frames_picture(path, frames, 100, seam_s, "a loud frame at two seconds")


@pytest.mark.thinned(9)
@pytest.mark.parametrize(("draw", "height"), [(draw_recording, 680), (draw_frames, 480)])
def test_the_seam_is_drawn_at_its_time(
    draw: Callable[[Path, float | None], None], height: int, tmp_path: Path
) -> None:
    columns = []
    for seam_s in (1.0, 2.0, 3.0):
        draw(tmp_path / "seam.png", seam_s)
        columns.append(seam_column(pixels(tmp_path / "seam.png")))
    assert columns[1] - columns[0] == pytest.approx(columns[2] - columns[1], abs=1.5)
    assert columns[1] - columns[0] > 200
    draw(tmp_path / "without.png", None)
    picture = pixels(tmp_path / "without.png")
    assert picture.shape == (height, 1200, 3)
    assert not where(picture, SEAM_COLOUR).any()
    # The sound at two seconds is the brightest column of what lies between the other two seams.
    between = picture[height // 2, int(columns[0]) : int(columns[2])].sum(1, dtype=int)
    assert int(columns[0]) + np.flatnonzero(between == between.max()).mean() == pytest.approx(
        columns[1], abs=4
    )


@pytest.mark.thinned(3)
@pytest.mark.parametrize("count", [1, 5, 300, 100_000])
@pytest.mark.filterwarnings("error")
def test_every_length_and_silence_can_be_drawn(count: int, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).uniform(-0.1, 0.1, count)
    plot_recording(tmp_path / "noise.png", noise, RATE, None, "sound")
    plot_recording(tmp_path / "silence.png", np.zeros(count, np.int16), RATE, None, "sound")
    assert (pixels(tmp_path / "noise.png") != pixels(tmp_path / "silence.png")).any()


def width(picture: Pixels, colour: str) -> int:
    """Columns from the first to the last that has this colour."""
    columns = np.flatnonzero(where(picture, colour).any(0))
    return int(columns[-1] - columns[0])


def decaying(final: float, seconds_per_step: float) -> Curve:
    steps = np.arange(10, 1000, 10)
    losses = final + np.exp(-steps / 200)
    valid = slice(None, None, 10)
    elapsed_s = steps * seconds_per_step
    return Curve(steps, losses, elapsed_s, steps[valid], losses[valid] + 0.1, elapsed_s[valid])  # type: ignore[arg-type]


@pytest.mark.filterwarnings("error")
def test_every_model_is_drawn_against_steps_and_against_seconds(tmp_path: Path) -> None:
    learning_curve(tmp_path / "a.png", {"GRU": decaying(3, 0.1), "LSTM": decaying(4, 0.04)}, "nats per step")
    picture = pixels(tmp_path / "a.png")
    assert picture.shape == (520, 1200, 3)
    by_step, by_time = picture[:, :485], picture[:, 495:920]  # the legend is to their right
    gru, lstm = COLOURS[:2]
    assert width(by_step, lstm) == pytest.approx(width(by_step, gru), abs=2)
    assert width(by_time, lstm) / width(by_time, gru) == pytest.approx(0.4, rel=0.05)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("final", [-3.0, 0.0, 8.6, 100.0])
def test_losses_of_any_sign_and_gaps_in_them_can_be_drawn(final: float, tmp_path: Path) -> None:
    curve = decaying(final, 40)
    broken = Curve(curve.steps, [float("nan"), float("inf"), *curve.train[2:]], curve.elapsed_s)
    learning_curve(tmp_path / "c.png", {"whole": curve, "cost in $ and $": broken}, "nats")
    assert where(pixels(tmp_path / "c.png"), COLOURS[0]).sum() > 500


@pytest.mark.filterwarnings("error")
def test_a_training_that_has_just_begun_can_be_drawn(tmp_path: Path) -> None:
    learning_curve(tmp_path / "c.png", {"one": Curve([1], [2.0], [0.1]), "none": Curve([], [], [])}, "nats")
    assert pixels(tmp_path / "c.png").shape == (520, 1200, 3)


def bars_of(picture: Pixels) -> list[tuple[str, int, int]]:
    """Colour, first and last column of each bar, from the top."""
    found = []
    for colour in (COLOURS[0], OWN_COLOUR, FAINT_COLOUR):
        mask = where(picture, colour)
        edges = np.flatnonzero(np.diff(np.pad((mask.sum(1) > 20).astype(int), 1)))
        for top, bottom in edges.reshape(-1, 2):
            columns = np.flatnonzero(mask[(top + bottom) // 2])
            found.append((int(top), colour, int(columns[0]), int(columns[-1])))
    return [(colour, first, last) for _, colour, first, last in sorted(found)]


ROWS = [("FLAC", 9.85), ("weaker", 10.5), ("uniform", 16.0), ("better", 9.9)]


@pytest.mark.parametrize(
    ("direction", "expected"),
    [("lower", [9.85, 9.9, 10.5, 16.0]), ("higher", [16.0, 10.5, 9.9, 9.85])],
)
def test_bars_are_sorted_and_their_ends_lie_on_one_scale(
    direction: str, expected: list[float], tmp_path: Path
) -> None:
    comparison(tmp_path / "bars.png", ROWS, "bits", ["weaker", "better"], direction)
    picture = pixels(tmp_path / "bars.png")
    assert picture.shape == (120 + 4 * 44, 1200, 3)
    bars = bars_of(picture)
    assert len({first for _, first, _ in bars}) == 1
    ends = [last for _, _, last in bars]
    scale = np.polyfit(expected, ends, 1)
    assert np.polyval(scale, expected) == pytest.approx(ends, abs=2)
    assert scale[0] > 100  # columns for a bit: a tenth of a bit shows


def test_the_best_model_stands_out_not_the_best_baseline(tmp_path: Path) -> None:
    comparison(tmp_path / "bars.png", ROWS, "bits", ["weaker", "better"])
    colours = [colour for colour, _, _ in bars_of(pixels(tmp_path / "bars.png"))]
    assert colours == [FAINT_COLOUR, COLOURS[0], OWN_COLOUR, FAINT_COLOUR]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("values", [[3.0], [0.0, 0.0], [-5.0, -5.1]])
def test_bars_of_equal_and_of_negative_values_can_be_drawn(values: list[float], tmp_path: Path) -> None:
    comparison(tmp_path / "bars.png", [(f"{i}", x) for i, x in enumerate(values)], "nats per step")
    assert where(pixels(tmp_path / "bars.png"), COLOURS[0]).sum() > 500


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "values", [[9.0, math.inf, 10.0], [math.nan, 9.0, 10.0], [math.inf, math.nan, math.nan]]
)
def test_a_diverged_model_has_no_bar_and_hides_no_other(values: list[float], tmp_path: Path) -> None:
    comparison(tmp_path / "bars.png", [(f"{i}", x) for i, x in enumerate(values)], "bits per sample")
    assert len(bars_of(pixels(tmp_path / "bars.png"))) == sum(map(math.isfinite, values))


def test_importing_plots_imports_no_drawing_library() -> None:
    program = "import pipeline.plots.runs, sys; print({'matplotlib', 'librosa', 'torch'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
