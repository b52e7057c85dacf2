"""A run's page: whole in itself, true to the run, safe from what users name things, fit for any screen."""

import base64
import html
import io
import json
import shlex
import shutil
import subprocess
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from pipeline.audio_write import write_audio
from pipeline.canvas import new_figure, write_figure
from pipeline.config import RunConfig, SamplesConfig, TrackingConfig
from pipeline.config_files import load_config
from pipeline.config_input import InputConfig, PianoRollConfig, SpectrogramConfig, WaveformConfig
from pipeline.config_model import ModelConfig
from pipeline.errors import UserError
from pipeline.evaluation import evaluate
from pipeline.files import data_dir, read_json, write_json
from pipeline.midi import write_midi
from pipeline.report.page import page_of, run_page, write_page
from pipeline.reporting import picture_run
from pipeline.run_folder import RunFolder, start_run
from pipeline.stages import evaluate_stage, prepare_stage, start_stage
from pipeline.training import train
from pipeline.verbs.report import report
from tests.builders import noise, tone
from tests.sounds import write_noisy_tones
from tests.tracked_runs import add_model, artifact_names

NASTY = '"><img src=x onerror=alert(1)><script>alert(2)<'  # as far as a file's name can go
CONTENT_POLICY = "default-src 'none'; img-src data:; media-src data:; style-src 'unsafe-inline'"
LARGEST_PAGE = 8_000_000
BASELINES = {"FLAC": {"nats_per_step": None, "bits_per_sample": 8.25}}
KINDS: dict[str, InputConfig] = {
    "waveform": WaveformConfig(sample_rate=8_000),
    "spectrogram": SpectrogramConfig(kind="spectrogram"),
    "piano-roll": PianoRollConfig(kind="piano-roll"),
}
WIDTHS_PX = (320, 340, 500, 1200, 3840)


class Page(HTMLParser):
    """The elements of a page, in order, each with its attributes; and the text of `code` elements."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.codes: list[str] = []
        self._inside_code = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag == "code":
            self._inside_code = True
            self.codes.append("")

    def handle_endtag(self, tag: str) -> None:
        self._inside_code &= tag != "code"

    def handle_data(self, data: str) -> None:
        if self._inside_code:
            self.codes[-1] += data

    def named(self, *tags: str) -> list[dict[str, str | None]]:
        """The attributes of the elements of these kinds."""
        return [attributes for tag, attributes in self.elements if tag in tags]


def decoded(address: str | None) -> bytes:
    return base64.b64decode(str(address).partition("base64,")[2])


def written_run(kind: str = "waveform", name: str = "tiny", **sections: Any) -> RunFolder:
    """An evaluated run as far as its page goes: settings, figures, and no training."""
    head = "bernoulli" if kind == "piano-roll" else "gaussians"
    config = RunConfig(
        name=name, input=KINDS[kind], model=ModelConfig.model_validate({"head": head}), **sections
    )
    run = start_run(config, Path("dataset.json"), "0123abcd")
    run.set_status("finished", parameters={"all": 12_345, "recurrent": 999}, device="CPU", summary={})
    exact = isinstance(config.input, WaveformConfig)
    figures = {"nats_per_step": -3.5, "bits_per_sample": 7.5 if exact else None}
    baselines = BASELINES if exact else {"last frame again": {"nats_per_step": 1.25, "bits_per_sample": None}}
    evaluation = {
        "split": "test",
        "recordings": 2,
        "groups": 1,
        "seconds": 4.0,
        "steps": 3200,
        "horizons": {},
    }
    write_json(run.artifacts / "evaluation.json", {**evaluation, "model": figures, "baselines": baselines})
    return run


def add_take(run: RunFolder, name: str, seconds: float = 4.0, sample_rate: int = 8_000) -> np.ndarray:
    """A continued recording among the artifacts, with a picture; returns its samples."""
    samples = tone(round(seconds * sample_rate), sample_rate=sample_rate)
    write_audio(run.artifacts / "sounds" / f"{name}-continued.wav", samples, sample_rate)
    write_figure(new_figure(120), run.artifacts / "pictures" / f"{name}-continued.png")
    return samples


def sounds_of(page: str) -> list[tuple[np.ndarray, int]]:
    """Samples and rate of every player of a page."""
    return [soundfile.read(io.BytesIO(decoded(each["src"]))) for each in Page(page).named("audio")]


@pytest.fixture(scope="module")
def evaluated_once(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A run that was trained and evaluated; no server was told."""
    folder = tmp_path_factory.mktemp("run")
    corpus = write_noisy_tones(folder / "tones", count=10, seconds=0.5, sample_rate=8_000)
    chosen = ["input.sample_rate=8000", "corpus.group=recording", "model.hidden_size=8", "train.epochs=2"]
    chosen += ["model.mixture_components=2", "train.device=cpu", "evaluate.horizons=[1,4]"]
    chosen += ["samples.count=1", "samples.prime_seconds=0.3", "samples.seconds=0.2"]
    config = load_config(None, [f"corpus.inputs=[{corpus}]", *chosen])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WAVECAST_DATA", str(folder / "data"))
        run = RunFolder(start_stage(config, prepare_stage(config)))
        train(run)
    figures = evaluate(run.model, run.dataset, config.evaluate, "cpu")
    picture_run(run, figures)
    add_take(run, "tones-9", seconds=0.5)
    write_json(run.artifacts / "evaluation.json", figures)
    return run


@pytest.fixture
def evaluated(evaluated_once: RunFolder, monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    monkeypatch.setenv("WAVECAST_DATA", str(evaluated_once.path.parent.parent))
    return evaluated_once


@pytest.mark.slow
@pytest.mark.usefixtures("local_store")
def test_evaluating_writes_the_page_and_the_tracking_server_gets_it(evaluated_once: RunFolder) -> None:
    run = RunFolder(shutil.copytree(evaluated_once.path, data_dir() / "runs" / evaluated_once.path.name))
    shutil.rmtree(run.artifacts)
    evaluate_stage(run.path)
    page = (run.artifacts / "report.html").read_text()
    assert page == run_page(run)
    assert "begins at 300 ms and lasts until 500 ms" in page
    assert len(Page(page).named("img")) == 5
    assert "report.html" in artifact_names(run)


def test_the_page_says_what_the_run_found(evaluated: RunFolder) -> None:
    page = html.unescape(run_page(evaluated))
    figures = read_json(evaluated.artifacts / "evaluation.json", "evaluation")
    told = [*figures["baselines"], evaluated.description()["fingerprint"], evaluated.path.name]
    told += [f"{evaluated.status()['parameters'][which]:,}" for which in ("all", "recurrent")]
    told.append(f"{figures['model']['bits_per_sample']:.2f}")
    told += [f"{abs(found['nats_per_step']):.2f}" for found in figures["horizons"].values()]
    assert not [each for each in told if each not in page]
    shown = {each["alt"] for each in Page(page).named("img")}
    assert len(shown) == 5  # the curve, the bars, the horizons, the reach and the continued recording


def test_all_is_inside_the_page_and_nothing_in_it_runs(evaluated: RunFolder) -> None:
    page = Page(run_page(evaluated))
    (policy,) = [x["content"] for x in page.named("meta") if x.get("http-equiv")]
    assert str(policy).startswith(CONTENT_POLICY)
    assert not page.named("script", "iframe", "object", "embed", "form", "base")
    for tag, attributes in page.elements:
        for key, value in attributes.items():
            assert not key.startswith("on"), (tag, key)
            assert key not in ("src", "href", "srcset", "action") or str(value).startswith("data:"), (
                tag,
                key,
            )
    assert "url(" not in run_page(evaluated)
    assert "@import" not in run_page(evaluated)


@pytest.mark.parametrize("kind", KINDS)
def test_the_page_can_be_read_aloud_and_by_its_headings(kind: str) -> None:
    run = written_run(kind)
    add_take(run, "one")
    page = Page(run_page(run))
    levels = [int(tag[1]) for tag, _ in page.elements if tag in ("h1", "h2", "h3", "h4")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert page.named("html") == [{"lang": "en"}]
    assert all(each["alt"] for each in page.named("img"))
    assert all(each["aria-label"] for each in page.named("audio"))


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


def test_the_seam_is_told_also_where_the_recording_was_shorter() -> None:
    run = written_run()  # two seconds are heard where there are so many, and two are added
    add_take(run, "whole", seconds=4.0)
    add_take(run, "short", seconds=2.5)
    page = run_page(run)
    assert "begins at 2.0 s and lasts until 4.0 s" in page
    assert "begins at 500 ms and lasts until 2.5 s" in page


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


def test_whatever_users_name_things_stays_text() -> None:
    run = written_run()
    add_take(run, NASTY)
    described = run.description()
    described["config"]["corpus"]["inputs"] = [f"/home/{NASTY}"]
    write_json(run.path / "run.json", {**described, "variant": NASTY, "name": NASTY, "fingerprint": NASTY})
    run.set_status("failed", reason=NASTY, device=NASTY)
    page = run_page(run)
    plain = written_run(name="plain")
    add_take(plain, "plain")
    kinds = {tag for tag, _ in Page(page).elements}
    assert kinds == {tag for tag, _ in Page(run_page(plain)).elements}
    assert page.count(html.escape(NASTY, quote=False)[2:]) >= 7
    assert not [key for _, attributes in Page(page).elements for key in attributes if key.startswith("on")]


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


def test_a_password_of_the_tracking_server_is_not_told() -> None:
    assert "hunter2" not in run_page(
        written_run(tracking=TrackingConfig(uri="https://me:hunter2@tracking.example"))
    )


def test_a_long_sound_is_played_around_its_seam() -> None:
    run = written_run(samples=SamplesConfig(prime_seconds=100.0, seconds=100.0))
    samples = add_take(run, "long", seconds=200.0)
    page = run_page(run)
    ((played, rate),) = sounds_of(page)
    assert len(played) == 60 * rate
    assert np.corrcoef(samples[80 * rate : 140 * rate], played)[0, 1] > 0.99
    assert "begins at 20.0 s and lasts until 60.0 s" in page
    assert "all 3.3 min are in <code>sounds/long-continued.wav</code>" in page


def test_a_page_stays_small_and_says_what_it_leaves_out() -> None:
    run = written_run()
    for number in range(4):
        add_take(run, f"take-{number}")
        picture = run.artifacts / "pictures" / f"take-{number}-continued.png"
        picture.write_bytes(picture.read_bytes() + noise(1_000_000).tobytes())
    page = run_page(run)
    assert len(page.encode()) < LARGEST_PAGE
    assert len(Page(page).named("audio")) == 4  # of what there was room for, sounds are small
    assert "no room in this page for take-2-continued.png, take-3-continued.png;" in page


def test_commands_name_the_model_however_its_path_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WAVECAST_DATA", str(tmp_path / "it's <my> $HOME & data"))
    run = written_run()
    commands = [shlex.split(code) for code in Page(run_page(run)).codes if code.startswith("wavecast ")]
    assert [command[1] for command in commands] == ["predict", "evaluate"]
    assert all(command[command.index("--model") + 1] == str(run.model) for command in commands)


def test_a_variant_is_also_known_by_its_name_in_the_registry() -> None:
    run = start_run(RunConfig(), Path("dataset.json"), "0123abcd", variant="gru")
    assert any(code.endswith(" --model models:/wavecast@gru") for code in Page(run_page(run)).codes)


def test_settings_beside_the_defaults_are_those_that_differ() -> None:
    page = run_page(written_run())
    listed = page.partition("what differs from the defaults")[2].partition("</table>")[0]
    assert Page(listed).codes == ["input.sample_rate"]
    assert "<td>8000</td><td>16000</td>" in listed


def test_a_run_that_is_not_done_has_a_page_that_says_so() -> None:
    run = start_run(RunConfig(), Path("dataset.json"), "0123abcd")
    assert "not been evaluated yet" in run_page(run)
    run.set_status("failed", reason="the disk is full")
    assert "not been evaluated: the disk is full" in run_page(run)


def test_the_verb_takes_a_folder_a_name_or_a_model(
    evaluated: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    named = {"folder": evaluated.path, "name": evaluated.path.name, "model": evaluated.model}
    for what, target in named.items():
        report(str(target), output=tmp_path / f"{what}.html")
        assert capsys.readouterr().out == f"{tmp_path / what}.html\n"
    pages = {what: (tmp_path / f"{what}.html").read_text() for what in named}
    assert pages["folder"] == pages["name"]
    count = f"{evaluated.status()['parameters']['all']:,}"
    assert count in pages["model"]
    assert str(evaluated.model) in pages["model"]


def test_the_verb_refuses_in_one_line_what_it_cannot_do(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    with pytest.raises(UserError, match=r"^nothing: no such run or model; give .*"):
        report("nothing", output=path)
    run = written_run()
    report(run.path.name, output=path)
    with pytest.raises(UserError, match="exists already"):
        report(run.path.name, output=path)
    report(run.path.name, output=path, overwrite=True)
    write_json(tmp_path / "model" / "config.json", [])
    with pytest.raises(UserError, match="not that of a wavecast model"):
        page_of(str(tmp_path / "model"))


def test_a_lone_model_that_never_was_a_run_has_a_page() -> None:
    run = written_run()
    add_model(run)
    assert str(run.model) in page_of(str(run.model))
    assert data_dir() in run.path.parents


MEASURE = """<!DOCTYPE html><pre id="found"></pre>
<script>
const frames = %s.map(([address, width]) => {
  const frame = document.createElement("iframe");
  Object.assign(frame, {src: address, width, height: 800});
  document.body.append(frame);
  return new Promise(done => { frame.onload = () => done(frame.contentDocument); });
});
const known = sound =>
  sound.readyState ? 0 : new Promise(done => { sound.onloadedmetadata = sound.onerror = done; });
Promise.all(frames.map(async frame => {
  const page = await frame, sounds = [...page.querySelectorAll("audio")];
  await Promise.all(sounds.map(known));
  return {
    url: page.URL, width: page.documentElement.scrollWidth, room: page.documentElement.clientWidth,
    durations: sounds.map(x => x.duration), images: [...page.images].map(x => x.naturalWidth),
    scripts: page.scripts.length,
  };
})).then(found => { document.getElementById("found").textContent = JSON.stringify(found); });
</script>"""


@pytest.mark.slow
def test_a_browser_shows_and_plays_it_at_any_width_without_complaint(
    evaluated: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = next(filter(None, map(shutil.which, ("chromium", "google-chrome", "chromium-browser"))), None)
    if browser is None:
        pytest.skip("neither chromium nor google-chrome is installed")
    monkeypatch.setenv("WAVECAST_DATA", str(tmp_path))
    nasty = written_run(name="a" * 60)
    add_take(nasty, NASTY, sample_rate=2_000)
    pages = {
        "evaluated": run_page(evaluated),
        "nasty": run_page(nasty),
        "model": page_of(str(evaluated.model)),
    }
    for name, page in pages.items():
        write_page(tmp_path / f"{name}.html", page)
    asked = [(f"{name}.html", width) for name in pages for width in WIDTHS_PX]
    (tmp_path / "measure.html").write_text(MEASURE % json.dumps(asked))
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files", "--dump-dom"]
    flags += ["--enable-logging=stderr", "--virtual-time-budget=20000", f"--user-data-dir={tmp_path / 'own'}"]
    command = [browser, *flags, f"file://{tmp_path}/measure.html"]
    seen = subprocess.run(command, capture_output=True, text=True, timeout=300)
    told = seen.stdout.partition('<pre id="found">')[2].partition("</pre>")[0]
    found = json.loads(html.unescape(told))
    assert len(found) == len(asked)
    assert "CONSOLE" not in seen.stderr
    for page in found:
        assert page["width"] <= page["room"], page
        assert page["scripts"] == 0
        assert all(page["images"])
        assert all(duration > 0 for duration in page["durations"])
    assert {len(page["durations"]) for page in found} == {1}
