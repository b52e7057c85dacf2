"""A piece of music is continued as notes, after its context and for the requested length."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.config.inputs import PianoRollConfig, WaveformConfig
from pipeline.errors import UserError
from pipeline.generation.audio_files import continue_file
from pipeline.generation.options import SamplingOptions
from pipeline.model.storage import load_model, save_model
from pipeline.model.trained_model import TrainedModel
from pipeline.music.midi import KEYS, Roll, read_midi, write_midi
from tests.helpers.builders import tiny_model, tone, write_sound

NOTES = PianoRollConfig(kind="piano-roll")
STEPS_A_SECOND = 8
"""Four steps to a quarter note, 120 quarter notes a minute."""


def saved(folder: Path, model: TrainedModel) -> Path:
    save_model(folder, model.network.state_dict(), model.input, model.model, model.normalisation, {})
    return folder


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return saved(tmp_path / "model", tiny_model(NOTES, head="nade", nade_hidden=6))


@pytest.fixture
def sound_model(tmp_path: Path) -> Path:
    return saved(tmp_path / "sound-model", tiny_model(WaveformConfig(sample_rate=8_000)))


def some_piece(steps: int = 37, seed: int = 0) -> Roll:
    roll = (np.random.default_rng(seed).random((steps, KEYS)) < 0.04).astype(np.uint8)
    roll[0, 40] = 1
    return roll


@pytest.fixture
def piece(tmp_path: Path) -> Path:
    path = tmp_path / "piece.mid"
    write_midi(path, some_piece(), NOTES.steps_per_quarter, 90.0)
    return path


@pytest.fixture
def collection(tmp_path: Path) -> Path:
    """A set of one sequence to train on and two to test."""
    path = tmp_path / "set.npz"
    test = [some_piece(12, 1), some_piece(20, 2)]
    np.savez(
        path,
        train_rolls=some_piece(9, 3),
        train_lengths=np.array([9]),
        test_rolls=np.concatenate(test),
        test_lengths=np.array([12, 20]),
    )
    return path


def notes_of(path: Path) -> Roll:
    with path.open("rb") as file:
        return read_midi(file, NOTES.steps_per_quarter)[0]


def predict(model: Path, *paths: Path, seed: int = 0, temperature: float = 1.0, **settings: Any) -> Any:
    sampling = SamplingOptions(seed=seed, temperature=temperature)
    return continue_file(lambda: load_model(model), *paths, sampling=sampling, **settings)


def refusal(*arguments: Any, **settings: Any) -> str:
    with pytest.raises(UserError) as printed:
        predict(*arguments, **{"seconds": 1.0, **settings})
    assert "\n" not in str(printed.value)
    return str(printed.value)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_continuation_begins_with_the_context_and_has_the_requested_length(
    model: Path, piece: Path, tmp_path: Path
) -> None:
    output, picture = tmp_path / "new" / "continued.mid", tmp_path / "new" / "continued.png"
    facts = predict(model, piece, output, seconds=2.5, seed=3, plot=picture)
    found = notes_of(output)
    assert np.array_equal(found[:37], some_piece())
    assert found.shape == (37 + 20, KEYS)
    assert found[37:].any()
    assert facts == {
        "recording": str(piece),
        "output": str(output),
        "takes": [{"output": str(output), "seed": 3}],
        "plot": str(picture),
        "steps_per_second": STEPS_A_SECOND,
        "recording_seconds": 37 / STEPS_A_SECOND,
        "continuation_seconds": 2.5,
        "seam_seconds": 37 / STEPS_A_SECOND,
        "notes": [],
    }
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert names(output.parent) == {"continued.mid", "continued.png"}


def test_the_continuation_alone_is_the_end_of_the_whole(model: Path, piece: Path, tmp_path: Path) -> None:
    whole, alone = tmp_path / "whole.mid", tmp_path / "alone.midi"
    predict(model, piece, whole, seconds=2.0, seed=5)
    facts = predict(model, piece, alone, seconds=2.0, seed=5, only_continuation=True)
    assert np.array_equal(notes_of(alone), notes_of(whole)[37:])
    assert facts["seam_seconds"] == 0
    assert facts["plot"] is None


def test_a_seed_gives_the_same_notes_and_another_others(model: Path, piece: Path, tmp_path: Path) -> None:
    outputs = [tmp_path / f"{name}.mid" for name in ("first", "again", "other")]
    for output, seed in zip(outputs, (1, 1, 2), strict=True):
        predict(model, piece, output, seconds=2.0, seed=seed)
    first, again, other = (output.read_bytes() for output in outputs)
    assert first == again != other


@pytest.mark.parametrize(("seconds", "steps"), [(0.01, 1), (0.126, 1), (1.0, 8), (1.07, 9)])
def test_seconds_are_rounded_to_steps_and_never_to_none(
    seconds: float, steps: int, model: Path, piece: Path, tmp_path: Path
) -> None:
    predict(model, piece, tmp_path / "out.mid", seconds=seconds)
    assert len(notes_of(tmp_path / "out.mid")) == 37 + steps


def test_what_was_left_out_of_the_piece_is_remarked(model: Path, tmp_path: Path) -> None:
    import mido

    messages = [
        mido.Message("note_on", note=pitch, channel=channel, time=0) for pitch, channel in ((60, 0), (40, 9))
    ]
    path = tmp_path / "drums.mid"
    mido.MidiFile(tracks=[mido.MidiTrack([*messages, mido.MetaMessage("end_of_track", time=960)])]).save(path)
    facts = predict(model, path, tmp_path / "out.mid", seconds=1.0)
    assert any("drum" in remark for remark in facts["notes"])


def test_one_sequence_of_a_set_is_continued_by_its_name(
    model: Path, collection: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out.mid"
    predict(model, Path(f"{collection}#test-000"), output, seconds=1.0)
    assert np.array_equal(notes_of(output)[:12], some_piece(12, 1))
    printed = refusal(model, collection, tmp_path / "none.mid")
    assert printed.startswith(f"{collection}: a set of 3 sequences: name one, as in ")
    assert f"{collection}#test-001" in printed
    printed = refusal(model, Path(f"{collection}#test-002"), tmp_path / "none.mid")
    assert "no sequence 'test-002'" in printed
    assert not (tmp_path / "none.mid").exists()


def test_a_model_of_the_other_kind_is_rejected(
    model: Path, sound_model: Path, piece: Path, tmp_path: Path
) -> None:
    sound = write_sound(tmp_path / "sound.wav", tone(900))
    before = names(tmp_path)
    assert "this model continues sound" in refusal(sound_model, piece, tmp_path / "out.mid")
    assert "this model continues MIDI files" in refusal(model, sound, tmp_path / "out.wav")
    assert "piece.mid: not readable" in refusal(model, piece, tmp_path / "out.wav")
    assert str(sound) in refusal(model, sound, tmp_path / "out.mid")  # which is not music
    assert names(tmp_path) == before


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"MThd",
        b"MThd\0\0\0\6\0\1\0\1\1\xe0MTrk\0\0\0\x40\0\x90",
        b"RIFF????WAVE",
        b"PK\3\4rest",
        b"\xff" * 99,
    ],
    ids=["empty", "head", "cut", "sound", "set", "noise"],
)
def test_a_damaged_piece_is_rejected_in_one_line_and_leaves_nothing(
    content: bytes, model: Path, tmp_path: Path
) -> None:
    path = tmp_path / "damaged.mid"
    path.write_bytes(content)
    before = names(tmp_path)
    assert refusal(model, path, tmp_path / "out.mid", plot=tmp_path / "out.png").startswith(f"{path}: ")
    assert names(tmp_path) == before


def test_a_piece_that_is_missing_is_named(model: Path, tmp_path: Path) -> None:
    assert "none.mid" in refusal(model, tmp_path / "none.mid", tmp_path / "out.mid")
    assert "none.npz" in refusal(model, tmp_path / "none.npz#test-000", tmp_path / "out.mid")


def test_what_is_there_is_kept_unless_it_may_be_replaced(model: Path, piece: Path, tmp_path: Path) -> None:
    output, picture = tmp_path / "out.mid", tmp_path / "out.png"
    output.write_bytes(b"mine")
    assert "exists already" in refusal(model, piece, output)
    picture.write_bytes(b"mine, too")
    assert "exists already" in refusal(model, piece, tmp_path / "other.mid", plot=picture)
    assert (output.read_bytes(), picture.read_bytes()) == (b"mine", b"mine, too")
    assert not (tmp_path / "other.mid").exists()
    predict(model, piece, output, seconds=1.0, plot=picture, overwrite=True)
    assert len(notes_of(output)) == 37 + 8
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("settings", [{"seconds": 0.0}, {"seconds": -1.0}, {"temperature": -0.1}], ids=str)
def test_invalid_options_are_rejected(
    settings: dict[str, float], model: Path, piece: Path, tmp_path: Path
) -> None:
    refusal(model, piece, tmp_path / "out.mid", **settings)
    assert not (tmp_path / "out.mid").exists()
