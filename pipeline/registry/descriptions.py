"""Descriptions and tags of registered models and versions in the store, in Markdown.

The description of a version has two sections, the model's figures and the decision on it, which are written
at different times. Each replaces its own section.
"""

import shlex
from typing import Any

from pipeline.errors import UserError, printable
from pipeline.tracking.pages.comparison_page import report_address
from pipeline.tracking.pages.run_page import plain, run_name
from pipeline.tracking.run_folder import RunFolder
from pipeline.tracking.sync_state import numbers

MODEL, DECISION = "### Model", "### Decision"
SECTIONS = (MODEL, DECISION)
FIGURES = {
    "bits_per_sample/test": "bits per sample, test split",
    "bits_per_sample/flac": "bits per sample of FLAC",
    "bits_per_sample/below_flac": "bits per sample below FLAC",
    "nats_per_step/test": "nats per step, test split",
    "nats_per_step/best_valid": "nats per step, validation split",
}
"""Figures that a version carries, by their names in MLflow."""


def with_section(description: str | None, title: str, text: str) -> str:
    """Return a description in which one section is replaced; a text without sections is a decision.

    Args:
        description: the present one.
        title: `MODEL` or `DECISION`.
        text: the section's new content.
    """
    parts = {title: text.strip()}
    for other in SECTIONS:
        if other != title and (found := _section(description or "", other)):
            parts[other] = found
    return "\n\n".join(f"{each}\n\n{parts[each]}" for each in SECTIONS if each in parts)


def _section(description: str, title: str) -> str:
    """Return the content of a section, empty where it is missing."""
    if not any(each in description for each in SECTIONS):  # written by an earlier release
        return description.strip() if title == DECISION else ""
    _, found, rest = description.partition(title)
    for other in SECTIONS:
        rest = rest.partition(other)[0]
    return rest.strip() if found else ""


def version_facts(run: RunFolder, page: str) -> tuple[str, dict[str, str]]:
    """Return the Markdown section on a version's model, and its tags: the figures and the kind of input.

    Args:
        run: the run that trained it.
        page: address of that run's page within the MLflow UI.
    """
    description, status = run.description(), run.status()
    settings = description["config"]["input"]
    rate = f" at {settings['sample_rate']:,} Hz" if "sample_rate" in settings else ""
    kind = f"{settings['kind']}{rate}"
    figures = {name: value for name, value in numbers(run, status).items() if name in FIGURES}
    lines = [
        f"**{plain(run_name(description))}**, on {kind}. Data set {plain(description['fingerprint'])}.",
        f"[Run]({page})" + _report(run, page),
    ]
    if figures:
        lines += ["", "| figure | value |", "|---|---:|"]
        lines += [f"| {FIGURES[name]} | {figures[name]:.3f} |" for name in FIGURES if name in figures]
    tags = {name: f"{value:.4f}" for name, value in figures.items()}
    return "\n".join(lines), {**tags, "input": kind, **_parameters(status)}


def _report(run: RunFolder, page: str) -> str:
    there = (run.artifacts / "report.html").exists()
    return f", [report with plots and sounds]({report_address(page)})" if there else ""


def _parameters(status: dict[str, Any]) -> dict[str, str]:
    counted = status.get("parameters", {}).get("all")
    return {} if counted is None else {"parameters": str(counted)}


def model_text(name: str, run: RunFolder) -> str:
    """Return the Markdown description of a registered model, from its first run.

    Args:
        name: of the registered model.
        run: the run of its first version.
    """
    try:
        config = run.config()
    except UserError:
        return ""
    return "\n".join(
        [
            f"Models of the configuration `{config.name}`: each predicts the next values of "
            f"a {config.input.kind} from those before.",
            "",
            "The alias `champion` marks the version that commands use by default, and `previous` the one "
            "before it. A new version becomes the champion only if it is shown to be better on held-out "
            "recordings. Each version states its figures and the decision on it.",
            "",
            "```sh",
            f"wavecast predict RECORDING --model {shlex.quote(printable(f'{name}@champion'))}",
            f"mlflow models serve --model-uri {shlex.quote(printable(f'models:/{name}@champion'))} "
            "--env-manager local",
            "```",
        ]
    )
