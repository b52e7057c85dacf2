"""Reproduction of all published comparisons: units, heads, horizons, music, timings.

Each part is a run of a configuration in `configs/`. Finished trainings are not repeated.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.benchmarks.models import bench_models
from pipeline.common.files import atomic_path, data_dir, expanded, read_json, write_json
from pipeline.config.loading import load_config
from pipeline.config.run import RunConfig
from pipeline.data.corpora.named import find_sources
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


def study(speech: Path, music: Path | None, settings: Sequence[str] = ()) -> Path:
    """Train and score all published comparisons.

    Args:
        speech: folder of recordings.
        music: folder of sets of music; None leaves these out.
        settings: texts `key=value` that change every part.

    Returns:
        The path of a Markdown file with all tables; beside it lies `study.json`.

    Raises:
        UserError: a folder or a setting cannot be used.
        VariantsFailed: parts failed, or variants of them; the tables have the others.
    """
    for folder in (speech, music):
        if folder is not None and not expanded(str(folder)).exists():
            raise UserError(f"{folder}: no such file or folder")
    sets = [Path(str(source.path)) for source in find_sources([music])] if music else []
    # All settings are checked before the first training, which may take hours.
    of_speech = {name: _config(name, speech, name, settings) for name in SPEECH_PARTS}
    of_music = {path.stem: _config("music", path, f"music-{path.stem}", settings) for path in sets}
    failures: dict[str, str] = {}
    found = _run_each(of_speech, failures)
    found["music"] = _run_each(of_music, failures)
    found["timings"] = bench_models()
    report = data_dir() / "reports" / "study"
    write_json(report / "study.json", found)
    with atomic_path(report / "study.md") as temporary:
        temporary.write_text("\n".join(_tables(found)) + "\n")
    if failures:
        named = "; ".join(f"{name}: {reason}" for name, reason in failures.items())
        raise VariantsFailed(f"{named}; {report / 'study.md'} has the others", report / "study.md")
    return report / "study.md"


def _config(name: str, inputs: Path, run_name: str, settings: Sequence[str]) -> RunConfig:
    config = load_config(Path(name), [*settings, f"name={run_name}"])
    corpus = config.corpus.model_copy(update={"inputs": [expanded(str(inputs)).absolute()]})
    return config.model_copy(update={"corpus": corpus})


def _run_each(parts: Mapping[str, RunConfig], failures: dict[str, str]) -> dict[str, Any]:
    """Run each part, and return the summaries of those that have one; the others do not stop them.

    Args:
        parts: configurations by the names of the parts.
        failures: receives the reason of each part that failed in whole or in part.
    """
    found: dict[str, Any] = {}
    for name, config in parts.items():
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


def _tables(found: Mapping[str, Any]) -> Iterator[str]:
    for name in SPEECH_PARTS:
        if name in found:
            yield f"### {HEADINGS[name]}\n"
            yield from (_horizons if name == "horizons" else _likelihoods)(found[name])
    if found["music"]:
        yield "### Music, nats per step\n"
        yield from _music(found["music"])
    yield "### Time\n"
    yield from _timings(found["timings"])


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


def _music(sets: Mapping[str, Any]) -> Iterator[str]:
    yield _row("model", *sets)
    yield "|---|" + "---:|" * len(sets)
    tables = [summary["evaluations"] for summary in sets.values()]
    for name in dict.fromkeys(name for table in tables for name in table):
        models = (table[name]["model"] if name in table else None for table in tables)
        yield _row(name, *map(_nats, models))
    for name in next(iter(tables[0].values()))["baselines"]:
        yield _row(name, *(_nats(next(iter(table.values()))["baselines"][name]) for table in tables))
    yield ""


def _nats(figures: Mapping[str, float] | None) -> str:
    return "" if figures is None else f"{figures['nats_per_step']:.2f}"


def _timings(figures: Mapping[str, Any]) -> Iterator[str]:
    yield f"| {figures['what']} | ratio |"
    yield "|---|---:|"
    for name, ratio in figures["cells"].items():
        yield _row(f"{name}: time over the library's kernel", f"{ratio:.2f}")
    for name, share in figures["heads"].items():
        yield _row(f"{name}: head and loss of an update", f"{share:.0%}")
    yield ""


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
