"""The whole study: its parts, their report, and the time that it may take."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.benchmarks.models import bench_models
from pipeline.benchmarks.study.protocol import Protocol, study_sets
from pipeline.benchmarks.study.sets import sets_of_music
from pipeline.benchmarks.study.speech import config_for, speech_configs, speech_tables, study_speech
from pipeline.benchmarks.study.verdicts import music_tables
from pipeline.common.files import atomic_path, data_dir, expanded, write_json
from pipeline.errors import UserError, VariantsFailed
from pipeline.plots.runs import learning_curve
from pipeline.reports.run_artifacts import learning_curve as curve_of
from pipeline.tracking.environment import describe_environment
from pipeline.tracking.run_folder import RunFolder

NIGHT_MINUTES = 8 * 60.0


def study(
    speech: Path | None,
    music: Path | None,
    settings: Sequence[str] = (),
    protocol: Protocol | None = None,
    budget_minutes: float | None = None,
    report: Callable[[str], None] = lambda line: None,
) -> Path:
    """Train and score all published comparisons.

    Args:
        speech: folder of recordings; None leaves the parts on speech out.
        music: folder of sets of music, or one of them; None leaves these out.
        settings: texts `key=value` that change every part.
        protocol: trials and seeds of the music; None: ten learning rates and three seeds.
        budget_minutes: time of all trainings on music together; None for no limit.
        report: called with a line for each finished pair of set and unit.

    Returns:
        The path of a Markdown file with all tables; beside it lie `study.json` and a picture of the learning
        curves of each set of music.

    Raises:
        UserError: a folder or a setting cannot be used.
        VariantsFailed: parts failed, or variants of them; the tables have the others.
    """
    if speech is None and music is None:
        raise UserError("nothing to study: name a folder of recordings, or --music and its sets", exit_code=2)
    for folder in (speech, music):
        if folder is not None and not expanded(str(folder)).exists():
            raise UserError(f"{folder}: no such file or folder")
    sets = sets_of_music(expanded(str(music)).absolute()) if music else {}
    # All settings are checked before the first training, which may take hours.
    of_speech = speech_configs(speech, settings) if speech else {}
    of_music = {name: config_for("music", path, f"music-{name}", settings) for name, path in sets.items()}
    chosen = protocol or Protocol()
    if budget_minutes is not None:
        trainings = chosen.trainings(sum(len(config.variants) for config in of_music.values()))
        chosen = Protocol(chosen.rates, chosen.seeds, round(budget_minutes / max(1, trainings), 3))
    found: dict[str, Any] = {"environment": describe_environment(), "settings": list(settings)}
    found["protocol"] = {"rates": chosen.rates, "seeds": chosen.seeds, "minutes": chosen.minutes}
    failures: dict[str, str] = {}
    found |= study_speech(of_speech, failures)
    found["music"] = study_sets(of_music, chosen, failures, report)
    if of_speech:
        found["timings"] = bench_models()
    folder = data_dir() / "reports" / "study"
    for name, units in found["music"].items():
        curves = {unit: curve_of(RunFolder(Path(figures["runs"][0]))) for unit, figures in units.items()}
        learning_curve(folder / f"{name}.png", curves, "nats per step")
    write_json(folder / "study.json", found)
    with atomic_path(folder / "study.md") as temporary:
        temporary.write_text("\n".join(_tables(found)) + "\n")
    if failures:
        named = "; ".join(f"{name}: {reason}" for name, reason in failures.items())
        raise VariantsFailed(f"{named}; {folder / 'study.md'} has the others", folder / "study.md")
    return folder / "study.md"


def minutes_of(budget: str) -> float:
    """Return the minutes of a budget such as `10m`, `3h` or `night`, which is eight hours.

    Raises:
        UserError: it is none of these (exit code 2).

    Example:
        >>> minutes_of("10m"), minutes_of("1.5h"), minutes_of("night")
        (10.0, 90.0, 480.0)
    """
    if budget == "night":
        return NIGHT_MINUTES
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([mh])", budget)
    if not found or float(found[1]) == 0:
        raise UserError(
            f"--budget {budget}: write minutes or hours, such as 10m or 3h, or night", exit_code=2
        )
    return float(found[1]) * (60 if found[2] == "h" else 1)


def _tables(found: Mapping[str, Any]) -> Iterator[str]:
    if "timings" in found:
        yield from speech_tables(found)
    if found["music"]:
        yield "### Music, nats per step\n"
        yield from music_tables(found["music"])
    if "timings" in found:
        yield "### Time\n"
        yield from _timings(found["timings"])


def _timings(figures: Mapping[str, Any]) -> Iterator[str]:
    yield f"{figures['what']}; updates, and a plain PyTorch loop's time over theirs:\n"
    yield "| cell | head | sequences x steps | threads | times as fast | head and loss |"
    yield "|---|---|---|---:|---:|---:|"
    for row in figures["updates"]:
        shape = f"{row['sequences']} x {row['steps']}"
        ratios = f"{row['times_plain']:.2f}", f"{row['head_share']:.0%}"
        cells = (row["cell"], row["head"], shape, str(row["threads"]), *ratios)
        yield f"| {' | '.join(cells)} |"
    yield ""
