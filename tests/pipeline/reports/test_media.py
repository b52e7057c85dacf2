"""Sounds, notes and pictures inside a page: the run's own, around the seam, as long as there is room."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.config.run import SamplesConfig
from pipeline.music.midi import write_midi
from pipeline.reports.html import run_page, write_page
from tests.helpers.builders import noise
from tests.helpers.pages.report import Page, decoded, sounds_of
from tests.helpers.reported_runs import add_companions, add_take, written_run

LARGEST_PAGE = 8_000_000


@pytest.mark.parametrize("sample_rate", [2_000, 8_000, 11_000, 16_000, 44_100, 96_000])
def test_the_sound_of_the_page_is_the_runs(sample_rate: int) -> None:
    run = written_run()
    samples = add_take(run, "one", sample_rate=sample_rate) / 32_768
    ((played, rate),) = sounds_of(run_page(run))
    assert abs(len(played) / rate - 4.0) < 0.001
    times_s = np.linspace(0.1, 3.9, 5_000)
    original = np.interp(times_s, np.arange(len(samples)) / sample_rate, samples)
    again = np.interp(times_s, np.arange(len(played)) / rate, played)
    assert np.corrcoef(original, again)[0, 1] > 0.99  # nothing shifted, nothing lost


def test_the_seam_is_known_also_for_shorter_recordings() -> None:
    run = written_run()  # two seconds of context if available, and two are added
    add_take(run, "whole", seconds=4.0)
    add_take(run, "short", seconds=2.5)
    page = run_page(run)
    assert "begins at 2.0 s and lasts until 4.0 s" in page
    assert "begins at 500 ms and lasts until 2.5 s" in page


def test_the_true_continuation_and_a_second_take_stand_beside_the_models() -> None:
    run = written_run()
    add_take(run, "one")
    add_companions(run, "one", seconds=3.0)
    page = run_page(run)
    found = [str(each["aria-label"]) for each in Page(page).named("audio")]
    assert found == [
        "one: The model's continuation",
        "one: The recording itself",
        "one: The model's second take",
    ]
    assert len(Page(page).named("img")) == 2
    # The recording ends sooner than the model was asked to go on; the seam is the same.
    assert page.count("begins at 2.0 s and lasts until 3.0 s") == 2


def test_notes_are_given_as_a_file_to_save() -> None:
    run = written_run("piano-roll")
    roll = np.zeros((32, 88), np.uint8)
    roll[4:20, 40] = 1
    path = run.artifacts / "sounds" / "piece-continued.mid"
    write_midi(path, roll, 4, 120.0)
    page = Page(run_page(run))
    (link,) = page.named("a")
    assert link["download"] == path.name
    assert decoded(link["href"]) == path.read_bytes()
    assert "the continuation begins at 2.0 s" in run_page(run)


def test_a_name_that_is_no_text_and_a_damaged_sound_do_no_harm(tmp_path: Path) -> None:
    run = written_run()
    add_take(run, "cafe")
    for folder, suffix in (("sounds", "wav"), ("pictures", "png")):
        path = run.artifacts / folder / f"cafe-continued.{suffix}"
        path.rename(path.with_name(f"caf\udce9-continued.{suffix}"))
    (run.artifacts / "sounds" / "broken-continued.wav").write_bytes(b"RIFF")
    (run.artifacts / "pictures" / "broken-continued.png").write_bytes(b"GIF89a")
    write_page(tmp_path / "page.html", run_page(run))
    page = (tmp_path / "page.html").read_text()
    assert "it cannot be read" in page
    assert len(Page(page).named("audio")) == 1


def test_a_long_sound_is_played_around_its_seam() -> None:
    run = written_run(samples=SamplesConfig(context_seconds=100.0, seconds=100.0))
    samples = add_take(run, "long", seconds=200.0)
    page = run_page(run)
    ((played, rate),) = sounds_of(page)
    assert len(played) == 60 * rate
    assert np.corrcoef(samples[80 * rate : 140 * rate], played)[0, 1] > 0.99
    assert "begins at 20.0 s and lasts until 60.0 s" in page
    assert "all 3.3 min are in <code>sounds/long-continued.wav</code>" in page


def test_a_page_stays_small_and_names_what_it_leaves_out() -> None:
    run = written_run()
    for number in range(4):
        add_take(run, f"take-{number}")
        picture = run.artifacts / "pictures" / f"take-{number}-continued.png"
        picture.write_bytes(picture.read_bytes() + noise(1_000_000).tobytes())
    page = run_page(run)
    assert len(page.encode()) < LARGEST_PAGE
    assert len(Page(page).named("audio")) == 4  # of what there was room for, sounds are small
    assert "it does not include take-2-continued.png, take-3-continued.png;" in page
