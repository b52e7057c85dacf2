"""The held-out recordings are frozen with the first champion, only grow, and are never trained on."""

import json
import shutil
from pathlib import Path

import pytest

from pipeline.config.inputs import WaveformConfig
from pipeline.config.run import RunConfig
from pipeline.errors import UserError
from pipeline.promotion.contender import Contender, contender_of_run
from pipeline.promotion.held_out import HeldOutRows, HeldOutSet, rows_digest
from tests.helpers.contests import contest_config, made, write_voices

AT_8_KHZ = WaveformConfig(sample_rate=8_000)


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    return write_voices(tmp_path / "voices", seconds=0.1)


def contender(config: RunConfig, scale: float = 1.0) -> Contender:
    return contender_of_run(made(config, scale), 1)


def test_the_validation_split_is_frozen_and_only_grows_by_new_groups(corpus: Path, tmp_path: Path) -> None:
    held_out = HeldOutSet(tmp_path, AT_8_KHZ)
    first = contender(contest_config(corpus))
    assert held_out.grow(first) == len(first.recordings("valid")) > 5
    frozen = held_out.recordings
    assert held_out.grow(first) == 0
    digest = held_out.digest
    write_voices(corpus, count=20, seconds=0.1, first=20)
    second = contender(contest_config(corpus))
    added = held_out.grow(second)
    assert added == len(second.recordings("valid")) - len(frozen) > 0
    assert held_out.recordings[: len(frozen)] == frozen
    assert held_out.digest != digest
    again = HeldOutSet(tmp_path, AT_8_KHZ)
    assert again.recordings == held_out.recordings
    assert again.digest == held_out.digest


def test_each_sample_rate_has_a_list_of_its_own(corpus: Path, tmp_path: Path) -> None:
    held_out = HeldOutSet(tmp_path, AT_8_KHZ)
    held_out.grow(contender(contest_config(corpus)))
    slower = contender(contest_config(corpus, "input.sample_rate=4000"))
    assert held_out.grow(slower) == 0
    other = HeldOutSet(tmp_path, slower.model.input)
    assert other.grow(slower) == len(held_out.recordings)
    assert HeldOutSet(tmp_path, AT_8_KHZ).recordings == held_out.recordings


def test_what_either_model_was_trained_on_is_left_out(corpus: Path, tmp_path: Path) -> None:
    """With another seed of the split, a challenger trains on what the champion held out."""
    held_out = HeldOutSet(tmp_path, AT_8_KHZ)
    ours, theirs = (contender(contest_config(corpus, f"corpus.split_seed={seed}")) for seed in (0, 1))
    held_out.grow(ours)
    assert held_out.without([ours]) == held_out.recordings
    trained_on = {record.audio_hash for record in theirs.recordings("train")}
    left = held_out.without([ours, theirs])
    assert 0 < len(left) < len(held_out.recordings)
    assert not {each.audio_hash for each in left} & trained_on
    assert {each.rows_hash for each in held_out.recordings if each.audio_hash not in trained_on} == {
        each.rows_hash for each in left
    }


def test_a_group_is_left_out_where_another_recording_of_it_was_trained_on(tmp_path: Path) -> None:
    for speaker in range(6):
        write_voices(tmp_path / "voices" / f"s{speaker}", count=2, seconds=0.1, first=10 * speaker)
    config = contest_config(tmp_path / "voices", "corpus.group=folder")
    held_out = HeldOutSet(tmp_path, AT_8_KHZ)
    ours = contender(config)
    held_out.grow(ours)
    group = held_out.recordings[0].group
    table = tmp_path / "other.csv"
    lines = ["path,speaker,split", f"voices/{group}/new.wav,{group},train"]
    lines += [f"voices/s{i}/voice-{10 * i}.wav,s{i},valid" for i in range(6) if f"s{i}" != group]
    write_voices(tmp_path / "new", count=1, seconds=0.1, first=99)
    shutil.copy(tmp_path / "new" / "voice-99.wav", tmp_path / "voices" / group / "new.wav")
    table.write_text("\n".join(lines) + "\n")
    theirs = contender(contest_config(table, "corpus.group=speaker"))
    assert group not in {each.group for each in held_out.without([ours, theirs])}


def test_frozen_rows_are_found_by_their_content_also_after_preparing_again(
    corpus: Path, tmp_path: Path, own_data_dir: Path
) -> None:
    config = contest_config(corpus)
    held_out = HeldOutSet(tmp_path, AT_8_KHZ)
    held_out.grow(contender(config))
    wanted = held_out.recordings[0]
    assert not Path(wanted.dataset).is_absolute()
    rows = HeldOutRows(config.input).find(wanted)
    assert rows is not None
    assert rows_digest(rows) == wanted.rows_hash == wanted.audio_hash
    shutil.rmtree(own_data_dir / "prepared")
    assert HeldOutRows(config.input).find(wanted) is None
    write_voices(corpus, count=5, seconds=0.1, first=50)
    other = contender(config)
    assert HeldOutRows(config.input).find(wanted) is None
    assert HeldOutRows(config.input, [other.dataset]).find(wanted) is not None


def test_a_changed_list_is_rejected_with_what_to_do(corpus: Path, tmp_path: Path) -> None:
    held_out = HeldOutSet(tmp_path, AT_8_KHZ)
    held_out.grow(contender(contest_config(corpus)))
    content = json.loads(held_out.path.read_text())
    content.pop("checksum", None)
    del content["recordings"][0]
    held_out.path.write_text(json.dumps(content))
    with pytest.raises(UserError, match="damaged list of held-out recordings; restore it from a copy"):
        HeldOutSet(tmp_path, AT_8_KHZ)
