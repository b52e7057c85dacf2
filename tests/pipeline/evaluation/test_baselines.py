"""Baselines against what mathematics says of known processes."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.signal import lfilter

from pipeline.audio.linear_prediction import (
    SMALLEST_RESIDUAL_STD,
    LinearPredictor,
    fit_linear_predictor,
    fit_scale_mixture,
)
from pipeline.common.files import read_json, write_json
from pipeline.config.inputs import SpectrogramConfig
from pipeline.data.dataset import Dataset
from pipeline.errors import UserError
from pipeline.evaluation.baseline import Baseline, Comparison, Figures
from pipeline.evaluation.baselines import BASELINES, baselines
from pipeline.evaluation.frame_baselines import are_frames
from pipeline.evaluation.waveform_baselines import adaptive_bits, are_samples, flac_bits_per_sample
from tests.helpers.builders import dataset_of, noise, tone

FRAMES = SpectrogramConfig(kind="spectrogram", n_mels=8, dtype="float32")
GAUSSIAN_NATS = 0.5 * math.log(2 * math.pi * math.e)
"""Entropy of a Gaussian of standard deviation 1."""

COEFFICIENTS = [1.6, -0.81]
INNOVATION_STD = 300.0
ENTROPY_RATE_BITS = math.log2(INNOVATION_STD) + GAUSSIAN_NATS / math.log(2)


def autoregressive(count: int, seed: int) -> NDArray[np.int16]:
    """x[t] = 1.6 x[t-1] - 0.81 x[t-2] + Gaussian innovation, in integers: rounding is a trifle."""
    innovation = INNOVATION_STD * np.random.default_rng(seed).standard_normal(count)
    return np.asarray(lfilter([1.0], [1.0, *(-np.array(COEFFICIENTS))], innovation)).round().astype(np.int16)


def frames(count: int, seed: int) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(-3, 0.7, (count, 8)).astype(np.float32)


def linear(table: dict[str, Figures]) -> Figures:
    (found,) = (baseline for name, baseline in table.items() if name.startswith("linear predictor"))
    return found


# Linear prediction


def test_the_linear_predictor_finds_the_coefficients_of_an_autoregression() -> None:
    fitted = fit_linear_predictor([autoregressive(60_000, 0), autoregressive(40_000, 1)], 2)
    np.testing.assert_allclose(fitted.coefficients, COEFFICIENTS, rtol=0, atol=0.01)
    more = fit_linear_predictor([autoregressive(100_000, 0)], 6)
    np.testing.assert_allclose(more.coefficients, [*COEFFICIENTS, 0, 0, 0, 0], rtol=0, atol=0.02)


def test_its_code_length_approaches_the_entropy_rate(tmp_path: Path) -> None:
    dataset = dataset_of(
        tmp_path, {"train": [autoregressive(60_000, 0)], "test": [autoregressive(60_000, 1)]}
    )
    found = linear(baselines(dataset, "test", 2))
    assert found.bits is not None
    assert found.nats is not None
    assert found.bits == pytest.approx(ENTROPY_RATE_BITS, rel=0.02)
    assert found.bits > ENTROPY_RATE_BITS - 0.03  # no code is shorter, but for what the sample happens to be
    step = 1 / 32_768 / dataset.normalisation.std[0]
    assert (found.nats - math.log(step)) / math.log(2) == pytest.approx(found.bits, abs=0.01)


def test_each_prediction_is_from_the_samples_before_it() -> None:
    samples = noise(50)
    predictor = LinearPredictor(np.array([0.5, -0.25, 0.125]), np.ones(1), np.ones(1))
    for t, predicted in enumerate(predictor.predict(samples)):
        context = [float(samples[t - k]) if t >= k else 0.0 for k in (1, 2, 3)]
        assert predicted == pytest.approx(float(np.dot(predictor.coefficients, context)))


def test_the_scale_mixture_describes_loud_and_quiet_as_well_as_the_truth() -> None:
    random = np.random.default_rng(0)
    true_std = np.where(random.random(40_000) < 0.7, 5.0, 400.0)
    residual = true_std * random.standard_normal(40_000)
    weight, std = fit_scale_mixture(residual, 8)

    def nats(weights: NDArray[np.float64], stds: NDArray[np.float64]) -> float:
        density = weights * np.exp(-0.5 * (residual[:, None] / stds) ** 2) / stds / math.sqrt(2 * math.pi)
        return float(-np.log(density.sum(1)).mean())

    assert weight.sum() == pytest.approx(1)
    assert nats(weight, std) < nats(np.array([0.7, 0.3]), np.array([5.0, 400.0])) + 0.01
    assert nats(weight, std) < nats(np.ones(1), residual.std(keepdims=True)) - 0.5


@pytest.mark.parametrize(
    "samples",
    [
        np.zeros(2_000, np.int16),
        np.full(2_000, 12_345, np.int16),
        np.full(2_000, -32_768, np.int16),
        (np.arange(4_000) // 20 % 2 * 65_535 - 32_768).astype(np.int16),
        np.ones(1, np.int16),
        tone(20),
    ],
    ids=["silence", "constant", "lowest", "square wave", "one sample", "shorter than the order"],
)
def test_degenerate_sound_has_finite_baselines(samples: NDArray[np.int16], tmp_path: Path) -> None:
    fitted = fit_linear_predictor([samples], 32)
    assert np.isfinite(fitted.coefficients).all()
    assert (fitted.residual_std >= SMALLEST_RESIDUAL_STD).all()
    table = baselines(dataset_of(tmp_path, {"train": [samples], "test": [samples, noise(64)]}), "test", 32)
    for name, found in table.items():
        assert found.bits is not None, name
        assert math.isfinite(found.bits), name
        assert found.bits >= 0, name


def test_digital_silence_costs_nearly_nothing(tmp_path: Path) -> None:
    silence = np.zeros(5_000, np.int16)
    dataset = dataset_of(tmp_path, {"train": [silence], "test": [silence]})
    bits = linear(baselines(dataset, "test", 32)).bits
    assert bits is not None
    assert bits < 1e-5


# The others


def test_a_uniform_code_has_16_bits_and_the_density_to_match(tmp_path: Path) -> None:
    dataset = dataset_of(tmp_path, {"train": [noise(2_000)], "test": [noise(2_000, 1)]})
    uniform = baselines(dataset, "test", 2)["uniform"]
    assert uniform.bits == 16
    step = 1 / 32_768 / dataset.normalisation.std[0]
    assert uniform.nats == pytest.approx(16 * math.log(2) + math.log(step))


@pytest.mark.parametrize("test_std", [1_000.0, 3_000.0])
def test_the_fixed_gaussian_is_the_training_splits(test_std: float, tmp_path: Path) -> None:
    """Its code length is the cross-entropy of both Gaussians; where they are the same, the entropy."""
    dataset = dataset_of(
        tmp_path, {"train": [noise(50_000, 0, 1_000.0)], "test": [noise(50_000, 1, test_std), noise(7)]}
    )
    found = baselines(dataset, "test", 2)["fixed Gaussian"]
    ratio = (test_std / 1_000) ** 2
    nats = 0.5 * math.log(2 * math.pi) + 0.5 * ratio
    assert found.nats == pytest.approx(nats, rel=0.02)
    assert found.bits == pytest.approx(math.log2(1_000) + nats / math.log(2), rel=0.01)


def test_flac_is_what_soundfile_writes(tmp_path: Path) -> None:
    import soundfile

    recordings = [tone(9_000, 1), tone(40_001, 2), noise(7, 3)]
    dataset = dataset_of(tmp_path, {"train": [tone(100)], "test": recordings})
    joined = np.concatenate(recordings)
    path = tmp_path / "joined.flac"
    soundfile.write(path, joined, 8_000, subtype="PCM_16", compression_level=1.0)
    expected = 8 * path.stat().st_size / len(joined)
    assert baselines(dataset, "test", 2)["FLAC"].bits == pytest.approx(expected)
    soundfile.write(path, joined, 8_000, subtype="PCM_16", compression_level=0.0)
    assert expected <= 8 * path.stat().st_size / len(joined)


@pytest.mark.parametrize("sample_rate", [2_000, 11_025, 70_001, 384_000])
def test_flac_takes_every_sample_rate_that_a_configuration_does(sample_rate: int) -> None:
    assert 0 < flac_bits_per_sample([tone(5_000)], sample_rate) < 16


def test_the_adaptive_predictor_starts_anew_in_each_recording(tmp_path: Path) -> None:
    """It needs no training split like the recordings, and comes near their entropy within 100 samples."""
    recordings = [autoregressive(9_000, 1), autoregressive(6_000, 2)]
    dataset = dataset_of(tmp_path, {"train": [tone(100)], "test": recordings})
    found = baselines(dataset, "test", 2)["adaptive predictor"]
    assert found.nats is None
    assert found.bits == pytest.approx(sum(map(adaptive_bits, recordings)) / 15_000, rel=1e-12)
    assert ENTROPY_RATE_BITS < found.bits < ENTROPY_RATE_BITS + 0.25


def test_unused_low_bits_cost_no_baseline_anything(tmp_path: Path) -> None:
    """Where all is wide beside 16 steps, four bits less a sample; FLAC leaves them out by itself."""
    test = [noise(4_000, seed, 3_000.0) for seed in (1, 2)]
    found = []
    for name, recordings in (("all", test), ("some", [test[0], test[1] & -16])):
        data = dataset_of(tmp_path / name, {"train": [noise(9_000, 0, 3_000.0)], "test": recordings})
        found.append({key: line.bits or 0.0 for key, line in baselines(data, "test", 2).items()})
    for key in found[0]:
        assert found[0][key] - found[1][key] == pytest.approx(2.0, abs=0.05), key


def test_unused_low_bits_cost_the_adaptive_predictor_nothing() -> None:
    """The 4 bits of the number of unused ones stand for any recording."""
    samples = noise(4_000, std=25.0)
    wide = (samples.astype(np.int32) << 8).astype(np.int16)
    assert adaptive_bits(wide) < adaptive_bits(samples) + 100 < 7 * len(samples)


def test_frames_that_do_not_depend_on_each_other(tmp_path: Path) -> None:
    """Normalised, they have the Gaussian's entropy; their change has twice the variance."""
    dataset = dataset_of(tmp_path, {"train": [frames(9_000, 0)], "test": [frames(9_000, 1)]}, FRAMES)
    table = baselines(dataset, "test", 32)
    assert table["fixed Gaussian"].nats == pytest.approx(GAUSSIAN_NATS, rel=0.01)
    assert table["last frame again"].nats == pytest.approx(GAUSSIAN_NATS + 0.5 * math.log(2), rel=0.01)
    assert all(found.bits is None for found in table.values())


def test_frames_that_hardly_change_are_best_told_by_the_last_one(tmp_path: Path) -> None:
    changes = [0.05 * np.random.default_rng(seed).standard_normal((5_000, 8)) for seed in (0, 1)]
    walks = [lfilter([1.0], [1.0, -0.999], change, axis=0) for change in changes]
    dataset = dataset_of(tmp_path, {"train": [walks[0]], "test": [walks[1]]}, FRAMES)
    table = baselines(dataset, "test", 32)
    expected = GAUSSIAN_NATS + float(np.log(0.05 / np.array(dataset.normalisation.std)).mean())
    assert table["last frame again"].nats == pytest.approx(expected, abs=0.02)
    assert (table["fixed Gaussian"].nats or 0) > expected + 1


# The kept table


def kept_tables(dataset: Dataset) -> list[str]:
    return sorted(path.name for path in dataset.path.parent.glob("baselines-*"))


def test_a_table_is_computed_once_for_each_data_set_split_and_order(tmp_path: Path) -> None:
    dataset = dataset_of(tmp_path, {"train": [tone(900)], "valid": [tone(900, 1)], "test": [tone(900, 2)]})
    first = baselines(dataset, "test", 4)
    (path,) = dataset.path.parent.glob("baselines-*")
    written = path.stat().st_mtime_ns
    assert baselines(dataset, "test", 4) == first
    assert path.stat().st_mtime_ns == written
    table = read_json(path, "table of baselines")
    table["FLAC"]["bits"] = 123.0
    write_json(path, table)
    assert baselines(dataset, "test", 4)["FLAC"].bits == 123.0
    assert baselines(dataset, "valid", 4)["FLAC"].bits != 123.0
    assert linear(baselines(dataset, "test", 5)) != linear(first)
    assert kept_tables(dataset) == [
        "baselines-test-4.json",
        "baselines-test-5.json",
        "baselines-valid-4.json",
    ]
    for damaged in ("{", path.read_text().replace("123.0", "122.0")):
        path.write_text(damaged)
        assert baselines(dataset, "test", 4) == first


def laplace(comparison: Comparison) -> Figures:
    """A Laplace density around the sample before, of which only the nats are given."""
    normaliser = comparison.normaliser()
    changes = [
        torch.cat([normaliser.normalise(rows[:, 0]).diff().abs() for rows in recordings])
        for recordings in (comparison.train(), comparison.scored())
    ]
    scale, scored = (float(each.mean()) for each in changes)
    return Figures(math.log(2 * scale) + scored / scale, None)


def test_a_new_baseline_appears_for_a_data_set_that_was_scored_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = dataset_of(tmp_path, {"train": [tone(900)], "test": [tone(900, 2)]})
    before = baselines(dataset, "test", 4)
    for_frames = Baseline("for frames only", are_frames, laplace)
    registered = [*BASELINES, for_frames, Baseline("Laplace", are_samples, laplace)]
    monkeypatch.setattr("pipeline.evaluation.baselines.BASELINES", registered)
    found = baselines(dataset, "test", 4)
    assert found == {**before, "Laplace": laplace(Comparison(dataset, "test", 4))}
    assert baselines(dataset, "test", 4) == found


def test_only_what_is_missing_or_of_another_version_is_computed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = dataset_of(tmp_path, {"train": [tone(900)], "test": [tone(900, 2)]})
    computed = baselines(dataset, "test", 4)
    (path,) = dataset.path.parent.glob("baselines-*")
    # As it was written before there were versions.
    table = {name: {"nats": found.nats, "bits": found.bits} for name, found in computed.items()}
    table["FLAC"]["bits"] = 123.0
    del table["uniform"]
    path.write_text(json.dumps(table))
    assert baselines(dataset, "test", 4) == {**computed, "FLAC": Figures(None, 123.0)}
    raised = [replace(each, version=2) for each in BASELINES]
    monkeypatch.setattr("pipeline.evaluation.baselines.BASELINES", raised)
    assert baselines(dataset, "test", 4) == computed


def test_without_recordings_to_score_or_to_fit_on_there_is_no_table(tmp_path: Path) -> None:
    for name, splits in {"train": {"test": [tone(90)]}, "test": {"train": [tone(90)]}}.items():
        dataset = dataset_of(tmp_path / name, splits)  # type: ignore[arg-type]
        with pytest.raises(UserError, match=f"the {name} split is empty"):
            baselines(dataset, "test", 2)
        assert not kept_tables(dataset)
