"""`wavecast study`: reproduction of the published comparisons."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from pipeline.cli.config_arguments import Settings

EXAMPLES = [
    "study speech/ --budget night",
    "study --music sets/ --rates 3 --seeds 2",
    "study speech/ --music sets/ --budget 3h",
]


def study(
    speech: Annotated[
        Path | None, Parameter(help="Folder of recordings, with one subfolder for each speaker.")
    ] = None,
    /,
    *,
    music: Annotated[
        Path | None, Parameter(help="Folder of sets of music (.mat, .npz), or of MIDI files.")
    ] = None,
    rates: Annotated[int, Parameter(help="Learning rates to try for each unit and set.")] = 10,
    seeds: Annotated[int, Parameter(help="Trainings with the best learning rate, each with its seed.")] = 3,
    budget: Annotated[
        str,
        Parameter(
            help="Time of the updates and validations of all trainings together: 10m, 3h or night. Default: "
            "no limit."
        ),
    ] = "",
    settings: Settings = (),
) -> None:
    """Compare the units by the protocol of the paper, on speech and music, and print tables and verdicts.

    This needs hours on a CPU. The recordings are cut to sequences of 500 and of 8,000 samples, as many as in
    the paper where there are enough. The same command resumes an interrupted study, and repeats no finished
    training.
    """
    from pipeline.benchmarks.study.protocol import Protocol
    from pipeline.benchmarks.study.reproduce import minutes_of
    from pipeline.benchmarks.study.reproduce import study as run_study
    from pipeline.errors import UserError, VariantsFailed, print_notice

    if rates < 1 or seeds < 1:
        raise UserError("--rates and --seeds must be at least 1", exit_code=2)
    minutes = minutes_of(budget) if budget else None
    try:
        report = run_study(speech, music, settings, Protocol(rates, seeds), minutes, print_notice)
    except VariantsFailed as problem:
        print(problem.summary.read_text(), end="")
        raise
    print(report.read_text(), end="")
