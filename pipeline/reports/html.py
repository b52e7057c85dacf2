"""The report of a run: one HTML page with its figures, plots and players, like Hugging Face's model cards.

The page is self-contained: plots and sounds are data: addresses, the style is inline, there is no script,
and its content security policy forbids any request. The text is in the template `page.html`, which escapes
all input of users.
"""

import math
import shlex
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path, PurePath
from typing import Any

from pipeline.common.files import atomic_path, data_dir, expanded
from pipeline.config.model import ModelConfig
from pipeline.config.run import RunConfig
from pipeline.errors import UserError, print_notice
from pipeline.evaluation.evaluation_file import (
    EVALUATION,
    TEMPORAL_SENSITIVITY,
    read_evaluation,
    read_temporal_sensitivity,
)
from pipeline.reports.media import EmbedBudget, examples_of, generated
from pipeline.reports.recordings import table_of_groups, table_of_recordings
from pipeline.reports.template import render
from pipeline.tracking.pages.start_gain import start_gain
from pipeline.tracking.run_folder import RunFolder
from pipeline.tracking.sync_state import parameters

MOST_SETTINGS = 60_000  # characters of a configuration, which may name thousands of recordings
NOT_TRAINED = ("head.start", "head.basis")  # where an autoregressive head starts
SHOWN_APART = ("learning_curve", "comparison", "horizons", "reach")


def write_run_report(run: RunFolder, evaluation: dict[str, Any] | None = None) -> Path:
    """Write `report.html` among a run's artifacts.

    Args:
        run: the run.
        evaluation: its figures; see `run_page`.

    Returns:
        The path of the page.
    """
    path = run.artifacts / "report.html"
    write_page(path, run_page(run, evaluation))
    return path


def write_page(path: Path, page: str) -> None:
    """Write a page, atomically.

    Args:
        path: the file, which is replaced if it exists.
        page: HTML. Bytes of file names that are not text are replaced.
    """
    with atomic_path(path) as temporary:
        temporary.write_bytes(page.encode("utf-8", "replace"))


def page_of(target: str) -> str:
    """Return the page of a run, by its folder or name, or of a model, by a reference of `find_model`.

    The page of a model is that of the run that trained it, where that is on this machine.

    Raises:
        UserError: there is no such run or model.
    """
    for folder in (expanded(target), data_dir() / "runs" / target):
        if (folder / "run.json").is_file():
            return run_page(RunFolder(folder.absolute()))
    from pipeline.registry.registry import fetch_model

    folder = fetch_model(target).absolute()
    # A page names no folders of this machine.
    reference = "/".join(folder.parts[-2:]) if expanded(target).is_dir() else target
    if (folder / "config.json").is_file():
        run = data_dir() / "runs" / Path(str(_content(folder).get("trained", {}).get("run", ""))).name
        return run_page(RunFolder(run)) if (run / "run.json").is_file() else model_page(folder, reference)
    raise UserError(
        f"{target}: no such run or model; give a run's folder, its name in {data_dir() / 'runs'}, a model's "
        "folder, or models:/NAME@ALIAS"
    )


def run_page(run: RunFolder, evaluation: dict[str, Any] | None = None) -> str:
    """Return the page of a run, which may be unfinished.

    Args:
        run: the run.
        evaluation: result of `pipeline.evaluation.evaluate.evaluate`; None reads it from the run's artifacts.
    """
    description, status = run.description(), run.status()
    reason = status.get("reason", "")
    if evaluation is None:
        evaluation = _noted(run.artifacts / EVALUATION, read_evaluation)
    config = run.config().model_dump(mode="json")
    room = EmbedBudget()
    pictures = {name: room.picture(run.artifacts / "pictures" / f"{name}.png") for name in SHOWN_APART}
    examples = list(examples_of(run.artifacts, config, room))
    others = [x for x in sorted((run.artifacts / "pictures").glob("*.png")) if x not in room.pictures]
    known_as = f"models:/{run.config().registered_model}@{description['variant']}"
    return render(
        name=description["name"],
        created=datetime.fromtimestamp(description["created_ms"] / 1000, UTC),
        status={**status, "reason": reason.replace(str(run.path), run.path.name)} if reason else status,
        variant=description["variant"],
        trained=_content(run.model).get("trained", {}) if (run.model / "config.json").exists() else {},
        parameters=status.get("parameters", {}),
        evaluation=evaluation,
        tables=_tables(evaluation),
        step_s=_step_s(run.artifacts, evaluation),
        losses=[
            x["metrics"]["valid/nats_per_step"] for x in run.lines() if "valid/nats_per_step" in x["metrics"]
        ],
        gain=start_gain(status),
        data=_data(run.dataset),
        fingerprint=description["fingerprint"],
        pictures=pictures,
        examples=examples,
        others=[picture for picture in map(room.picture, others) if picture],
        left_out=room.left_out,
        model=shlex.quote(run.path.name),
        # Only what a run calls a variant is registered under that name.
        known_as=shlex.quote(known_as) if description["variant"] != config["name"] else None,
        **_settings(config),
    )


def model_page(folder: Path, reference: str) -> str:
    """Return the page of a model without a run; ``reference`` is its name in the commands."""
    content = _content(folder)
    trained = content.get("trained", {})
    return render(
        name=trained.get("run", reference),
        created=None,
        status={},
        variant=None,
        trained=trained,
        gain=None,
        parameters=_count_weights(folder / "model.safetensors"),
        evaluation=None,
        tables={},
        step_s=None,
        losses=[],
        data=None,
        fingerprint=trained.get("data_fingerprint"),
        pictures=dict.fromkeys(SHOWN_APART),
        examples=generated(folder, EmbedBudget()),
        others=[],
        left_out=[],
        model=shlex.quote(reference),
        known_as=None,
        **_settings({key: content[key] for key in ("input", "model")}),
    )


def _content(folder: Path) -> dict[str, Any]:
    from pipeline.model.model_file import read_model_file

    return read_model_file(folder)


def _settings(config: dict[str, Any]) -> dict[str, Any]:
    """Return the configuration's sections, changes from the defaults, and its text, without passwords."""
    import yaml

    own = {key: value for key, value in config.items() if key not in ("tracking", "variants")}
    if "corpus" in own:  # a page names no folders of this machine
        names = [PurePath(str(path)).name for path in own["corpus"]["inputs"]]
        own["corpus"] = {**own["corpus"], "inputs": names}
    text = yaml.safe_dump(own, sort_keys=False, allow_unicode=True, default_flow_style=False)
    base = RunConfig().model_dump(mode="json")
    label = {"variant": "", "fingerprint": ""}
    before, after = parameters({**label, "config": base}), parameters({**label, "config": own})
    changed = [(key, value, before.get(key)) for key, value in after.items() if before.get(key) != value]
    return {
        "input": own["input"],
        "network": {**ModelConfig().model_dump(mode="json"), **own["model"]},
        "changed": [each for each in changed if each[0] not in ("name", "corpus.inputs")],
        "settings": text[:MOST_SETTINGS],
        "inputs": own.get("corpus", {}).get("inputs", []),
        "settings_left_out": max(0, len(text) - MOST_SETTINGS),
    }


def _tables(evaluation: dict[str, Any] | None) -> dict[str, Any]:
    """Return figures by recording and by group; none for an evaluation of an earlier version."""
    found = (evaluation or {}).get("of_recordings", [])
    tables = {"group": table_of_groups(found), "recording": table_of_recordings(found)} if found else {}
    return {what: table for what, table in tables.items() if table}


def _step_s(artifacts: Path, evaluation: dict[str, Any] | None) -> float | None:
    """Return the seconds of a step, from the temporal sensitivity, else from the evaluated recordings."""
    found = _noted(artifacts / TEMPORAL_SENSITIVITY, read_temporal_sensitivity)
    if found:
        return float(found["step_seconds"])
    return evaluation["seconds"] / evaluation["steps"] if evaluation and evaluation["steps"] else None


def _noted(path: Path, read: Callable[[Path], dict[str, Any]]) -> dict[str, Any] | None:
    """Return what ``read`` finds beside ``path``; None where it is missing, or damaged, which is reported."""
    try:
        return read(path.parent) if path.exists() else None
    except UserError as problem:
        print_notice(f"{problem}; the page is written without it")
        return None


def _data(dataset: Path) -> list[tuple[str, int, int, float, int]] | None:
    """Return recordings, groups, seconds and frames of each split of a data set; None if it was deleted."""
    from pipeline.data.manifest import read_manifest

    try:
        records = [record for record in read_manifest(dataset.parent / "manifest.jsonl") if record.split]
    except UserError:
        return None
    splits = {split: [r for r in records if r.split == split] for split in ("train", "valid", "test")}
    return [
        (
            split,
            len(found),
            len({r.group for r in found}),
            sum(r.seconds or 0.0 for r in found),
            sum(r.frames or 0 for r in found),
        )
        for split, found in splits.items()
    ]


def _count_weights(path: Path) -> dict[str, int]:
    """Return the number of parameters in a file of weights, from its header; none if it is damaged."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "numpy") as file:
            trained = [name for name in file.keys() if name not in NOT_TRAINED]  # noqa: SIM118
            return {"all": sum(math.prod(file.get_slice(name).get_shape()) for name in trained)}
    except (SafetensorError, OSError):
        return {}
