"""The summary on a flow run's page: figures, decision and links, and nothing that a file's name adds."""

from pathlib import Path
from typing import Any

import pytest

from pipeline.config.loading import load_config
from pipeline.services.settings import ServiceSettings, write_settings
from tests.helpers.pages.hostile import HOSTILE, UNSHOWN, markdown_parts, markdown_text


def summary(text: str = "it is better") -> dict[str, Any]:
    figures = {"nats_per_step": 2.5, "bits_per_sample": 7.25}
    evaluation = {
        "split": "test",
        "recordings": 3,
        "groups": 2,
        "seconds": 90.0,
        "model": figures,
        "baselines": {"FLAC": {"nats_per_step": None, "bits_per_sample": 8.0}},
    }
    return {
        "name": "speech",
        "runs": {"gru": "/runs/speech-gru-1"},
        "parameters": {"gru": {"recurrent": 1824}},
        "evaluations": {"gru": evaluation},
        "promotion": {"name": text, "version": 3, "promoted": True, "champion": 3, "why": text},
        "gains": {"gru": text},
        "failed": {"lstm": text},
        "pages": [text],
    }


def test_the_page_has_figures_decision_and_failures() -> None:
    from flows.pages.artifacts import summary_markdown

    page = summary_markdown(summary(), Path("/reports/summary.json"), None).replace("\\", "")
    assert "| gru | 1,824 | 2.500 | 7.250 |" in page
    assert "| baseline: FLAC |  |  | 8.000 |" in page
    assert "version 3 became champion: it is better" in page
    assert "Variant lstm: it is better" in page
    assert "**Cost and gain.** gru: it is better" in page
    assert "wavecast ui" in page


def summary_of(text: str) -> dict[str, Any]:
    """A summary in which everything that can be named has this name."""
    found = summary(text)
    evaluation = found["evaluations"]["gru"] | {"split": text}
    evaluation["baselines"] = {text: evaluation["baselines"]["FLAC"]}
    return found | {
        "name": text,
        "runs": {text: "/runs/speech-gru-1"},
        "parameters": {text: {"recurrent": 1824}},
        "evaluations": {text: evaluation},
        "gains": {text: text},
        "failed": {text: text},
    }


@pytest.mark.parametrize("text", HOSTILE)
def test_a_name_adds_neither_links_nor_markup(text: str) -> None:
    from flows.pages.artifacts import summary_markdown

    page = summary_markdown(summary_of(text), Path(f"/reports/{text}.json"), None)
    assert markdown_parts(page) == markdown_parts(
        summary_markdown(summary_of("ordinary"), Path("/reports/ordinary.json"), None)
    )
    assert not UNSHOWN & set(page)


def test_a_name_is_shown_as_it_is() -> None:
    from flows.pages.artifacts import summary_markdown

    for text in (HOSTILE[0], HOSTILE[2], HOSTILE[3]):
        page = summary_markdown(summary_of(text), Path("/reports/summary.json"), None)
        assert markdown_text(page).count(text) >= 6


def test_models_and_runs_are_linked_where_the_address_of_mlflow_is_known(tmp_path: Path) -> None:
    from flows.pages.tracking_links import model_link, run_link, ui_address
    from pipeline.tracking.run_folder import start_run
    from pipeline.tracking.sync_state import SyncState, save_sent

    config = load_config(None, ["tracking.uri=https://user:secret@mlflow.example:5000/base/"])
    address = ui_address(config.tracking.uri)
    assert address == "https://mlflow.example:5000/base"
    run = start_run(config, tmp_path / "dataset.json", "0")
    assert run_link(address, run.path) == ""
    save_sent(run, SyncState("https://***@mlflow.example:5000/base/", run_id="1a2b"))
    assert run_link(address, run.path) == "https://mlflow.example:5000/base/#/runs/1a2b"
    assert model_link(address, "a) <b>", 2) == f"{address}/#/models/a%29%20%3Cb%3E/versions/2"


def test_the_services_address_is_used_for_the_local_store(own_data_dir: Path) -> None:
    from flows.pages.tracking_links import ui_address

    assert ui_address(None) is None
    write_settings(ServiceSettings("recordings", mlflow_port=5055))
    assert ui_address(None) == "http://127.0.0.1:5055"
    (own_data_dir / "services" / "settings.json").write_text("{}")
    assert ui_address(None) is None


def test_keys_are_those_that_prefect_accepts() -> None:
    from flows.pages.artifacts import key_of

    assert key_of("Speech_8k.v2", "training", "GRU") == "speech-8k-v2-training-gru"
    assert key_of("a", "training", "") == "a-training"
