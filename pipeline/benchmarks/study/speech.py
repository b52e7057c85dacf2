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
from pipeline.errors import UserError
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
    """
    for folder in (speech, music):
        if folder is not None and not expanded(str(folder)).exists():
            raise UserError(f"{folder}: no such file or folder")
    sets = [Path(str(source.path)) for source in find_sources([music])] if music else []
    # All settings are checked before the first training, which may take hours.
    of_speech = {name: _config(name, speech, name, settings) for name in SPEECH_PARTS}
    of_music = {path.stem: _config("music", path, f"music-{path.stem}", settings) for path in sets}
    found: dict[str, Any] = {name: _run(config) for name, config in of_speech.items()}
    found["music"] = {name: _run(config) for name, config in of_music.items()}
    found["timings"] = bench_models()
    report = data_dir() / "reports" / "study"
    write_json(report / "study.json", found)
    with atomic_path(report / "study.md") as temporary:
        temporary.write_text("\n".join(_tables(found)) + "\n")
    return report / "study.md"


def _config(name: str, inputs: Path, run_name: str, settings: Sequence[str]) -> RunConfig:
    config = load_config(Path(name), [*settings, f"name={run_name}"])
    corpus = config.corpus.model_copy(update={"inputs": [expanded(str(inputs)).absolute()]})
    return config.model_copy(update={"corpus": corpus})


def _run(config: RunConfig) -> dict[str, Any]:
    return dict(read_json(run_stages(config), "summary of a run"))


def _tables(found: Mapping[str, Any]) -> Iterator[str]:
    for name in SPEECH_PARTS[:-1]:
        yield f"### {HEADINGS[name]}\n"
        yield from _likelihoods(found[name])
    yield f"### {HEADINGS['horizons']}\n"
    yield from _horizons(found["horizons"])
    if found["music"]:
        yield "### Music, nats per step\n"
        yield from _music(found["music"])
        yield "### Music, nats per step, mean over pieces\n"
        yield from _music_by_piece(found["music"])
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
    first = next(iter(sets.values()))["evaluations"]
    tables = [summary["evaluations"] for summary in sets.values()]
    for name in first:
        yield _row(name, *(f"{table[name]['model']['nats_per_step']:.2f}" for table in tables))
    for name in next(iter(first.values()))["baselines"]:
        found = (next(iter(table.values()))["baselines"][name]["nats_per_step"] for table in tables)
        yield _row(name, *(f"{figure:.2f}" for figure in found))
    yield ""


def _music_by_piece(sets: Mapping[str, Any]) -> Iterator[str]:
    """Yield the table in which each piece counts the same, however long it is.

    The study does not state which of the two means it reports; on MuseData they differ by 0.7.
    """
    yield _row("model", *sets)
    yield "|---|" + "---:|" * len(sets)
    tables = [summary["evaluations"] for summary in sets.values()]
    for name in tables[0]:
        pieces = ([each["nats_per_step"] for each in table[name]["of_recordings"]] for table in tables)
        yield _row(name, *(f"{sum(nats) / len(nats):.2f}" for nats in pieces))
    yield ""


def _timings(figures: Mapping[str, Any]) -> Iterator[str]:
    yield f"{figures['what']}; updates, and a plain PyTorch loop's time over theirs:\n"
    yield "| cell | head | sequences x steps | threads | times as fast | head and loss |"
    yield "|---|---|---|---:|---:|---:|"
    for row in figures["updates"]:
        shape = f"{row['sequences']} x {row['steps']}"
        ratios = f"{row['times_plain']:.2f}", f"{row['head_share']:.0%}"
        yield _row(row["cell"], row["head"], shape, str(row["threads"]), *ratios)
    yield ""


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
