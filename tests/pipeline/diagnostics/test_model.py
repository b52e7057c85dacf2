"""Findings on trained models and on training runs."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from filelock import FileLock

from pipeline.config.inputs import PianoRollConfig, SpectrogramConfig
from pipeline.diagnostics.diagnose import diagnose
from pipeline.diagnostics.model import beside_baselines
from pipeline.model.storage import save_model
from pipeline.tracking.run_folder import RunFolder
from tests.helpers.builders import noise, tiny_model, write_sound
from tests.helpers.diagnostics import examined, found, model_folder, only
from tests.helpers.tracked_runs import add_model, new_run

VALID, TRAIN = "valid/nats_per_step", "train/nats_per_step"


# Models


def test_a_model_is_run_on_named_sounds(tmp_path: Path) -> None:
    sound = write_sound(tmp_path / "a.wav", noise(16_000, std=1600))
    context, one = diagnose([str(sound)], str(model_folder(tmp_path / "model")))
    assert context.kind == "recording"
    trial = one.figures["trial"]
    assert trial["unit"] == "bits per sample"
    assert trial["baselines"]["uniform"] == 16.0
    assert 11 < trial["own"] < 20  # untrained, on noise of 12.7 bits
    assert found(one, "baselines") == "warning"
    assert (trial["components"], trial["units"]) == (3, 12)


def test_a_code_that_adapts_to_each_recording_is_no_reproach() -> None:
    baselines = {"uniform": 16.0, "FLAC": 8.0, "adaptive predictor": 7.0}
    (finding,) = beside_baselines(7.5, baselines, "bits per sample", "Here")
    assert finding.severity == "fine"
    (finding,) = beside_baselines(17.0, baselines, "bits per sample", "Here")
    assert finding.severity == "problem"
    assert "Uniform is better" in finding.advice


def test_a_model_of_each_kind_and_without_sounds_is_examined(tmp_path: Path) -> None:
    kinds: dict[str, dict[str, Any]] = {
        "frames": {"input": SpectrogramConfig(kind="spectrogram", sample_rate=8000, n_mels=20)},
        "notes": {"input": PianoRollConfig(kind="piano-roll"), "head": "bernoulli"},
        "predictor": {"covariance": "autoregressive", "autoregressive_order": 4},
        "blocks": {"architecture": "encoder-decoder", "decode_steps": 3},
    }
    sound = write_sound(tmp_path / "a.wav", noise(16_000))
    for name, settings in kinds.items():
        folder = model_folder(tmp_path / name, **settings)
        assert not examined(folder).has_problem
        if name != "notes":
            *_, one = diagnose([str(sound)], str(folder))
            assert np.isfinite(one.figures["trial"]["own"]), name


def test_what_can_be_wrong_with_a_model(tmp_path: Path) -> None:
    model = tiny_model()
    weights = dict(model.network.state_dict())
    name = next(iter(weights))
    weights[name] = torch.full_like(weights[name], torch.nan)
    save_model(tmp_path / "bad", weights, model.input, model.model, model.normalisation, {"updates": 3})
    one = examined(tmp_path / "bad")
    assert found(one, "unreadable") == "problem"
    assert "not finite" in one.findings[0].what


def test_scales_at_their_floor_and_idle_parts_are_found(tmp_path: Path) -> None:
    model = tiny_model()
    head: Any = model.network.head
    recurrent: Any = model.network.recurrent
    with torch.no_grad():
        _, _, raw = head.projection.bias.split(head.sizes)
        head.projection.weight.zero_()
        raw.fill_(-30.0)
        head.projection.bias[: head.components] = torch.tensor([50.0, 0.0, 0.0])
        for weight in recurrent.parameters():
            weight.zero_()
    weights = model.network.state_dict()
    save_model(tmp_path / "m", weights, model.input, model.model, model.normalisation, {"updates": 999})
    *_, one = diagnose([str(write_sound(tmp_path / "a.wav", noise(8000)))], str(tmp_path / "m"))
    for name in ("scale-floor", "components", "dead-units", "untrained"):
        assert found(one, name) == "warning", name


@pytest.mark.parametrize("damage", ["config.json", "model.safetensors"])
@pytest.mark.parametrize("content", [b"", b"{}", b"\0" * 100, None])
def test_a_damaged_model_is_a_finding(damage: str, content: bytes | None, tmp_path: Path) -> None:
    folder = model_folder(tmp_path / "model")
    if content is None:
        (folder / damage).unlink()
    else:
        (folder / damage).write_bytes(content)
    assert any(one.has_problem for one in diagnose([], str(folder)))
    assert all(one.findings for one in diagnose([str(folder)]))


def test_a_model_that_is_not_there(tmp_path: Path) -> None:
    for name in ("models:/none@champion", "runs:/abc/model", str(tmp_path / "none"), "models:/???"):
        one = only(list(diagnose([], name)))
        assert one.has_problem


# Runs


def curves(run: RunFolder, valid: list[float], train: list[float]) -> RunFolder:
    for index, (below, above) in enumerate(zip(train, valid, strict=True), 3):
        run.append(20 * index, {TRAIN: below})
        run.append(20 * index, {VALID: above})
    return run


def test_a_run_that_died_failed_lives_or_is_finished() -> None:
    run = new_run("state")
    assert found(examined(run.path), "stopped") == "warning"
    with FileLock(run.path / ".training.lock"):
        assert found(examined(run.path), "running") == "fine"
    assert found(examined(run.path), "stopped") == "warning"
    run.set_status("failed", reason="the loss stays non-finite")
    assert "non-finite" in next(f.what for f in examined(run.path).findings if f.name == "failed")
    add_model(run)
    assert found(examined(run.path), "finished") == "fine"
    shutil.rmtree(run.model)
    assert found(examined(run.path), "model") == "problem"


@pytest.mark.parametrize(
    ("valid", "train", "name"),
    [
        ([5.0, 5.0, 5.01, 5.0], [5.0, 5.0, 5.0, 5.0], "no-progress"),
        ([5.0, 4.0, 4.5, 5.0], [5.0, 3.5, 2.5, 1.5], "overfitting"),
        ([5.0, 4.0, 3.5, 3.3], [5.0, 4.0, 3.4, 3.2], ""),
    ],
)
def test_learning_is_read_from_the_curves(valid: list[float], train: list[float], name: str) -> None:
    one = examined(curves(new_run("curves"), valid, train).path)
    assert {"no-progress", "overfitting"} & {f.name for f in one.findings} == ({name} if name else set())


def test_skipped_updates_a_bad_journal_and_a_broken_checkpoint() -> None:
    run = new_run("skips")
    run.append(60, {TRAIN: 1.0, "train/skipped_updates": 6.0})
    with run.journal.open("a") as journal:
        journal.write("not json\n")
    run.last_checkpoint.write_bytes(b"PK")
    one = examined(run.path)
    assert (found(one, "skipped"), found(one, "journal")) == ("problem", "warning")
    assert found(one, "checkpoint") == "problem"
    assert found(one, "data") == "problem"  # the data set of such a run never was


def test_a_run_that_waits_to_be_sent() -> None:
    run = new_run("unsent")
    (run.path / "tracking.json").write_text('{"pending": true}')
    assert found(examined(run.path), "unsent") == "warning"


@pytest.mark.parametrize("name", ["run.json", "status.json", "journal.jsonl", "tracking.json"])
@pytest.mark.parametrize("content", ["", "[]", "{}", "\0"])
def test_a_damaged_run_is_reported_without_an_exception(name: str, content: str) -> None:
    run = new_run("damaged")
    (run.path / name).write_text(content)
    assert examined(run.path).findings
