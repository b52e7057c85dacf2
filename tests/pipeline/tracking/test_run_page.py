"""The description, colour and tags of a run are what the MLflow UI reads, and hold no markup of others."""

from typing import Any

import pytest

from pipeline.tracking.run_page import describe, page_tags

DESCRIPTION: dict[str, Any] = {
    "variant": "gru",
    "fingerprint": "0123456789abcdef",
    "config": {
        "name": "demo",
        "model": {"cell": "gru", "hidden_size": 227, "head": "gaussian_mixture"},
        "input": {"kind": "waveform", "sample_rate": 16_000},
        "corpus": {"inputs": ["/home/me/speech"]},
    },
}


def test_figures_stand_in_a_table() -> None:
    status = {"status": "finished", "summary": {"test_bits_per_sample": 9.3612, "best_epoch": 8}}
    assert "| test | bits per sample | 9.361 |" in describe(DESCRIPTION, status)


def test_the_papers_cells_have_colours_of_their_own() -> None:
    colours = {
        page_tags({**DESCRIPTION, "variant": cell}, {})["mlflow.runColor"] for cell in ("tanh", "gru", "lstm")
    }
    assert len(colours) == 3


@pytest.mark.parametrize("name", ["<img src=x onerror=alert(1)>", "[a](javascript:b)", "a | b\n# c"])
def test_names_are_text_and_never_markup(name: str) -> None:
    text = describe({**DESCRIPTION, "variant": name}, {"summary": {f"{name}_bits_per_sample": 1.0}})
    assert "<img" not in text
    assert "](" not in text
    assert "\n# c" not in text


def test_a_changed_checkout_is_noted_beside_the_commit() -> None:
    found = page_tags(DESCRIPTION, {"environment": {"commit": "0123456789ab-dirty"}})
    assert found["mlflow.source.git.commit"] == "0123456789ab"
    assert found["mlflow.source.git.dirty"] == "true"
