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


if __name__ == "__main__":
    measured = json.loads((DOCS / "results" / "music-fit.json").read_text())
    fit_without_regularisation(measured["sets"], DOCS / "assets" / "music-fit.png")
