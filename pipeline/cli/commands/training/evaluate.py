"""`wavecast evaluate`: a model's figures on held-out recordings."""

from pathlib import Path

from pipeline.cli.arguments import Json, Model
from pipeline.cli.config_arguments import Config, Recordings, Settings, config_of

EXAMPLES = ["evaluate recordings/", "evaluate recordings/ --model gru --json"]


def evaluate(
    recordings: Recordings = (),
    /,
    *,
    model: Model = "",
    config: Config = Path("base"),
    settings: Settings = (),
    json: Json = False,
) -> None:
    """Evaluate a model on held-out recordings against FLAC, a linear predictor and other baselines."""
    from pipeline.cli.chosen_model import choose_model
    from pipeline.cli.output import print_evaluation, print_remarks
    from pipeline.evaluation.evaluate import evaluate as evaluate_model
    from pipeline.model.storage import load_model
    from pipeline.stages import check_recordings, prepare_stage

    chosen = config_of(config, settings, recordings)
    corpus = check_recordings(chosen)
    if not json:
        print_remarks(corpus.remarks)
    folder = choose_model(model, chosen.registered_model, chosen.tracking.uri, unfinished=True).folder
    as_trained = chosen.model_copy(update={"input": load_model(folder).input})
    dataset = prepare_stage(as_trained)
    print_evaluation(evaluate_model(folder, dataset, chosen.evaluate, chosen.train.device), json)
