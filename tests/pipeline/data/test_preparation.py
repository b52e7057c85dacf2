"""Preparation stores exact rows, refuses what cannot be used, and lets nothing leak between splits."""

import errno
import shutil
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from pipeline.audio.decode import read_mono
from pipeline.config.inputs import SpectrogramConfig, WaveformConfig
from pipeline.config.types import SPLITS
from pipeline.data.dataset import SMALLEST_STD, Dataset, open_dataset, split_rows
from pipeline.data.manifest import Recording, content_hash, read_manifest
from pipeline.data.preparation import prepare
from pipeline.errors import UserError
from pipeline.features.spectrogram_frames import SpectrogramFrames
from tests.helpers.builders import noise, prepared, rows_of, run_config, speakers_folder, tone, write_sound


def manifest_of(dataset: Dataset) -> dict[str, Recording]:
    records = read_manifest(dataset.path.parent / "manifest.jsonl")
    return {f"{record.path.parent.name}/{record.path.name}": record for record in records}


# What is stored


def test_rows_are_the_decoders_samples(tmp_path: Path) -> None:
    stereo = np.stack([tone(9_000, 5), tone(9_000, 6)], 1) / 32_768
    files = {
        "a/same_rate.wav": write_sound(tmp_path / "a/same_rate.wav", tone(5_001, 1)),
        "a/lossless.flac": write_sound(tmp_path / "a/lossless.flac", tone(70_000, 2)),
        "b/faster.wav": write_sound(tmp_path / "b/faster.wav", tone(22_050, 3), 22_050),
        "b/stereo.wav": write_sound(tmp_path / "b/stereo.wav", stereo, 16_000, "FLOAT"),
        "c/lossy.ogg": write_sound(tmp_path / "c/lossy.ogg", tone(8_000, 4), subtype="VORBIS"),
    }
    dataset = prepared(run_config(tmp_path))
    assert len(dataset.recording) == len(files)
    for name, path in files.items():
        assert np.array_equal(rows_of(dataset, name)[:, 0], read_mono(path, 8_000)[0])
    assert np.array_equal(rows_of(dataset, "same_rate.wav")[:, 0], tone(5_001, 1))
    assert dataset.rows.dtype == np.int16


@pytest.mark.parametrize(
    "config",
    [
        SpectrogramConfig(kind="spectrogram", sample_rate=8_000, n_mels=40),
        SpectrogramConfig(kind="spectrogram", sample_rate=8_000, n_mels=0, dtype="float32"),
        SpectrogramConfig(
            kind="spectrogram",
            sample_rate=8_000,
            n_mels=0,
            min_frequency_hz=100.0,
            max_frequency_hz=3_000.0,
        ),
    ],
    ids=["mel", "linear", "linear, some bins"],
)
def test_frames_are_those_of_the_decoded_samples(config: SpectrogramConfig, tmp_path: Path) -> None:
    import torch

    lengths = [1, 399, 16_000, 70_003]
    for index, length in enumerate(lengths):
        write_sound(tmp_path / "a" / f"{index}.wav", tone(length, index))
    dataset = prepared(run_config(tmp_path, config))
    for index, length in enumerate(lengths):
        expected = SpectrogramFrames(config).analysis.frames(torch.from_numpy(tone(length, index))).numpy()
        found = rows_of(dataset, f"{index}.wav")
        assert found.dtype == np.dtype(config.dtype)
        assert np.array_equal(found, expected.astype(config.dtype))
    assert len(dataset.normalisation.mean) == SpectrogramFrames(config).analysis.dimension


def test_normalisation_is_that_of_the_training_split_alone(tmp_path: Path) -> None:
    table = ["path,split,who"]
    for index, split in enumerate([*SPLITS, *SPLITS]):
        loudness = {"train": 300.0, "valid": 3_000.0, "test": 9_000.0}[split]
        write_sound(tmp_path / f"{index}.wav", noise(4_000, index, loudness) + np.int16(50))
        table.append(f"{index}.wav,{split},speaker {index}")
    (tmp_path / "table.csv").write_text("\n".join(table))
    for config in (
        WaveformConfig(sample_rate=8_000),
        SpectrogramConfig(kind="spectrogram", sample_rate=8_000, n_mels=20),
    ):
        dataset = prepared(run_config(tmp_path / "table.csv", config, group="who"))
        unit = 1 / 32_768 if config.kind == "waveform" else 1.0
        rows = [dataset.recording_rows(int(i)).numpy() for i in dataset.indices("train")]
        values = np.concatenate(rows).astype(np.float64) * unit
        assert len(rows) == 2
        np.testing.assert_allclose(dataset.normalisation.mean, values.mean(0), rtol=1e-9)
        np.testing.assert_allclose(dataset.normalisation.std, values.std(0), rtol=1e-6)


def test_silence_is_not_divided_by_zero(tmp_path: Path) -> None:
    write_sound(tmp_path / "a/silence.wav", np.zeros(800, np.int16))
    assert prepared(run_config(tmp_path)).normalisation.std == (SMALLEST_STD,)


# What is refused


def test_the_same_sound_is_used_once_whatever_holds_it(tmp_path: Path) -> None:
    sound = tone(4_000, 1)
    write_sound(tmp_path / "ann/a.wav", sound)
    shutil.copyfile(tmp_path / "ann/a.wav", write_sound(tmp_path / "bob/copy.wav", sound))
    write_sound(tmp_path / "bob/repacked.flac", sound)
    write_sound(tmp_path / "cid/other.wav", tone(4_000, 2))
    for _ in range(2):  # found in the store, the same as converted
        dataset = prepared(run_config(tmp_path))
        records = manifest_of(dataset)
        first = f"the same sound as {tmp_path / 'ann/a.wav'}"
        assert {name: record.refused for name, record in records.items()} == {
            "ann/a.wav": None,
            "bob/copy.wav": first,
            "bob/repacked.flac": first,
            "cid/other.wav": None,
        }
        assert len(dataset.recording) == 2
    assert records["bob/copy.wav"].split is None


def test_a_broken_file_is_recorded_with_its_reason_and_the_rest_goes_on(tmp_path: Path) -> None:
    folder = speakers_folder(tmp_path / "corpus", 4)
    (folder / "speaker-1/empty.wav").touch()
    (folder / "speaker-1/text.wav").write_text("no sound")
    cut = write_sound(folder / "speaker-2/cut.flac", tone(30_000, 3))
    cut.write_bytes(cut.read_bytes()[:20_000])
    dataset = prepared(run_config(folder))
    records = manifest_of(dataset)
    refused = {name: record.refused for name, record in records.items() if record.refused}
    assert refused.keys() == {"speaker-1/empty.wav", "speaker-1/text.wav", "speaker-2/cut.flac"}
    assert refused["speaker-1/empty.wav"] == "an empty file (0 bytes)"
    assert "damaged" in str(refused["speaker-2/cut.flac"])
    assert all(reason and "\n" not in reason for reason in refused.values())
    assert len(records) == 11
    assert len(dataset.recording) == 8
    assert dataset.length.sum() == len(dataset.rows)


def test_where_nothing_can_be_used_the_first_reason_is_said(tmp_path: Path) -> None:
    (tmp_path / "corpus").mkdir()
    for name in ("a.wav", "b.wav"):
        (tmp_path / "corpus" / name).write_text("no sound")
    with pytest.raises(
        UserError, match=r"none of 2 recordings can be used \(the first: .*a\.wav: .*"
    ) as printed:
        prepare(run_config(tmp_path / "corpus"))
    reasons = Path(str(printed.value).rsplit(" ", 1)[1])
    assert [record.refused is not None for record in read_manifest(reasons)] == [True, True]


def test_a_store_without_its_rows_is_refused_by_all_who_use_it(tmp_path: Path) -> None:
    config = run_config(speakers_folder(tmp_path / "corpus", 3))
    first = prepare(config)
    store = first.parent.parent
    (store / "rows.bin").unlink()
    for use in (lambda: open_dataset(first, config.input), lambda: prepare(config)):
        with pytest.raises(UserError, match=f"delete {store} and prepare again"):
            use()
    shutil.rmtree(store)
    assert prepare(config) == first


@pytest.mark.parametrize("content", ["[]", "{}", "{", '{"settings": {}}'])
def test_what_is_no_data_set_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "dataset.json").write_text(content)
    with pytest.raises(UserError, match=str(tmp_path)):
        open_dataset(tmp_path, WaveformConfig())
    with pytest.raises(UserError, match="no such prepared data set"):
        open_dataset(tmp_path / "nowhere.json", WaveformConfig())


def test_an_empty_split_is_named(tmp_path: Path) -> None:
    import torch

    dataset = prepared(run_config(speakers_folder(tmp_path, 1, recordings=1)))
    with pytest.raises(UserError, match=r"the valid split is empty \(1 recordings in 1 groups\)"):
        split_rows(dataset, "valid", torch.device("cpu"))


# Splits


def assert_nothing_is_shared(dataset: Dataset) -> None:
    """No speaker, no recording, no sound, no row in two splits, and every row in one."""
    records = [record for record in manifest_of(dataset).values() if not record.refused]
    splits_of: dict[str, set[str | None]] = defaultdict(set)
    for record in records:
        for name in (record.group, record.content_hash, record.audio_hash, str(record.path)):
            splits_of[str(name)].add(record.split)
    assert all(len(splits) == 1 for splits in splits_of.values())
    assert dict(zip(dataset.recording, dataset.split, strict=True)) == {
        str(record.path): record.split for record in records
    }
    used = np.zeros(len(dataset.rows), np.int64)
    for offset, length in zip(dataset.offset, dataset.length, strict=True):
        used[offset : offset + length] += 1
    assert used.max() == 1
    assert {split: len(dataset.indices(split)) > 0 for split in SPLITS} == dict.fromkeys(SPLITS, True)
    assert sum(len(dataset.indices(split)) for split in SPLITS) == len(dataset.recording)


@pytest.mark.parametrize("group", ["folder", "recording"])
def test_no_split_shares_a_recording_or_a_speaker(group: str, tmp_path: Path) -> None:
    dataset = prepared(run_config(speakers_folder(tmp_path, 12), group=group))
    assert_nothing_is_shared(dataset)
    assert len(set(dataset.group)) == (12 if group == "folder" else 24)
    assert (dataset.rows != 0).any()


@pytest.mark.slow
def test_no_split_of_real_speech_shares_a_recording_or_a_speaker(
    shared_data: Path, conversions: list[Path]
) -> None:
    folder = shared_data / "speech/librispeech_train-clean-100"
    config = run_config(folder, WaveformConfig())
    dataset = prepared(config)
    assert_nothing_is_shared(dataset)
    speakers = {path.name for path in folder.iterdir() if path.is_dir()}
    assert set(dataset.group) == speakers
    assert len(dataset.recording) == len(list(folder.rglob("*.flac")))
    for index in range(0, len(dataset.recording), 50):
        samples, _ = read_mono(Path(dataset.recording[index]), 16_000)
        assert np.array_equal(dataset.recording_rows(index)[:, 0].numpy(), samples)
    conversions.clear()
    assert prepare(config) == dataset.path
    assert not [path for path in conversions if path.suffix == ".flac"]


def test_the_splits_of_a_table_are_kept(tmp_path: Path) -> None:
    wanted = {f"{i}.wav": SPLITS[i % 3] for i in range(7)}
    for index, name in enumerate(wanted):
        write_sound(tmp_path / name, tone(900, index))
    rows = [f"{name},{split}" for name, split in wanted.items()]
    (tmp_path / "table.csv").write_text("\n".join(["path,split", *rows]))
    dataset = prepared(run_config(tmp_path / "table.csv", group="recording"))
    assert {Path(p).name: s for p, s in zip(dataset.recording, dataset.split, strict=True)} == wanted


def test_a_file_that_may_not_be_read_is_refused_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = speakers_folder(tmp_path / "corpus", 4, 1)
    locked = corpus / "speaker-1" / "0.wav"

    def hash_of(path: Path) -> str:  # the superuser may read everything, so the refusal is made here
        if path == locked:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return content_hash(path)

    monkeypatch.setattr("pipeline.data.preparing.conversion.content_hash", hash_of)
    records = read_manifest(prepare(run_config(corpus)).parent / "manifest.jsonl")
    assert {r.path: r.refused for r in records if r.refused} == {locked: "cannot be read (Permission denied)"}
