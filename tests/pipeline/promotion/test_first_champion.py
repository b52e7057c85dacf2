"""A model that has no champion to beat must be finite, and of more use than the stored recordings."""

import html
import math
from pathlib import Path

import numpy as np
import pytest

from pipeline.config.run import RunConfig
from pipeline.promotion.by_hand import promote_by_hand
from pipeline.promotion.decision import Scored, Verdict
from pipeline.promotion.first_champion import first, first_by_validation
from pipeline.promotion.gate import promote
from pipeline.promotion.history import History
from pipeline.registry.registration import champion
from pipeline.tracking.mlflow_client import connect
from pipeline.tracking.store import store_uri
from tests.helpers.contests import contend, contest_config, made, write_voices

FRAMES = (
    "input={kind: spectrogram, sample_rate: 8000, window_length: 200, hop_length: 80, n_fft: 256, n_mels: 8}"
)
DIVERGED = 1e5
"""A factor that is too wide by 16.6 bits."""


def scored(bits: float, groups: int = 3) -> list[Scored]:
    """Figures whose mean over the groups is ``bits``, and an empty recording."""
    spread = np.linspace(-1, 1, groups)
    found = [Scored(f"speaker-{i}", 10.0, (bits + spread[i]) * 1_000, 1_000) for i in range(groups)]
    return [*found, Scored("speaker-0", 0.0, 0.0, 0)]


@pytest.mark.parametrize(
    ("bits", "verdict"),
    [
        (5.0, "first"),
        (15.9999, "first"),
        (16.001, "above-stored"),
        (2e29, "above-stored"),
        (-math.inf, "not-finite"),
        (math.inf, "not-finite"),
        (math.nan, "not-finite"),
    ],
)
def test_the_first_champion_needs_at_most_the_stored_bits(bits: float, verdict: Verdict) -> None:
    found = first(scored(bits), "sample", "it is the first", 16.0)
    assert (found.verdict, found.promotes) == (verdict, verdict == "first")
    assert (found.groups, found.recordings, found.minutes) == (3, 3, 0.5)
    assert found.bits is None or found.bits == pytest.approx(bits)
    assert "over 3 held-out group(s), 0.5 min" in found.why
    by_validation = first_by_validation(bits, "sample", "it is the first", 16.0)
    assert by_validation.verdict == verdict


def test_a_diverged_model_is_named_with_both_figures() -> None:
    found = first(scored(2e29), "sample", "it is the first", 16.0)
    assert "needs 2.00e+29 bits per sample, more than the 16 in which" in found.why


def test_a_model_without_any_figure_becomes_the_first_champion() -> None:
    """A head may give no code length, and nothing speaks against it."""
    assert first_by_validation(None, "frame", "it is the first", math.inf).promotes


@pytest.fixture
def config(local_store: Path, tmp_path: Path) -> RunConfig:
    return contest_config(write_voices(tmp_path / "voices", seconds=0.1))


def test_a_diverged_model_is_no_champion_and_leaves_the_place_to_a_better_one(
    config: RunConfig, own_data_dir: Path
) -> None:
    refused = contend(config, DIVERGED)
    assert (refused["promoted"], refused["verdict"], refused["champion"]) == (False, "above-stored", None)
    assert champion("wavecast") is None
    assert not list((own_data_dir / "promotion" / "wavecast").glob("held-out-*"))
    (event,) = History("wavecast").events()
    assert (event.action, event.version, event.champion, event.why) == ("kept", 1, None, refused["why"])
    note = connect(store_uri()).get_model_version("wavecast", "1")
    assert note.tags["wavecast.promotion.outcome"] == "kept"
    assert refused["why"] in html.unescape(note.description)

    again = contend(config, DIVERGED)
    assert (again["promoted"], again["new"], again["decided"]) == (False, False, event.when)
    better = contend(config, 2)
    assert (better["promoted"], better["version"], better["verdict"]) == (True, 2, "first")
    assert better["why"].startswith("it is the first: ")
    assert list((own_data_dir / "promotion" / "wavecast").glob("held-out-*"))
    beaten = contend(config, DIVERGED)
    assert (beaten["new"], beaten["verdict"], beaten["champion"]) == (True, "worse", 2)


@pytest.mark.slow
def test_the_best_variant_that_did_not_diverge_is_the_first_champion(config: RunConfig) -> None:
    train = config.train
    runs = [
        made(config.model_copy(update={"train": train.model_copy(update={"seed": seed})}), scale)
        for seed, scale in ((1, DIVERGED), (2, 4), (3, 2))
    ]
    result = promote(runs, config)
    assert (result["promoted"], result["version"], result["verdict"]) == (True, 3, "first")
    assert "more than the 16" in result["figures"]["others"]["1"]
    assert (
        connect(store_uri()).get_model_version("wavecast", "1").tags["wavecast.promotion.outcome"] == "kept"
    )


@pytest.mark.slow
def test_frames_are_measured_by_the_range_of_the_training_split(config: RunConfig, tmp_path: Path) -> None:
    frames = contest_config(tmp_path / "voices", FRAMES)
    refused = contend(frames, DIVERGED)
    assert (refused["promoted"], refused["verdict"]) == (False, "above-stored"), refused["why"]
    assert "bits per frame" in refused["why"]
    assert contend(frames, 1)["promoted"]


def test_a_diverged_model_may_be_chosen_by_hand_against_the_figures(config: RunConfig) -> None:
    contend(config, DIVERGED)
    chosen = promote_by_hand("wavecast", 1)
    assert (chosen.before, chosen.decision and chosen.decision.verdict) == (None, "above-stored")
    held = champion("wavecast")
    assert held is not None
    assert held["version"] == 1
