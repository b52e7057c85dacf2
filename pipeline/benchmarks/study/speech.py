"""The comparisons on speech: units, heads, horizons.

Each part is a run of a configuration in `configs/`. Finished trainings are not repeated.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.common.files import expanded, read_json
from pipeline.config.loading import load_config
from pipeline.config.run import RunConfig
from pipeline.errors import UserError, VariantsFailed, print_notice, reason_of
from pipeline.plots.horizons import difference
from pipeline.stages import run_stages

SPEECH_PARTS = ("speech", "study", "heads", "horizons")
HEADINGS = {
    "speech": "Units at equal parameter counts, with the library's kernels",
    "study": "Units at equal parameter counts, exactly as in Chung et al. (2014)",
    "heads": "Covariance of the mixture, GRU of 227 units",
    "horizons": "Steps ahead",
}


def speech_configs(folder: Path, settings: Sequence[str]) -> dict[str, RunConfig]:
    """Return the configuration of each part.

    Args:
        folder: the recordings.
        settings: texts `key=value` that change every part.

    Raises:
        UserError: a setting cannot be used.
    """
    return {name: config_for(name, folder, name, settings) for name in SPEECH_PARTS}


def config_for(name: str, inputs: Path, run_name: str, settings: Sequence[str]) -> RunConfig:
    """Return a configuration of the project with other inputs, another name and changed settings."""
    config = load_config(Path(name), [*settings, f"name={run_name}"])
    corpus = config.corpus.model_copy(update={"inputs": [expanded(str(inputs)).absolute()]})
    return config.model_copy(update={"corpus": corpus})


def study_speech(configs: Mapping[str, RunConfig], failures: dict[str, str]) -> dict[str, Any]:
    """Run each part, and return the summaries of those that have one; the others do not stop them.

    Args:
        configs: configurations by the names of the parts.
        failures: receives the reason of each part that failed in whole or in part.
    """
    found: dict[str, Any] = {}
    for name, config in configs.items():
        try:
            summary = run_stages(config)
        except VariantsFailed as problem:
            failures[name], summary = reason_of(problem), problem.summary
        except (UserError, OSError) as problem:
            failures[name] = reason_of(problem)
            print_notice(f"{name} failed: {failures[name]}")
            continue
        found[name] = dict(read_json(summary, "summary of a run"))
    return found


def speech_tables(found: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines of the tables of all parts that were run, in Markdown."""
    for name in SPEECH_PARTS:
        if name in found:
            yield f"### {HEADINGS[name]}\n"
            yield from (_horizons if name == "horizons" else _likelihoods)(found[name])


def _likelihoods(summary: Mapping[str, Any]) -> Iterator[str]:
    evaluations, parameters = summary["evaluations"], summary["parameters"]
    yield "| model | recurrent parameters | nats per step | bits per sample |"
    yield "|---|---:|---:|---:|"
    for name, evaluation in evaluations.items():
        yield _row(name, f"{parameters[name]['recurrent']:,}", *_pair(evaluation["model"]))
    for name, baseline in next(iter(evaluations.values()))["baselines"].items():
        yield _row(name, "", *_pair(baseline))
    yield ""


def _pair(figures: Mapping[str, float | None]) -> list[str]:
    both = (figures["nats_per_step"], figures["bits_per_sample"])
    return ["" if figure is None else f"{figure:.2f}" for figure in both]


def _horizons(summary: Mapping[str, Any]) -> Iterator[str]:
    evaluations = summary["evaluations"]
    steps = list(next(iter(evaluations.values()))["horizons"])
    yield _row("nats per step, steps ahead", "all, conditioned on all steps before", *steps)
    yield "|---|" + "---:|" * (1 + len(steps))
    first = next(iter(evaluations.values()))["horizons"]
    for name, evaluation in evaluations.items():
        ahead = [_ahead(found, first[steps]) for steps, found in evaluation["horizons"].items()]
        yield _row(name, f"{evaluation['model']['nats_per_step']:.2f}", *ahead)
    yield ""


def _ahead(found: Mapping[str, Any], first: Mapping[str, Any]) -> str:
    """Return nats, and the standard error of their difference to the first model's."""
    _, error = difference(found, first)
    return f"{found['nats_per_step']:.2f}" + (f" ± {error:.2f}" if error else "")


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
