"""Page of a run: self-contained, correct, and safe against names that users choose."""

import html
import shlex
import shutil
from itertools import pairwise
from pathlib import Path

import pytest

from pipeline.cli.commands.models.report import report
from pipeline.common.files import data_dir, read_json, write_json
from pipeline.config.run import CorpusConfig, RunConfig, TrackingConfig
from pipeline.errors import UserError
from pipeline.reports.html import page_of, run_page
from pipeline.stages import evaluate_stage
from pipeline.tracking.run_folder import RunFolder, start_run
from tests.helpers.pages.report import Page
from tests.helpers.reported_runs import KINDS, NASTY, add_take, written_run
from tests.helpers.tracked_runs import add_model, artifact_names

CONTENT_POLICY = "default-src 'none'; img-src data:; media-src data:; style-src 'unsafe-inline'"


@pytest.mark.slow
@pytest.mark.usefixtures("local_store")
def test_evaluating_writes_the_page_and_the_tracking_server_gets_it(evaluated_once: RunFolder) -> None:
    run = RunFolder(shutil.copytree(evaluated_once.path, data_dir() / "runs" / evaluated_once.path.name))
    shutil.rmtree(run.artifacts)
    evaluate_stage(run.path)
    page = (run.artifacts / "report.html").read_text()
    assert page == run_page(run)
    assert "begins at 300 ms and lasts until 500 ms" in page
    assert len(Page(page).named("img")) == 6
    assert len(Page(page).named("audio")) == 3
    assert "report.html" in artifact_names(run)


def test_the_page_has_the_figures_of_the_run(evaluated: RunFolder) -> None:
    page = html.unescape(run_page(evaluated))
    figures = read_json(evaluated.artifacts / "evaluation.json", "evaluation")
    message = [*figures["baselines"], evaluated.description()["fingerprint"], evaluated.path.name]
    message += [f"{evaluated.status()['parameters'][which]:,}" for which in ("all", "recurrent")]
    message.append(f"{figures['model']['bits_per_sample']:.2f}")
    message += [f"{abs(found['nats_per_step']):.2f}" for found in figures["horizons"].values()]
    assert not [each for each in message if each not in page]
    shown = {each["alt"] for each in Page(page).named("img")}
    assert len(shown) == 5  # the curve, the bars, the horizons, the reach and the continued recording


def test_the_page_of_notes_has_steps_in_place_of_seconds() -> None:
    page = html.unescape(run_page(written_run("piano-roll")))
    assert "2 recordings or 3,200 steps" in page
    assert "4.0 s" not in page
    assert "2 recordings or 4.0 s" in run_page(written_run("spectrogram"))


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


def test_a_page_has_figures_by_recording_and_by_group(evaluated: RunFolder) -> None:
    page = html.unescape(run_page(evaluated))
    figures = read_json(evaluated.artifacts / "evaluation.json", "evaluation")
    listed = page.partition("by recording, the worst first")[2].partition("</table>")[0]
    worst = max(figures["of_recordings"], key=lambda row: row["bits_per_sample"])
    first_row = listed.partition("<tbody>")[2].partition("</tr>")[0]
    assert worst["name"] in first_row
    assert f"{worst['bits_per_sample']:.2f}" in first_row
    assert all(row["name"] in listed for row in figures["of_recordings"])


def test_the_environment_is_the_trainings_not_the_pages() -> None:
    run = written_run()
    assert "trained with" not in run_page(run)  # a run of before environments were recorded
    run.set_status("finished", environment={"python": "9.9.9", "system": "Other-OS", "commit": "0a1b2c3d"})
    page = run_page(run)
    assert "python 9.9.9, on Other-OS" in page
    assert "<code>0a1b2c3d</code>" in page


def test_a_page_names_no_folder_of_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAVECAST_DATA", str(tmp_path / "home"))
    run = written_run(corpus=CorpusConfig(inputs=[tmp_path / "voices"]))
    run.set_status("failed", reason=f"{run.path}: the loss stays non-finite")
    add_model(run)
    page = run_page(run)
    assert "voices" in page
    assert str(tmp_path) not in page
    lone = shutil.copytree(run.model, tmp_path / "elsewhere" / "model")
    shutil.rmtree(run.path)
    assert str(tmp_path) not in page_of(str(lone))


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


def test_a_password_of_the_tracking_server_is_not_printed() -> None:
    assert "hunter2" not in run_page(
        written_run(tracking=TrackingConfig(uri="https://me:hunter2@tracking.example"))
    )


def test_commands_name_the_model_by_its_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAVECAST_DATA", str(tmp_path / "it's <my> $HOME & data"))
    run = written_run()
    commands = [shlex.split(code) for code in Page(run_page(run)).codes if code.startswith("wavecast ")]
    assert [command[1] for command in commands] == ["predict", "score"]
    assert all(command[command.index("--model") + 1] == run.path.name for command in commands)


def test_a_variant_is_also_known_by_its_name_in_the_registry() -> None:
    run = start_run(RunConfig(), Path("dataset.json"), "0123abcd", variant="gru")
    assert any(code.endswith(" --model models:/wavecast@gru") for code in Page(run_page(run)).codes)


def test_settings_beside_the_defaults_are_those_that_differ() -> None:
    page = run_page(written_run())
    listed = page.partition("settings that differ from the defaults")[2].partition("</table>")[0]
    assert Page(listed).codes == ["input.sample_rate"]
    assert "<td>8000</td><td>16000</td>" in listed


def test_the_page_of_an_unfinished_run_states_its_status() -> None:
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
    assert f"--model {evaluated.path.name}" in pages["model"]


def test_errors_of_the_command_are_one_line(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    with pytest.raises(UserError, match=r"^nothing: no such model; .*"):
        report("nothing", output=path)
    run = written_run()
    report(run.path.name, output=path)
    with pytest.raises(UserError, match="exists already"):
        report(run.path.name, output=path)
    report(run.path.name, output=path, overwrite=True)
    write_json(tmp_path / "model" / "config.json", [])
    with pytest.raises(UserError, match="not a model of this version of wavecast"):
        page_of(str(tmp_path / "model"))


def test_a_lone_model_that_never_was_a_run_has_a_page() -> None:
    run = written_run()
    add_model(run)
    assert f"--model {run.path.name}/model" in page_of(str(run.model))
    assert data_dir() in run.path.parents
