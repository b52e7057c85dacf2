"""`wavecast study`: reproduction of the published comparisons."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from pipeline.cli.config_arguments import Settings

EXAMPLES = ["study speech/", "study speech/ --music sets/ --set train.epochs=20"]


def study(
    speech: Annotated[Path, Parameter(help="Folder of recordings, with one subfolder for each speaker.")],
    /,
    *,
    music: Annotated[Path | None, Parameter(help="Folder of data sets of music, .mat or .npz.")] = None,
    settings: Settings = (),
) -> None:
    """Reproduce every comparison in the documentation and print its tables; this needs hours on a CPU."""
    from pipeline.benchmarks.reproduce import study as run_study
    from pipeline.errors import VariantsFailed

    try:
        report = run_study(speech, music, settings)
    except VariantsFailed as problem:
        print(problem.summary.read_text(), end="")
        raise
    print(report.read_text(), end="")
