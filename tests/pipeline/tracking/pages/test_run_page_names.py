"""Names in the descriptions that MLflow shows, of runs, comparisons, models and decisions, are text."""

from pathlib import Path
from typing import Any

import pytest

from pipeline.common.files import write_json
from pipeline.promotion.decision import Decision
from pipeline.promotion.record import describe_decision
from pipeline.registry.descriptions import DECISION, MODEL, model_text, version_facts, with_section
from pipeline.tracking.artifact_names import artifact_name
from pipeline.tracking.pages.comparison_page import describe_comparison
from pipeline.tracking.pages.run_page import describe, page_tags
from pipeline.tracking.sync_state import parameters, tags
from tests.helpers.pages.hostile import HOSTILE, UNSHOWN, markdown_parts, markdown_text
from tests.helpers.reported_runs import written_run

FIGURES = {"nats_per_step": 2.5, "bits_per_sample": 7.25}


def comparison_of(name: str) -> str:
    evaluation = {"split": "test", "recordings": 3, "groups": 2, "seconds": 90.0, "model": FIGURES}
    summary = {
        "name": name,
        "evaluations": {name: {**evaluation, "baselines": {name: FIGURES}}},
        "parameters": {name: {"recurrent": 10}},
        "promotion": {"why": name},
        "failed": {name: name},
        "pictures": [f"/reports/{name.replace('/', '-')}.png"],
    }
    return describe_comparison(summary, {name: "#/experiments/1/runs/2"}, "2")


def decision_of(name: str) -> str:
    figures = {"bits": 7.0, "champion_bits": 7.5, "gain": 0.5, "interval": (0.4, 0.6), "p_value": 0.01}
    worst = {"worst_group": name, "worst_gain": 0.1}
    decision = Decision(verdict="better", why=name, unit="sample", **worst, **figures)  # type: ignore[arg-type]
    text = with_section(None, DECISION, describe_decision("kept", decision, 1))
    return with_section(text, MODEL, "A model.")


def described(name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    run = written_run()
    description = run.description()
    description["config"]["corpus"] |= {"inputs": [f"/home/{name}"], "group": name}
    description |= {"variant": name, "name": name, "fingerprint": name}
    status = {"status": "finished", "summary": {f"{name}_bits_per_sample": 1.0}, "device": name}
    return description, status


def version_of(name: str) -> str:
    run = written_run(name="versioned")
    write_json(run.path / "run.json", {**run.description(), "variant": name, "fingerprint": name})
    return version_facts(run, "#/experiments/1/runs/2")[0]


def run_of(name: str) -> str:
    return describe(*described(name))


def failed_run_of(name: str) -> str:
    description, _ = described(name)
    return describe(description, {"status": "failed", "reason": name})


def model_of(name: str) -> str:
    return model_text(name, written_run(name="described"))


@pytest.mark.parametrize("text_of", [comparison_of, decision_of, run_of, failed_run_of, version_of, model_of])
@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_adds_no_markup_no_link_and_no_row(text_of: Any, name: str) -> None:
    text = text_of(name)
    without_addresses = [part[:2] for part in markdown_parts(text)]
    assert without_addresses == [part[:2] for part in markdown_parts(text_of("ordinary"))]
    addresses = {address for _, _, address in markdown_parts(text)} - {""}
    assert all(address.startswith(("#/experiments/1/runs/2", "get-artifact?path=")) for address in addresses)
    assert not UNSHOWN & set(text)


def test_a_name_is_shown_as_it_is() -> None:
    for text_of in (comparison_of, decision_of, run_of, failed_run_of, version_of):
        for name in (HOSTILE[0], HOSTILE[2], HOSTILE[6].replace("\n", " ")):
            assert name in markdown_text(text_of(name))


@pytest.mark.parametrize("name", HOSTILE)
def test_tags_parameters_and_names_of_artifacts_are_of_one_direction_and_line(name: str) -> None:
    description, status = described(name)
    values = parameters(description) | tags(description, status)
    shown = "".join([*values.values(), *values, artifact_name(f"sounds/{name}.wav")])
    assert not (UNSHOWN | {"\n"}) & set(shown)
    notes = page_tags(description, status)
    assert not UNSHOWN & set("".join(notes.values()))
    assert not set("<>\"'|*?#:\\") & set(artifact_name(Path(name.replace("/", "-")).name))
