"""`wavecast tune`: a search for the settings with the lowest validation loss."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from pipeline.cli.arguments import Json
from pipeline.cli.config_arguments import (
    Config,
    ConfigAndRecordings,
    Settings,
    config_of,
    split_configuration,
)
from pipeline.errors import UserError

if TYPE_CHECKING:
    from pipeline.config.run import RunConfig

EXAMPLES = [
    "tune recordings/",
    "tune speech recordings/ --variant lstm --set run.workers=2",
    "tune recordings/ --set 'tuning.space.model.hidden_size={kind: integer, low: 64, high: 512}'",
]


def tune(
    recordings: ConfigAndRecordings = (),
    /,
    *,
    config: Config = Path("base"),
    settings: Settings = (),
    variant: Annotated[str, Parameter(help="Variant of the configuration whose settings are searched.")] = "",
    register: Annotated[bool, Parameter(help="Register the model of the best trial.")] = True,
    json: Json = False,
) -> None:
    """Search for the best settings; the same command resumes an interrupted search.

    The section `tuning` of the configuration states the number of trials and the space. By default, these
    are ten learning rates, drawn log-uniformly as in Chung et al. (2014). Trials are compared by their
    validation loss, and those that are worse than the others are ended early. A search with more trials
    (`--set tuning.trials=20`) goes on from the trials that there are.
    """
    from pipeline.cli.commands.training.train import register_model
    from pipeline.cli.output import emit, print_remarks
    from pipeline.cli.text.search import print_search, print_trial, search_facts
    from pipeline.data.corpora.corpus import read_corpus
    from pipeline.stages import check_splits, prepare_stage
    from pipeline.tracking.parents.search_folder import best_run
    from pipeline.tuning.search import run_search
    from pipeline.tuning.study import import_optuna

    import_optuna()  # before the recordings are prepared
    config, names = split_configuration(config, recordings)
    chosen = _named_variant(config_of(config, settings, names), variant)
    dataset = prepare_stage(chosen)
    check_splits(chosen, dataset)
    if not json:
        print_remarks(read_corpus(dataset)["remarks"])
    folder, record = run_search(chosen, dataset, variant, print_trial if not json else lambda *_: None)
    run = best_run(folder, record)
    facts = search_facts(folder, record, register_model(run) if register else None)
    emit(facts, json, lambda: print_search(facts))


def _named_variant(config: "RunConfig", name: str) -> "RunConfig":
    """Return the configuration of a variant that a user named; the model without a variant for no name.

    Raises:
        UserError: there is no such variant (exit code 2).
    """
    from pipeline.config.loading import variant_config

    if not name:
        return config.model_copy(update={"variants": {}})
    if name not in config.variants:
        known = ", ".join(config.variants) or "none"
        raise UserError(f"--variant {name}: no such variant; {config.name} has: {known}", exit_code=2)
    return variant_config(config, name)
