"""lhotse's recordings, supervisions and cuts, as its own library writes them, gzipped."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import UserError
from tests.helpers.manifests import facts, read, reasons, times


def recording(name: str, file: str, channels: int = 1, **more: Any) -> dict[str, Any]:
    source = {"type": "file", "channels": list(range(channels)), "source": file}
    rate = {"sampling_rate": 8000, "num_samples": 16000, "duration": 2.0}
    return {"id": name, "sources": [source], **rate, "channel_ids": list(range(channels)), **more}


def supervision(name: str, of: str, start: float, duration: float, **more: Any) -> dict[str, Any]:
    return {"id": name, "recording_id": of, "start": start, "duration": duration, "channel": 0, **more}


def cut(name: str, of: dict[str, Any], start: float, duration: float, *speakers: str) -> dict[str, Any]:
    inside = [supervision("s", of["id"], 0, duration, speaker=speaker) for speaker in speakers]
    times = {"start": start, "duration": duration, "channel": 0}
    return {"id": name, **times, "supervisions": inside, "recording": of, "type": "MonoCut"}


def written(path: Path, *records: Any) -> Path:
    with gzip.open(path, "wt") as file:
        file.writelines(json.dumps(record) + "\n" for record in records)
    return path


def test_recordings_with_their_supervisions(corpus: Path) -> None:
    recordings = written(
        corpus / "x_recordings_all.jsonl.gz", recording("a", "wavs/a.wav"), recording("b", "wavs/b.flac")
    )
    assert facts(read(recordings)) == [("a.wav", None, None), ("b.flac", None, None)]
    supervisions = written(
        corpus / "x_supervisions_all.jsonl.gz",
        supervision("s1", "a", 0.5, 0.5, speaker="anna"),
        supervision("s2", "b", 0, 2.0, speaker="ben", custom={"room": "hall"}),
    )
    for manifest in (recordings, supervisions, corpus):
        assert facts(read(manifest)) == [("a.wav", "anna", None), ("b.flac", "ben", None)]
        assert times(read(manifest)) == [("a.wav", 0.5, 0.5), ("b.flac", 0, None)]
    assert [source.group for source in read(recordings, "room")][1] == "hall"


def test_supervisions_alone_name_no_file(corpus: Path) -> None:
    alone = written(corpus / "supervisions.jsonl.gz", supervision("s1", "a", 0.5, 0.5))
    with pytest.raises(UserError, match="no lhotse manifest of their recordings"):
        read(alone)


def test_each_side_of_a_call_is_a_recording(corpus: Path) -> None:
    recordings = written(corpus / "recordings.jsonl.gz", recording("c", "wavs/c.wav", channels=2))
    sides = [supervision(f"s{n}", "c", 0, 2.0, channel=n, speaker=f"p{n}") for n in (0, 1)]
    sides = [{**side, "channel": number} for number, side in enumerate(sides)]
    written(corpus / "supervisions.jsonl.gz", *sides)
    assert [(s.channel, s.group) for s in read(recordings)] == [(0, "p0"), (1, "p1")]


def test_cuts(corpus: Path) -> None:
    a = recording("a", "wavs/a.wav")
    command = {**a, "sources": [{"type": "command", "channels": [0], "source": f"touch {corpus}/ran"}]}
    cuts = written(
        corpus / "cuts.jsonl.gz",
        cut("whole", recording("b", "wavs/b.flac"), 0, 2.0, "ben"),
        cut("part", a, 0.25, 0.5, "anna"),
        cut("two", a, 1.0, 0.5, "anna", "ben"),
        cut("faster", {**a, "transforms": [{"name": "Speed", "kwargs": {"factor": 1.1}}]}, 0, 1.8),
        cut("run", command, 0, 1.0),
        {"id": "mix", "type": "MixedCut", "tracks": []},
        {"id": "bare", "type": "MonoCut", "start": 0, "duration": 1, "supervisions": []},
        3,
    )
    assert times(read(cuts)) == [("b.flac", 0, None), ("a.wav", 0.25, 0.5), ("a.wav", 1.0, 0.5)]
    assert [source.group for source in read(cuts)][:3] == ["ben", "anna", "wavs/a.wav"]
    assert len(reasons(read(cuts))) == 5
    assert any("never run" in reason for reason in reasons(read(cuts)))
    assert not (corpus / "ran").exists()


def test_another_rate_and_silence_that_fills_a_batch_change_no_sound(corpus: Path) -> None:
    a = {
        **recording("a", "wavs/a.wav"),
        "transforms": [{"name": "Resample", "kwargs": {"sampling_rate": 4000}}],
    }
    tracks = [{"cut": cut("a", a, 0.25, 0.5, "anna")}, {"cut": {"type": "PaddingCut"}, "offset": 0.5}]
    padded = {"id": "p", "type": "MixedCut", "tracks": tracks}
    mixed = {"id": "m", "type": "MixedCut", "tracks": [tracks[0], tracks[0]]}
    cuts = written(corpus / "cuts.jsonl.gz", padded, mixed)
    assert times(read(cuts)) == [("a.wav", 0.25, 0.5)]
    assert "made from several sounds" in reasons(read(cuts))[0]


def test_a_cut_off_archive_is_one_sentence(corpus: Path) -> None:
    whole = written(
        corpus / "cuts.jsonl.gz", *[cut(f"{n}", recording("a", "wavs/a.wav"), 0, 1) for n in range(5000)]
    )
    whole.write_bytes(whole.read_bytes()[:-2000])
    with pytest.raises(UserError, match=r"cuts.jsonl.gz: cannot be read after line \d+") as error:
        read(whole)
    assert "\n" not in str(error.value)
