"""What preparation costs: nothing is done twice, whatever came between, and memory stays flat."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import pipeline.data.preparing.conversion as conversion
import pipeline.data.preparing.planning as planning
from pipeline.audio.decode import read_mono
from pipeline.config.inputs import WaveformConfig
from pipeline.data.corpora.source import Source
from pipeline.data.dataset import open_dataset
from pipeline.data.manifest import read_manifest
from pipeline.data.preparation import prepare
from pipeline.data.store.catalogue import read_catalogue
from pipeline.errors import UserError
from tests.helpers.builders import noise, prepared, rows_of, run_config, speakers_folder, tone, write_sound

# Nothing is done twice


def test_a_second_preparation_converts_and_writes_nothing(tmp_path: Path, conversions: list[Path]) -> None:
    config = run_config(speakers_folder(tmp_path / "corpus"))
    first = prepare(config)
    assert len(conversions) == 2 * 20
    conversions.clear()
    store = first.parent.parent
    kept = [store / "rows.bin", store / "moments.bin", store / "catalogue.jsonl", first]
    before = [path.stat().st_mtime_ns for path in kept]
    assert prepare(config) == first
    assert not conversions
    assert [path.stat().st_mtime_ns for path in kept] == before


def test_a_file_that_was_touched_or_moved_is_hashed_but_not_converted(
    tmp_path: Path, conversions: list[Path]
) -> None:
    config = run_config(speakers_folder(tmp_path / "corpus"))
    first = prepare(config)
    touched, moved = tmp_path / "corpus/speaker-1/0.wav", tmp_path / "corpus/speaker-2/0.wav"
    os.utime(touched, (1, 1))
    renamed = moved.rename(moved.with_name("renamed.wav"))
    conversions.clear()
    assert prepare(config) == first
    assert sorted(conversions) == sorted([touched, renamed])


def test_other_framing_shares_rows_and_another_rate_does_not(tmp_path: Path, conversions: list[Path]) -> None:
    folder = speakers_folder(tmp_path / "corpus", 3)
    first = prepare(run_config(folder))
    conversions.clear()
    assert prepare(run_config(folder, WaveformConfig(sample_rate=8_000, window=64, hop=16))) == first
    assert not conversions
    other = prepare(run_config(folder, WaveformConfig(sample_rate=4_000)))
    assert other.parent.parent != first.parent.parent
    with pytest.raises(UserError, match="prepared with other settings"):
        open_dataset(first, WaveformConfig(sample_rate=4_000))


def test_a_new_file_costs_only_itself_and_older_data_sets_stay(
    tmp_path: Path, conversions: list[Path]
) -> None:
    config = run_config(speakers_folder(tmp_path / "corpus"))
    first = prepare(config)
    before = open_dataset(first, config.input)
    rows_before = before.rows.copy()
    conversions.clear()
    # Its name comes first in the folder, its rows last in the store.
    new = write_sound(tmp_path / "corpus/a-new-speaker/0.wav", tone(2_345, 999))
    second = prepare(config)
    assert conversions == [new, new]
    assert second != first
    after, reopened = open_dataset(second, config.input), open_dataset(first, config.input)
    assert second.parent.parent.joinpath("rows.bin").stat().st_size == 2 * (len(rows_before) + 2_345)
    assert np.array_equal(reopened.rows, rows_before)
    assert np.array_equal(reopened.offset, before.offset)
    old_places = dict(zip(before.recording, before.offset, strict=True))
    new_places = dict(zip(after.recording, after.offset, strict=True))
    assert new_places == {**old_places, str(new): len(rows_before)}
    splits_before = dict(zip(before.recording, before.split, strict=True))
    assert splits_before.items() <= dict(zip(after.recording, after.split, strict=True)).items()


def test_what_a_killed_run_left_behind_disturbs_nobody(tmp_path: Path) -> None:
    config = run_config(speakers_folder(tmp_path / "corpus"))
    first = prepare(config)
    rows = open_dataset(first, config.input).rows.copy()
    store = first.parent.parent
    for name in ("rows.bin", "moments.bin"):
        with (store / name).open("ab") as file:
            file.write(b"rubbish")
    assert np.array_equal(open_dataset(first, config.input).rows, rows)
    write_sound(tmp_path / "corpus/speaker-3/new.wav", tone(777, 12))
    dataset = prepared(config)
    assert np.array_equal(rows_of(dataset, "new.wav")[:, 0], tone(777, 12))
    assert np.array_equal(open_dataset(first, config.input).rows, rows)
    train = [dataset.recording_rows(int(i)).numpy() for i in dataset.indices("train")]
    assert dataset.normalisation.std[0] == pytest.approx(np.concatenate(train).std() / 32_768, rel=1e-6)


def test_a_run_that_fails_midway_keeps_what_it_converted(
    tmp_path: Path, conversions: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = run_config(speakers_folder(tmp_path / "corpus"))
    seventh = tmp_path / "corpus/speaker-3/0.wav"
    monkeypatch.setattr(planning, "SHARD_BYTES", 20_000)
    counted = vars(conversion)["open_source"]

    def interrupted(source: Source, *arguments: object) -> object:
        if source.path == seventh:
            raise KeyboardInterrupt
        return counted(source, *arguments)

    monkeypatch.setattr(conversion, "open_source", interrupted)
    with pytest.raises(KeyboardInterrupt):
        prepare(config)
    monkeypatch.setattr(conversion, "open_source", counted)
    conversions.clear()
    dataset = prepared(config)
    assert len(dataset.recording) == 20
    assert tmp_path / "corpus/speaker-0/0.wav" not in conversions
    assert conversions.count(seventh) == 2


def test_a_file_corrected_in_place_with_its_time_set_back_is_converted(tmp_path: Path) -> None:
    config = run_config(speakers_folder(tmp_path / "corpus"))
    first = prepare(config)
    changed = tmp_path / "corpus/speaker-1/0.wav"
    before = changed.stat()
    samples = read_mono(changed, 8_000)[0]
    write_sound(changed, samples[::-1].copy())
    os.utime(changed, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert changed.stat().st_size == before.st_size
    dataset = prepared(config)
    assert dataset.path != first
    assert np.array_equal(rows_of(dataset, "speaker-1/0.wav")[:, 0], samples[::-1])


def test_reread_hashes_every_file_and_converts_none(tmp_path: Path, conversions: list[Path]) -> None:
    config = run_config(speakers_folder(tmp_path / "corpus", 4))
    first = prepare(config)
    conversions.clear()
    assert prepare(config, reread=True) == first
    assert sorted(conversions) == sorted((tmp_path / "corpus").rglob("*.wav"))


def test_what_was_rejected_is_tried_again_only_when_it_changes(
    tmp_path: Path, conversions: list[Path]
) -> None:
    folder = speakers_folder(tmp_path / "corpus", 4)
    cut = write_sound(folder / "speaker-2/cut.flac", tone(30_000, 3))
    whole = cut.read_bytes()
    cut.write_bytes(whole[:20_000])
    config = run_config(folder)
    manifests = [read_manifest(prepare(config).parent / "manifest.jsonl") for _ in range(2)]
    assert manifests[0] == manifests[1]
    assert conversions.count(cut) == 2
    cut.write_bytes(whole)
    assert "cut.flac" in {Path(path).name for path in prepared(config).recording}


def test_the_catalogue_of_an_earlier_release_is_continued(tmp_path: Path, conversions: list[Path]) -> None:
    config = run_config(speakers_folder(tmp_path / "corpus"))
    first = prepare(config)
    store = first.parent.parent
    content = read_catalogue(store).catalogue
    kept = "offset", "length", "ordinal", "audio_hash", "facts"
    former = {
        "rows": content.rows,
        "stored": {key: {n: getattr(entry, n) for n in kept} for key, entry in content.stored.items()},
        "seen": {path: [*stamp[:2], found] for path, (stamp, found) in content.seen.items()},
        "splits": content.splits,
    }
    (store / "catalogue.json").write_text(json.dumps(former))
    (store / "catalogue.jsonl").unlink()
    rows = (store / "rows.bin").read_bytes()
    conversions.clear()
    assert prepare(config) == first
    assert len(conversions) == 20  # hashed, since change times were not recorded
    assert (store / "rows.bin").read_bytes() == rows
    assert not (store / "catalogue.json").exists()
    conversions.clear()
    assert prepare(config) == first
    assert not conversions


# Memory

PEAKS = """
import re, sys
from pathlib import Path
from pipeline.config.run import CorpusConfig, RunConfig
from pipeline.config.inputs import WaveformConfig
from pipeline.data.manifest import read_manifest
from pipeline.data.preparation import prepare
from pipeline.data.store.catalogue import read_catalogue

for folder in sys.argv[1:]:
    corpus = CorpusConfig(inputs=[Path(folder)])
    prepare(RunConfig(corpus=corpus, input=WaveformConfig(sample_rate=8000)))
    print(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
"""


def peak_bytes(*corpora: Path) -> list[int]:
    """Peak resident memory of a process that prepares the corpora one after the other, after each.

    Not `getrusage`'s: in a child that figure begins at the parent's own peak.
    """
    if not Path("/proc/self/status").exists():
        pytest.skip("the peak memory of a process is read from /proc, which is not here")
    command = [sys.executable, "-c", PEAKS, *map(str, corpora)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [1024 * int(line) for line in done.stdout.split()]


def copies(sounds: list[NDArray[np.int16]], folder: Path, count: int, suffix: str) -> Path:
    """``count`` times the recordings, each copy made another recording by flipping one sample."""
    for copy in range(count):
        for index, sound in enumerate(sounds):
            other = sound.copy()
            other[copy] ^= 1
            write_sound(folder / f"speaker-{copy}-{index}" / f"sound{suffix}", other)
    return folder


def assert_flat(sounds: list[NDArray[np.int16]], tmp_path: Path, suffix: str) -> None:
    one, ten = peak_bytes(*(copies(sounds, tmp_path / f"{n}", n, suffix) for n in (1, 10)))
    added = 9 * sum(sound.nbytes for sound in sounds)
    assert ten / one < 1.2
    assert ten - one < added / 4


@pytest.mark.slow
def test_memory_stays_flat_when_the_corpus_grows_tenfold(tmp_path: Path) -> None:
    assert_flat([noise(400_000, seed) for seed in range(12)], tmp_path, ".wav")


@pytest.mark.slow
def test_memory_stays_flat_on_real_speech(shared_data: Path, tmp_path: Path) -> None:
    paths = sorted((shared_data / "speech/librispeech_train-clean-100").rglob("*.flac"))[:100]
    assert_flat([read_mono(path, 16_000)[0] for path in paths], tmp_path, ".flac")
