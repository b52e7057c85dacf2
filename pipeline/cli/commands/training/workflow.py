"""The verbs from recordings to models: demo, prepare, train, evaluate, run."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from pipeline.cli.arguments import Json, Model
from pipeline.cli.config_arguments import Config, Prefect, Settings, config_of, demo_recordings

if TYPE_CHECKING:
    from pipeline.config.run import RunConfig


def demo(
    *,
    corpus: Annotated[Path | None, Parameter(help="Your own recordings instead of spoken ones.")] = None,
    settings: Settings = (),
    prefect: Prefect = True,
    json: Json = False,
) -> None:
    """Show everything in a few minutes: prepare, train four models, evaluate, continue a recording."""
    from pipeline.cli.output import print_summary

    chosen = config_of(Path("demo"), settings, (corpus or demo_recordings(),))
    print_summary(_run(chosen, prefect), json)


def prepare(
    *recordings: Path, config: Config = Path("base"), settings: Settings = (), json: Json = False
) -> None:
    """Decode recordings into a data set; what was converted before is not converted again."""
    from pipeline.cli.output import print_dataset
    from pipeline.stages import prepare_stage

    print_dataset(prepare_stage(config_of(config, settings, recordings)), json)


def train(
    *recordings: Path,
    config: Config = Path("base"),
    settings: Settings = (),
    run: Annotated[Path | None, Parameter(help="Go on with the run in this folder.")] = None,
    json: Json = False,
) -> None:
    """Train one model. Stopped at any moment and called again, it goes on where it was."""
    from pipeline.cli.output import print_run
    from pipeline.stages import prepare_stage, start_stage, stop_with_parent, train_here

    stop_with_parent()
    if run is None:
        chosen = config_of(config, settings, recordings)
        run = start_stage(chosen, prepare_stage(chosen))
    train_here(run)
    print_run(run, json)


def evaluate(
    *recordings: Path,
    model: Model = "",
    config: Config = Path("base"),
    settings: Settings = (),
    json: Json = False,
) -> None:
    """Score a model on held-out recordings, beside FLAC, a linear predictor and other baselines."""
    from pipeline.cli.output import print_evaluation
    from pipeline.evaluation.evaluate import evaluate as evaluate_model
    from pipeline.model.storage import load_model
    from pipeline.registry.registry import fetch_model
    from pipeline.stages import prepare_stage

    chosen = config_of(config, settings, recordings)
    folder = fetch_model(model, chosen.tracking.registered_model, chosen.tracking.uri)
    as_trained = chosen.model_copy(update={"input": load_model(folder).input})
    dataset = prepare_stage(as_trained)
    print_evaluation(evaluate_model(folder, dataset, chosen.evaluate, chosen.train.device), json)


def run(
    config: Annotated[Path, Parameter(help="YAML file, or the name of one in configs/.")],
    /,
    *recordings: Path,
    settings: Settings = (),
    prefect: Prefect = True,
    json: Json = False,
) -> None:
    """Run the whole pipeline: prepare, train each variant, evaluate, promote the best, make sounds."""
    from pipeline.cli.output import print_summary

    print_summary(_run(config_of(config, settings, recordings), prefect), json)


def _run(config: "RunConfig", prefect: bool) -> Path:
    if not prefect:
        from pipeline.stages import run_stages

        return run_stages(config)
    from flows.pipeline import run_as_flow

    return run_as_flow(config)
