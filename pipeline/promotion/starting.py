"""The choice of the model that a training starts from: the setting `train.start_from`."""

import os
import shutil
from pathlib import Path
from typing import Any

from pipeline.common.files import write_json
from pipeline.config.run import RunConfig
from pipeline.errors import UserError, print_notice
from pipeline.model.trained_model import TrainedModel
from pipeline.promotion.renamed import present_name
from pipeline.registry.catalogue import registered_versions
from pipeline.registry.champions import version_with
from pipeline.registry.references import CHAMPION
from pipeline.registry.registry import FILES, FoundModel, find_model
from pipeline.tracking.run_folder import RunFolder
from pipeline.tracking.store import store_uri

UNTRAINED_SETTINGS = ("dropout", "output_dropout", "parameter_budget")
"""Settings of the network that change neither its weights nor its likelihoods."""


def choose_start(run: RunFolder) -> None:
    """Copy the model that a run starts from into its folder, once, or note why it starts anew.

    A run without `train.start_from`, or one that has begun, is not changed. `start.json` and the run's status
    state the choice.

    Raises:
        UserError: a model that is named, other than `champion`, does not exist.
    """
    config = run.config()
    wanted = config.train.start_from
    if wanted is None or (run.path / "start.json").exists() or run.last_checkpoint.exists():
        return
    try:
        found: FoundModel | None = _found(wanted, config)
    except UserError as problem:
        if wanted != CHAMPION:
            raise
        found, why = None, f"the champion cannot be used: {problem}"
    else:
        why = "there is no champion yet" if found is None else difference(found.load(), config)
    if found is not None and not why:
        _copy(found.folder, run.start)
    choice: dict[str, Any] = {"from": found.label if found else wanted, "anew_because": why or None}
    write_json(run.path / "start.json", choice)
    run.set_status(run.status()["status"], start=choice)
    begins = f"starts anew, since {why}" if why else f"starts from the weights of {choice['from']}"
    print_notice(f"{run.path.name}: training {begins}")


def _found(wanted: str, config: RunConfig) -> FoundModel | None:
    """Return the model that is meant; None where there is no champion."""
    uri = config.tracking.uri
    name = present_name(config.registered_model, uri)
    if wanted != CHAMPION:
        return find_model(wanted, name, uri)
    champion = version_with(registered_versions(store_uri(uri)), name)
    return None if champion is None else find_model(f"{name}/{champion.version}", name, uri)


def difference(model: TrainedModel, config: RunConfig) -> str:
    """Return in words why a model's weights do not fit a configuration, empty where they do."""
    mine = {"input": config.input.model_dump(mode="json"), "model": config.model.model_dump(mode="json")}
    other = {"input": model.input.model_dump(mode="json"), "model": model.model.model_dump(mode="json")}
    for name in UNTRAINED_SETTINGS:
        mine["model"].pop(name), other["model"].pop(name)
    if config.model.parameter_budget is not None:
        if model.model.parameter_budget != config.model.parameter_budget:
            return "model.parameter_budget is another"
        mine["model"].pop("hidden_size"), other["model"].pop("hidden_size")
    elif model.model.parameter_budget is not None:
        return "its size follows from model.parameter_budget"
    for section in ("input", "model"):
        for key in sorted({*mine[section], *other[section]}):
            here, there = mine[section].get(key), other[section].get(key)
            if here != there:
                return f"{section}.{key} is {here} here and {there} in that model"
    return ""


def _copy(source: Path, target: Path) -> None:
    """Copy the files of a model, `config.json` last, so that a folder with it is complete."""
    target.mkdir(exist_ok=True)
    for name in reversed(FILES):
        temporary = target / f".{name}"
        shutil.copyfile(source / name, temporary)
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.replace(target / name)
