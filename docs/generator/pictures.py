"""Pictures of the pages on results, drawn from the measurements in `docs/results/*.json`.

`python docs/generator/pictures.py` writes them to `docs/assets`.
"""

import json
from pathlib import Path
from typing import Any

from pipeline.benchmarks.study.verdicts import TITLES
from pipeline.plots.figure import COLOURS, new_figure, write_figure

DOCS = Path(__file__).resolve().parents[1]


def fit_without_regularisation(sets: dict[str, Any], path: Path) -> None:
    """Draw the validation loss against the training loss of trainings that go on after the best epoch.

    Args:
        sets: by name of the set, `train` and `valid` with the loss of each epoch in nats per step, and
            `published` with the training and the test loss of the study.
        path: the PNG file.
    """
    figure = new_figure(900)
    panels = figure.subplots(2, 2).flat
    for panel, (name, found) in zip(panels, sets.items(), strict=True):
        panel.plot(found["train"], found["valid"], ".-", color=COLOURS[0], label="epochs of one training")
        panel.plot(*found["published"], "x", color=COLOURS[1], markersize=10, mew=3, label="published (test)")
        published_train, published_test = found["published"]
        most = max(published_test, min(found["valid"]) * 1.35)
        panel.set_ylim(0.95 * min(published_test, *found["valid"]), 1.05 * most)
        panel.set_xlim(0.95 * min(published_train, *found["train"]), 1.25 * published_train + 2)
        panel.set_title(TITLES.get(name, name))
        panel.set_xlabel("training, nats per step")
        panel.set_ylabel("validation, nats per step")
        panel.legend()
    write_figure(figure, path)


def bits_of_the_adaptive_head(by_time: list[list[float]], by_size: list[list[float]], path: Path) -> None:
    """Draw what a network on adaptive predictions gains, by its time of training and by its parameters.

    Args:
        by_time: minutes of training, and bits per sample of the validation split.
        by_size: parameters, passes and bits per sample of the validation split.
        path: the PNG file.
    """
    figure = new_figure(900)
    left, right = figure.subplots(1, 2, sharey=True)
    left.plot(*zip(*by_time, strict=True), "o-", color=COLOURS[0])
    left.set_xlabel("minutes of training, 128 units")
    left.set_ylabel("validation, bits per sample")
    for passes, colour in zip(sorted({row[1] for row in by_size}), COLOURS, strict=False):
        points = [(parameters, bits) for parameters, its, bits in by_size if its == passes]
        right.plot(*zip(*points, strict=True), "o-", color=colour, label=f"{passes:.0f} passes")
    right.set_xscale("log")
    right.set_xlabel("parameters")
    right.legend()
    write_figure(figure, path)


def measured(name: str) -> dict[str, Any]:
    """Return a file of `docs/results`."""
    found: dict[str, Any] = json.loads((DOCS / "results" / f"{name}.json").read_text())
    return found


if __name__ == "__main__":
    fit_without_regularisation(measured("music-fit")["sets"], DOCS / "assets" / "music-fit.png")
    head, sizes = measured("adaptive-head"), measured("adaptive-sizes")
    passes = [(float(count), bits) for count, bits in head["tables"]["passes"]["rows"]]
    minutes = head["seconds_of_training"] / 60 / passes[-1][0]
    bits_of_the_adaptive_head(
        [[count * minutes, bits] for count, bits in passes],
        [[row[1], float(row[2]), row[3]] for row in sizes["tables"]["sizes"]["rows"]],
        DOCS / "assets" / "adaptive-head.png",
    )
