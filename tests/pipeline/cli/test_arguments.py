"""Arguments that several commands share."""

from pathlib import Path

import pytest

from tests.helpers.cli import caller


@pytest.mark.parametrize(
    "arguments",
    [
        ("generate", "-o", "s3://bucket/x.wav"),
        ("predict", "a.wav", "-o", "a2.wav", "--plot", "https://host/x.png"),
        ("score", "a.wav", "-o", "gs://bucket/x.csv"),
    ],
)
def test_results_are_not_written_to_an_address(
    arguments: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = caller(monkeypatch, capfd)(*arguments)
    assert outcome.code == 2
    assert f"{arguments[-1]}: this must be a path of this machine" in outcome.error
    assert outcome.error.count("\n") == 1
    assert not list(tmp_path.iterdir())
