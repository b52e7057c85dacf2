"""The picture of a search has a panel for each setting, also without a finished trial."""

from pathlib import Path

from pipeline.plots.figure import COLOURS
from pipeline.plots.search import Point, plot_search
from tests.pipeline.plots.test_runs import pixels, where

SCALES = {"train.learning_rate": "log", "model.cell": "choices", "model.hidden_size": "linear", "x": "linear"}


def trial(number: int, loss: float, pruned: bool = False) -> Point:
    cell = "gru" if number % 2 else "$lstm$"
    settings = {
        "train.learning_rate": 10.0**-number,
        "model.cell": cell,
        "model.hidden_size": number,
        "x": 0.5,
    }
    return Point(number, settings, loss, pruned)


def test_four_settings_take_two_rows(tmp_path: Path) -> None:
    points = [trial(1, -3.0), trial(2, -4.0), trial(3, -1.0, pruned=True), trial(4, float("inf"))]
    plot_search(tmp_path / "four.png", points, SCALES, "nats per step")
    plot_search(tmp_path / "one.png", points, {"model.cell": "choices"}, "nats per step")
    assert pixels(tmp_path / "four.png").shape[:2] == (900, 1200)
    assert pixels(tmp_path / "one.png").shape[:2] == (480, 1200)


def test_the_best_trial_has_a_colour_of_its_own(tmp_path: Path) -> None:
    scales = {"train.learning_rate": "log"}
    plot_search(tmp_path / "pruned.png", [trial(1, -3.0, pruned=True)], scales, "nats per step")
    plot_search(tmp_path / "best.png", [trial(1, -3.0)], scales, "nats per step")
    plot_search(tmp_path / "none.png", [], scales, "nats per step")
    marked = {
        name: where(pixels(tmp_path / f"{name}.png"), COLOURS[1]).any() for name in ("best", "pruned", "none")
    }
    assert marked == {"best": True, "pruned": False, "none": False}
