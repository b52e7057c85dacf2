"""`wavecast run`: the whole pipeline, from recordings to a champion."""

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.cli.arguments import Json
from pipeline.cli.config_arguments import (
    Config,
    ConfigAndRecordings,
    Prefect,
    Settings,
    config_of,
    split_configuration,
)
from pipeline.errors import VariantsFailed

if TYPE_CHECKING:
    from pipeline.config.run import RunConfig

EXAMPLES = ["run recordings/", "run recordings/ --config speech", "run nightly.yaml --no-prefect"]


def run(
    recordings: ConfigAndRecordings = (),
    /,
    *,
    config: Config = Path("base"),
    settings: Settings = (),
    prefect: Prefect = True,
    json: Json = False,
) -> None:
    """Run the whole pipeline: prepare, train each variant, evaluate, promote the best, report."""
    config, names = split_configuration(config, recordings)
    chosen = config_of(config, settings, names)
    run_and_print(chosen, prefect, json, quiet=json)


def run_and_print(config: "RunConfig", prefect: bool, json: bool, quiet: bool = False) -> None:
    """Run all stages and print the summary, also where some variants failed.

    Raises:
        VariantsFailed: variants failed; the summary of the others is printed.
    """
    from pipeline.cli.output import print_summary

    try:
        summary = run_pipeline(config, prefect, quiet)
    except VariantsFailed as problem:
        print_summary(problem.summary, json)
        raise
    print_summary(summary, json)


def run_pipeline(config: "RunConfig", prefect: bool, quiet: bool = False) -> Path:
    """Run all stages, as a Prefect flow if wanted; return the path of the summary."""
    from pipeline.cli.output import print_remarks
    from pipeline.stages import check_recordings, run_stages

    corpus = check_recordings(config)  # before Prefect, which starts slowly
    if not quiet:
        print_remarks(corpus.remarks)
    if not prefect:
        return run_stages(config)
    from flows.pipeline import run_as_flow

    return run_as_flow(config)
