"""A damaged run folder costs what is damaged, never another run, and never a traceback."""

import os
from pathlib import Path

import pytest

from pipeline.common.files import write_json
from pipeline.config.run import RunConfig
from pipeline.errors import UserError
from pipeline.tracking.run_folder import RunFolder, start_run
from pipeline.tracking.sync import sync_pending
from tests.helpers.tracked_runs import new_run

pytestmark = pytest.mark.usefixtures("own_data_dir")


def test_a_damaged_line_is_left_out_and_reported(capsys: pytest.CaptureFixture[str]) -> None:
    run = new_run("a")
    whole = run.journal.read_bytes()
    run.journal.write_bytes(whole.replace(b'"step": 20', b'"step": 21'))
    assert [line["step"] for line in run.lines()] == [40]
    assert "1 of its lines are damaged" in capsys.readouterr().err
    run.journal.write_bytes(whole + bytes(50))
    assert [line["step"] for line in run.lines()] == [20, 40]
    assert "damaged" in capsys.readouterr().err


def test_a_journal_shorter_than_its_checkpoint_is_not_lengthened(capsys: pytest.CaptureFixture[str]) -> None:
    run = new_run("a")
    size = run.journal.stat().st_size
    run.journal.write_bytes(run.journal.read_bytes()[:-5])
    run.truncate_journal(size)
    assert b"\0" not in run.journal.read_bytes()
    assert [line["step"] for line in run.lines()] == [20]
    assert "shorter than its checkpoint states" in capsys.readouterr().err


@pytest.mark.parametrize("content", ["{}", "[]", "null", '{"status": 3}', "", "{", "\0" * 40])
def test_a_damaged_status_is_reported_and_counts_as_running(
    content: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run = new_run("a")
    (run.path / "status.json").write_text(content)
    assert run.status() == {"status": "running"}
    assert "status.json: not a readable status of a run" in capsys.readouterr().err


@pytest.mark.parametrize("content", ["{}", "[]", "null", '{"name": 3}', "", "{", "\0" * 40])
def test_a_damaged_description_is_one_sentence(content: str) -> None:
    run = new_run("a")
    (run.path / "run.json").write_text(content)
    for read in (run.description, run.config, lambda: run.dataset):
        with pytest.raises(UserError, match=r"run\.json: not a readable training run"):
            read()


def test_a_moved_home_finds_its_data_sets(own_data_dir: Path, tmp_path: Path) -> None:
    (own_data_dir / "prepared" / "k" / "f").mkdir(parents=True)
    dataset = own_data_dir / "prepared" / "k" / "f" / "dataset.json"
    dataset.touch()
    run = start_run(RunConfig(name="b"), dataset, "f")
    assert run.dataset == dataset
    moved = own_data_dir.rename(tmp_path / "elsewhere")
    assert (
        RunFolder(moved / "runs" / run.path.name).dataset == moved / "prepared" / "k" / "f" / "dataset.json"
    )


def test_a_run_under_the_name_of_an_earlier_release_is_found() -> None:
    begun = start_run(RunConfig(name="b"), Path("dataset.json"), "f", "trial-1")
    for number, found in ((1, begun.path.name), (2, "b-gru-trial-2")):
        label = f"gru-trial-{number}"
        run = start_run(
            RunConfig(name="b"), Path("dataset.json"), "f", label, earlier=label.removeprefix("gru-")
        )
        assert run.path.name.startswith(found)


@pytest.mark.parametrize("name", ["run.json", "status.json", "tracking.json", "journal.jsonl"])
@pytest.mark.parametrize("content", ["{}", "[]", '{"config": {}}', "\0" * 40])
def test_a_damaged_run_does_not_keep_others_from_being_sent(name: str, content: str) -> None:
    run = new_run("damaged")
    write_json(run.path / "tracking.json", {"uri": "", "pending": True})
    (run.path / "run.json").write_text((run.path / "run.json").read_text().replace('"config"', '"other"'))
    (run.path / name).write_text(content)
    assert sync_pending(run.path.parent) == []


def test_a_journal_that_is_no_file_is_one_sentence(run: RunFolder) -> None:
    run.journal.unlink()
    os.mkfifo(run.journal)
    for use in (run.lines, lambda: run.truncate_journal(0)):
        with pytest.raises(UserError, match="a device or a pipe, not a file"):
            use()
