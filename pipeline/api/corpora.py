"""Functions on corpora: prepare, train and evaluate, on files or on arrays."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.api.arrays import Recordings, written
from pipeline.api.model import Model, load_model

if TYPE_CHECKING:
    from pipeline.config.run import RunConfig

Settings = Mapping[str, Any]


def prepare(
    recordings: Recordings,
    config: str | Path = "base",
    *,
    sample_rate: int | None = None,
    settings: Settings | None = None,
) -> Path:
    """Decode recordings into a data set; what was converted before is not converted again.

    Args:
        recordings: see `train`.
        config: a YAML file, or the name of a shipped configuration.
        sample_rate: of arrays, in Hz.
        settings: changes to the configuration by dotted key, as `{"input.sample_rate": 8000}`.

    Returns:
        The `dataset.json` of the data set.

    Raises:
        UserError: a setting is wrong, or there are no recordings.
    """
    from pipeline.stages import prepare_stage

    return prepare_stage(_config(recordings, config, sample_rate, settings))


def train(
    recordings: Recordings,
    config: str | Path = "base",
    *,
    sample_rate: int | None = None,
    settings: Settings | None = None,
) -> Model:
    """Train one model in this process. Interrupted and called again, training is resumed.

    Arrays are written without loss into the data folder, as 16-bit WAV files where they are int16, else as
    32-bit floats, under a name made of their content. So the same arrays are the same run.

    Args:
        recordings: a path or several (folders, sound files, CSV tables, text lists), a mapping from names to
            samples, or a sequence of samples. Samples are (N,) or (N, channels), int16 or floats of full
            scale 1, or a pair `(samples, rate)`. The part of a name before `/` is its group: recordings of
            one group, as a speaker, stay in one split. Without it each recording is a group by itself.
        config: a YAML file, or the name of a shipped configuration.
        sample_rate: of samples that are not paired with a rate, in Hz.
        settings: changes to the configuration by dotted key, as `{"train.epochs": 3}`.

    Returns:
        The trained model; its `folder` lies in the folder of the run.

    Raises:
        UserError: a setting is wrong, there are too few recordings, or the loss stays non-finite.
    """
    from pipeline.stages import prepare_stage, start_stage
    from pipeline.training.tracked import train_here

    chosen = _config(recordings, config, sample_rate, settings)
    return load_model(train_here(start_stage(chosen, prepare_stage(chosen))), chosen.train.device)


def evaluate(
    recordings: Recordings,
    config: str | Path = "base",
    *,
    model: Model | str | Path = "",
    sample_rate: int | None = None,
    settings: Settings | None = None,
) -> dict[str, Any]:
    """Score a model on held-out recordings, beside FLAC, a linear predictor and other baselines.

    Args:
        recordings: see `train`; the split that `evaluate.split` names is scored.
        config: a YAML file, or the name of a shipped configuration.
        model: a `Model`, its folder, `runs:/ID/model` or `models:/NAME@ALIAS`; the champion when empty.
        sample_rate: of arrays, in Hz.
        settings: changes to the configuration by dotted key.

    Returns:
        `model` and each of `baselines` with `nats_per_step` and `bits_per_sample`; `recordings`, `steps`,
        `seconds`; see `pipeline.evaluation.evaluate.evaluate`.

    Raises:
        UserError: the model or the recordings cannot be used, or the split is empty.
    """
    from pipeline.evaluation.evaluate import evaluate as evaluate_model
    from pipeline.stages import prepare_stage

    chosen = _config(recordings, config, sample_rate, settings)
    found = model if isinstance(model, Model) else load_model(model)
    if found.folder is None:
        from pipeline.errors import UserError

        raise UserError("this model has no folder; save it and load it from there", 2)
    as_trained = chosen.model_copy(update={"input": found.trained.input})
    return evaluate_model(found.folder, prepare_stage(as_trained), chosen.evaluate, chosen.train.device)


def _config(
    recordings: Recordings, config: str | Path, sample_rate: int | None, settings: Settings | None
) -> "RunConfig":
    from pipeline.common.places import named_place
    from pipeline.config.loading import load_config, merge, nested, validated

    paths, group = written(recordings, sample_rate)
    changes: dict[str, Any] = {"corpus.inputs": [named_place(path) for path in paths]}
    if group:
        changes["corpus.group"] = group
    loaded = load_config(Path(config)).model_dump(mode="json")
    # The caller's own settings are laid over what follows from the recordings.
    merged = merge(merge(loaded, nested(changes)), nested(dict(settings or {})))
    return validated(merged, str(config))
