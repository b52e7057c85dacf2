"""Promotion to champion, the model that commands use by default; only a better one replaces it."""

from typing import Any

from pipeline.config.run import RunConfig
from pipeline.errors import UserError
from pipeline.evaluation.evaluate import validation_nats
from pipeline.features.representations import representation_of
from pipeline.registry.references import CHAMPION
from pipeline.registry.registration import champion, register, set_alias
from pipeline.registry.registry import fetch_model
from pipeline.tracking.run_folder import RunFolder


def promote(runs: list[RunFolder], config: RunConfig) -> dict[str, Any]:
    """Register the models of ``runs``; the best becomes champion where it beats the one that is.

    Models are compared by their negative log-likelihood on the present validation split, so that the test
    split stays unseen. The comparison is per predicted value, since steps may differ in length. A champion
    of another kind or sample rate cannot be compared: the new model takes its place, and the result says
    so. Every variant gets its own name as an alias, too.

    Returns:
        `run` and `version` of the best, `promoted`, and `why` in words.
    """
    name = config.tracking.registered_model
    best = min(runs, key=_validation_nats_per_value)
    uri = config.tracking.uri
    held = champion(name, uri)
    versions = {}
    for run in runs:
        versions[run.path] = register(run, name)
        variant = run.description()["variant"]
        if variant in config.variants:
            set_alias(name, versions[run.path], variant, uri)
    promoted, why = _compare(best, held, name, uri) if held else (True, "it is the first")
    if held and int(held["version"]) == versions[best.path]:
        promoted, why = False, "it is the champion already"
    if promoted:
        set_alias(name, versions[best.path], CHAMPION, uri)
    return {"run": str(best.path), "version": versions[best.path], "promoted": promoted, "why": why}


def _validation_nats_per_value(run: RunFolder) -> float:
    config = run.config()
    nats_per_step: float = run.status()["summary"]["valid_nats_per_step"]
    return nats_per_step / representation_of(config.input).framing(config.model).target_size


def _compare(best: RunFolder, held: dict[str, Any], name: str, uri: str | None) -> tuple[bool, str]:
    challenger = validation_nats(best.model, best.dataset)
    try:
        folder = fetch_model(f"models:/{name}/{held['version']}", uri=uri)
        defender = validation_nats(folder, best.dataset)
    except UserError as problem:
        return True, f"the champion cannot be compared on this data ({problem})"
    words = f"{challenger:.4f} against the champion's {defender:.4f} nats per value on the validation split"
    return challenger < defender, words
