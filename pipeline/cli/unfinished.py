"""The best weights so far of a run whose training is not finished, as a model folder."""

import shutil
from pathlib import Path

from pipeline.common.files import data_dir, expanded
from pipeline.errors import print_notice
from pipeline.tracking.run_folder import RunFolder


def unfinished_model(reference: str) -> Path | None:
    """Return a model folder with the best weights so far of an unfinished run, and print what they are.

    Args:
        reference: folder or name of a run.

    Returns:
        The folder, a copy of the weights; None where the reference means no such run.

    Raises:
        UserError: the run or its data set is damaged.
    """
    for folder in (expanded(reference), data_dir() / "runs" / reference):
        run = RunFolder(folder)
        if reference and (folder / "run.json").is_file():
            if (run.model / "config.json").is_file() or not run.best_checkpoint.is_file():
                return None
            found = _written(run)
            print_notice(
                f"{folder.name}: its training is not finished; used are the weights with the lowest "
                f"validation loss so far. To finish it: wavecast train --resume {folder}"
            )
            return found
    return None


def _written(run: RunFolder) -> Path:
    """Return the folder of the run's present best weights, which is written unless it is there."""
    written = run.best_checkpoint.stat().st_mtime_ns
    cache = data_dir() / "models-cache"
    target = cache / f"{run.path.name}-unfinished-{written}"
    if not (target / "config.json").is_file():
        target.mkdir(parents=True, exist_ok=True)
        _write(run, target)
        for other in cache.iterdir():
            if other.name.startswith(f"{run.path.name}-unfinished-") and other != target:
                shutil.rmtree(other, ignore_errors=True)
    return target


def _write(run: RunFolder, target: Path) -> None:
    import torch

    from pipeline.data.dataset import open_dataset
    from pipeline.model.limiter import loudest_level
    from pipeline.model.storage import save_model
    from pipeline.training.checkpoint import read_checkpoint
    from pipeline.training.start import starting_model

    config = run.config()
    dataset, start = open_dataset(run.dataset, config.input), starting_model(run)
    weights = read_checkpoint(run.best_checkpoint, torch.device("cpu")).get("weights", {})
    facts = {"run": run.path.name, "data_fingerprint": dataset.fingerprint, "finished": False}
    if dataset.representation.rows_are_samples:
        facts["loudest_level"] = loudest_level(dataset)
    normalisation = start.normalisation if start else dataset.normalisation
    save_model(target, weights, config.input, config.model, normalisation, facts)
