"""What the doctor finds, for tests to ask."""

from pathlib import Path
from typing import Any

from pipeline.diagnostics.diagnose import diagnose
from pipeline.diagnostics.findings import Examination
from pipeline.model.storage import save_model
from tests.helpers.builders import tiny_model


def only(examined: list[Examination]) -> Examination:
    (one,) = examined
    return one


def examined(path: Path, **arguments: Any) -> Examination:
    return only(list(diagnose([str(path)], **arguments)))


def found(one: Examination, name: str) -> str:
    """The severity of the finding of that name; empty where there is none."""
    severities = [finding.severity for finding in one.findings if finding.name == name]
    return severities[0] if severities else ""


def model_folder(path: Path, trained: dict[str, Any] | None = None, **settings: Any) -> Path:
    model = tiny_model(settings.pop("input", None), **settings)
    facts = {"updates": 1000, "epochs": 3, "best_epoch": 3, "elapsed_s": 9.0} if trained is None else trained
    weights = model.network.state_dict()
    save_model(path, weights, model.input, model.model, model.normalisation, facts)
    return path
