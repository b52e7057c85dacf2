"""JSON lines, arrays and objects name recordings; damaged lines reject themselves alone."""

import json
from pathlib import Path
from random import Random

import pytest

from pipeline.data.corpora.manifests import read_manifest
from pipeline.errors import UserError
from tests.helpers.manifests import facts, read, reasons, times


def test_nemo(corpus: Path) -> None:
    manifest = corpus / "manifests" / "train.jsonl"
    manifest.parent.mkdir()
    lines = [
        {"audio_filepath": "wavs/a.wav", "offset": 0.5, "duration": 1, "speaker": "x"},
        {"audio_filepath": "wavs/b.flac", "duration": 2.0, "text": "hello", "speaker": 7},
    ]
    manifest.write_text("\n".join(map(json.dumps, lines)))
    assert facts(read(manifest)) == [("a.wav", "x", None), ("b.flac", "7", None)]
    assert times(read(manifest)) == [("a.wav", 0.5, 1), ("b.flac", 0, None)]
    assert {source.group for source in read(manifest, "text")} == {"corpus/wavs/a.wav", "hello"}
    with pytest.raises(UserError, match="no key 'city'"):
        read(manifest, "city")


def test_an_absolute_path_of_another_machine_is_found_by_its_end(corpus: Path) -> None:
    manifest = corpus / "train.json"
    manifest.write_text('{"audio_filepath": "/home/anna/corpus/wavs/a.wav", "duration": 2}\n')
    assert [source.path for source in read(manifest)] == [corpus / "wavs/a.wav"]


def test_speechbrain(corpus: Path) -> None:
    manifest = corpus / "train.json"
    about = {
        "u1": {"wav": "{data_root}/wavs/a.wav", "length": 2, "spk_id": "x"},
        "u2": {"wav": {"file": "wavs/b.flac", "start": 4000, "stop": 8000}, "spk_id": "y"},
    }
    manifest.write_text(json.dumps(about, indent=2))
    assert facts(read(manifest)) == [("a.wav", "x", None), ("b.flac", "y", None)]
    assert times(read(manifest)) == [("a.wav", 0, None), ("b.flac", 0.5, 0.5)]


def test_nested_segments_as_in_gigaspeech(corpus: Path) -> None:
    segments = [{"sid": "s1", "begin_time": 0.5, "end_time": 1.0, "speaker": "N/A"}, 3]
    value = {"dataset": "G", "audios": [{"aid": "A", "path": "wavs/a.wav", "segments": segments}]}
    (corpus / "G.json").write_text(json.dumps(value))
    assert times(read(corpus / "G.json")) == [("a.wav", 0.5, 0.5)]
    assert len(reasons(read(corpus / "G.json"))) == 1


def test_the_same_and_overlapping_parts(corpus: Path) -> None:
    rows = [(0, 1, "x"), (0, 1, "x"), (0, 1, "y"), (0.5, 1, "x"), (0.8, 1, "y"), (1.8, 0.2, "y")]
    lines = [{"path": "wavs/a.wav", "start": s, "duration": d, "speaker": who} for s, d, who in rows]
    (corpus / "m.jsonl").write_text("\n".join(map(json.dumps, lines)))
    sources = read(corpus / "m.jsonl")
    assert times(sources) == [("a.wav", 0, 1), ("a.wav", 0.5, 1), ("a.wav", 1.8, 0.2)]
    assert ["twice" in reason for reason in reasons(sources)] == [True, False]
    assert "overlaps" in reasons(sources)[1]


def test_one_wrong_end_costs_one_segment(corpus: Path) -> None:
    rows = [(0, 999, "y"), *((0.1 * number, 0.1, "x") for number in range(20))]
    lines = [{"path": "wavs/a.wav", "start": s, "duration": d, "speaker": who} for s, d, who in rows]
    (corpus / "m.jsonl").write_text("\n".join(map(json.dumps, lines)))
    assert [group for _, group, _ in facts(read(corpus / "m.jsonl"))] == ["x"] * 20


def test_overlaps_are_those_of_the_slow_obvious_search(corpus: Path) -> None:
    """Segments of each speaker are kept, shortest first, unless one of another speaker has their sound."""
    random = Random(0)
    rows = [(random.uniform(0, 90), random.uniform(0.2, 6), random.choice("xyz")) for _ in range(300)]
    lines = [{"path": "wavs/a.wav", "start": s, "duration": d, "speaker": who} for s, d, who in rows]
    (corpus / "m.jsonl").write_text("\n".join(map(json.dumps, lines)))
    kept: list[tuple[float, float, str]] = []
    for start, seconds, who in sorted(rows, key=lambda row: row[1]):
        shared = [min(s + d, start + seconds) - max(s, start) for s, d, other in kept if other != who]
        if max(shared, default=0) <= 0.1:
            kept.append((start, seconds, who))
    found = {(s.start_seconds, s.seconds, s.group) for s in read(corpus / "m.jsonl") if s.reason is None}
    assert len(found ^ set(kept)) <= 0.02 * len(kept)


def test_what_is_held_out_stays_held_out(corpus: Path) -> None:
    lines = [{"path": "wavs/a.wav", "speaker": "x", "split": split} for split in ("train", "test", "dev")]
    (corpus / "m.jsonl").write_text("\n".join(map(json.dumps, lines)))
    assert facts(read(corpus / "m.jsonl")) == [("a.wav", "x", "test")]
    assert len(reasons(read(corpus / "m.jsonl"))) == 2


@pytest.mark.parametrize(
    "line",
    ["{", "[1]", "null", '{"path": 3}', '{"path": null}', "[" * 10**6, '{"path": "' + "x" * 9000 + '"}']
    + [f'{{"path": "wavs/b.flac", "start": {value}}}' for value in ("1e999", "-1", "[]", "true", "9" * 5000)]
    + [f'{{"path": "wavs/b.flac", "start": 0, "duration": {value}}}' for value in ("0", "-1", '"x"', "NaN")]
    + [
        '{"path": "wavs/b\\u0000.flac"}',
        '{"path": "wavs/b.flac"\0}',
        '{"path": "nosuchscheme://bucket/b.flac"}',
    ],
)
def test_a_bad_line_rejects_itself_alone(corpus: Path, line: str) -> None:
    (corpus / "m.jsonl").write_text('{"path": "wavs/a.wav"}\n' + line + '\n{"path": "wavs/c.wav"}\n')
    sources = read(corpus / "m.jsonl")
    assert facts(sources) == [("a.wav", None, None), ("c.wav", None, None)]
    (reason,) = reasons(sources)
    assert "line 2" in reason


def test_other_json_is_no_manifest_and_a_damaged_one_names_its_line(corpus: Path) -> None:
    (corpus / "config.json").write_text('{"model": {"path": 3}, "rate": 8000}')
    assert read_manifest(corpus / "config.json") is None
    (corpus / "m.json").write_text('[\n{"path": "wavs/a.wav"},\n{"path"\n]')
    with pytest.raises(UserError, match=r"m.json, line 4: not JSON"):
        read_manifest(corpus / "m.json")
    (corpus / "deep.json").write_text("[" * 10**6)
    with pytest.raises(UserError, match="nested too deeply"):
        read_manifest(corpus / "deep.json")
