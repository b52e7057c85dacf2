"""Files that a user names: settings, notes, manifests and tables, mutated."""

import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path
from random import Random

import mido
import numpy as np
import scipy.io

from pipeline.common.tables import read_table
from pipeline.config.loading import load_config
from pipeline.data.corpora.manifests import read_manifest
from pipeline.music.piano_roll import read_sequences
from tests.fuzz.fuzzing import Attempt
from tests.fuzz.mutations import Change, mutate_bytes, mutate_json, mutate_lines, mutate_zip
from tests.helpers.builders import tone, write_sound
from tests.helpers.notes import some_roll

NESTED = "[" * 100_000
YAML_PIECES = [
    *(NESTED, "{a: " * 3_000, "&a [*a]", "!!python/object:os.system x", "9" * 5_000, "0x" + "f" * 5_000),
    *(".inf", "-.inf", ".nan", "1e999", "2001-01-01", "2001-99-99", "1:30:00", "null", "'", "\0", "@"),
    *("!!binary aaaa", "!!timestamp x", "!!int x", "!!float x", "? [a]: b", "<<: *x", "|\n x"),
]


def settings(folder: Path) -> Attempt:
    """Load mutated settings, and settings of the command line."""
    whole = load_config(Path("demo")).model_dump(mode="json")
    text = json.dumps(whole, indent=1).encode()

    def attempt(draw: Random, folder: Path) -> None:
        path, overrides, kind = folder / "a.yaml", [], draw.random()
        if kind < 0.4:
            path.write_bytes(mutate_json(text, draw))
        elif kind < 0.6:
            path.write_bytes(mutate_lines(text, draw))
        else:
            key = draw.choice(
                ["train.epochs", "train.learning_rate", "a", "input", "model", "variants", "extends", "name"]
            )
            piece = draw.choice(YAML_PIECES)
            path.write_text(f"{key}: {piece}\n" if kind < 0.8 and "." not in key else "name: x\n")
            overrides = [f"{key}={piece}"] if kind >= 0.8 or "." in key else []
        load_config(path, overrides)

    return attempt


def midi_file() -> bytes:
    """A short MIDI file of two tracks, with texts and a tempo."""
    file = mido.MidiFile(ticks_per_beat=480)
    for channel in range(2):
        track = mido.MidiTrack(
            [mido.MetaMessage("set_tempo", tempo=500_000), mido.MetaMessage("text", text="a")]
        )
        for note in (60, 64, 67):
            track.append(mido.Message("note_on", note=note, channel=channel, time=10))
            track.append(mido.Message("note_off", note=note, channel=channel, time=480))
        track.append(mido.Message("sysex", data=(1, 2, 3)))
        file.tracks.append(track)
    target = io.BytesIO()
    file.save(file=target)
    return target.getvalue()


def _mutate_midi(data: bytes, draw: Random) -> bytes:
    if draw.random() < 0.1:
        place = draw.randrange(14, len(data))
        return data[:place] + b"\xff" * draw.choice([3, 5, 10, 50_000]) + data[place:]
    return mutate_bytes(data, draw)


def _rolls() -> dict[str, np.ndarray]:
    return {"train_rolls": some_roll(30), "train_lengths": np.array([10, 20]), "other": np.arange(3)}


def notes(suffix: str, folder: Path) -> Attempt:
    """Read a mutated file or set of notes."""
    target = io.BytesIO()
    mutate: Change
    if suffix == "mid":
        whole, mutate = midi_file(), _mutate_midi
    elif suffix == "npz":
        np.savez_compressed(target, **_rolls())
        whole, mutate = target.getvalue(), mutate_zip
    else:
        cells = np.empty((1, 2), object)
        cells[0, 0], cells[0, 1] = some_roll(10), some_roll(20, 1)
        scipy.io.savemat(target, {"traindata": cells, "testdata": cells[:, :1]})
        whole, mutate = target.getvalue(), mutate_bytes

    def attempt(draw: Random, folder: Path) -> None:
        (folder / f"a.{suffix}").write_bytes(mutate(whole, draw))
        read_sequences(folder / f"a.{suffix}", 4)

    return attempt


def manifests(folder: Path) -> Attempt:
    """Read a mutated manifest of one of seven formats."""
    import pyarrow
    import pyarrow.parquet

    write_sound(folder / "a.wav", tone(800))
    rows = [
        {"path": "a.wav", "speaker": f"s{i}", "split": "train", "start": 0.01 * i, "duration": 0.01}
        for i in range(4)
    ]
    comma = "path,speaker,split,start,duration\n" + "".join(
        ",".join(map(str, row.values())) + "\n" for row in rows
    )
    lines = "".join(
        json.dumps({"audio_filepath": "a.wav", "offset": 0.01, "duration": 0.02}) + "\n" for _ in range(3)
    )
    sources = [{"type": "file", "channels": [0], "source": "a.wav"}]
    facts = {"sampling_rate": 8_000, "num_samples": 800, "duration": 0.1}
    recording = {"id": "r", "sources": sources, **facts}
    table = io.BytesIO()
    pyarrow.parquet.write_table(
        pyarrow.Table.from_pylist([{"audio": {"bytes": b"RIFF", "path": "a"}, "speaker_id": 1}]), table
    )
    whole: dict[str, tuple[bytes, Callable[[bytes, Random], bytes]]] = {
        "a.csv": (comma.encode(), mutate_lines),
        "a.tsv": (comma.replace(",", "\t").encode(), mutate_lines),
        "a.jsonl": (lines.encode(), mutate_lines),
        "a.json": (json.dumps(rows).encode(), mutate_json),
        "wav.scp": (b"u1 a.wav\nu2 cat a.wav |\n", mutate_lines),
        "recordings.jsonl": (json.dumps(recording).encode() + b"\n", mutate_json),
        "a.parquet": (table.getvalue(), mutate_bytes),
        "b.jsonl.gz": (lines.encode(), lambda data, draw: gzip.compress(mutate_lines(data, draw))),
        "c.jsonl.gz": (gzip.compress(lines.encode()), mutate_bytes),
    }

    def attempt(draw: Random, folder: Path) -> None:
        name = draw.choice(sorted(whole))
        data, mutate = whole[name]
        (folder / name).write_bytes(mutate(data, draw))
        for source in read_manifest(folder / name) or ():
            assert source.reason is None or "\n" not in source.reason, source.reason

    return attempt


def tables(folder: Path) -> Attempt:
    """Read a mutated table of labels."""
    text = "path,label\n" + "".join(f"{i}.wav,{i % 2}\n" for i in range(6))

    def attempt(draw: Random, folder: Path) -> None:
        (folder / "a.csv").write_bytes(mutate_lines(text.encode(), draw))
        read_table(folder / "a.csv", ["path", "label"])

    return attempt
