"""A training run on disk. The folder is the record; the tracking server receives a copy.

run.json         what is trained on what: configuration, data set, when it began
journal.jsonl    the curves: a line per logged step, {"step", "time_ms", "metrics"}
status.json      running, finished or failed, and the summary figures
last.pt, best.pt checkpoints
model/           the trained model: config.json, model.safetensors
artifacts/       pictures, sounds, evaluation
tracking.json    what the tracking server has received (written by `pipeline.tracking.sync`)
"""

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.common.files import data_dir, read_json, write_json
from pipeline.common.hashing import digest_json
from pipeline.config.renamed import earlier_names
from pipeline.config.run import RunConfig


@dataclass(frozen=True)
class RunFolder:
    """Paths and small files of one run."""

    path: Path

    @property
    def journal(self) -> Path:
        """Return the path of the curves."""
        return self.path / "journal.jsonl"

    @property
    def last_checkpoint(self) -> Path:
        """Return the path of the checkpoint from which training resumes."""
        return self.path / "last.pt"

    @property
    def best_checkpoint(self) -> Path:
        """Return the path of the weights with the lowest validation loss."""
        return self.path / "best.pt"

    @property
    def model(self) -> Path:
        """Return the trained model's folder."""
        return self.path / "model"

    @property
    def artifacts(self) -> Path:
        """Return the folder of plots, sounds and tables."""
        return self.path / "artifacts"

    def description(self) -> dict[str, Any]:
        """Return the content of run.json."""
        return dict(read_json(self.path / "run.json", "training run"))

    def config(self) -> RunConfig:
        """Return the configuration that the run was started with."""
        return RunConfig.model_validate_json(json.dumps(self.description()["config"]))

    @property
    def dataset(self) -> Path:
        """Return the path of the `dataset.json` that the run is trained on."""
        return Path(self.description()["dataset"])

    def status(self) -> dict[str, Any]:
        """Return the content of status.json; `{"status": "running"}` until it is written."""
        path = self.path / "status.json"
        return dict(read_json(path, "status of a run")) if path.exists() else {"status": "running"}

    def set_status(self, status: str, **summary: Any) -> None:
        """Write status.json.

        Args:
            status: `running`, `finished` or `failed`.
            **summary: figures and facts, added to those of earlier calls.
        """
        write_json(self.path / "status.json", {**self.status(), **summary, "status": status})

    def append(self, step: int, metrics: dict[str, float]) -> None:
        """Add a line to the journal, with the present time.

        Args:
            step: number of updates so far.
            metrics: figures by name.
        """
        line = {"step": step, "time_ms": int(time.time() * 1000), "metrics": metrics}
        with self.journal.open("a") as journal:
            journal.write(json.dumps(line) + "\n")

    def journal_size(self) -> int:
        """Return the number of bytes in the journal, after they are written to disk."""
        if not self.journal.exists():
            return 0
        with self.journal.open("rb") as journal:
            os.fsync(journal.fileno())
        return self.journal.stat().st_size

    def truncate_journal(self, size: int) -> None:
        """Remove the lines that a killed run wrote after its last checkpoint."""
        if self.journal.exists():
            os.truncate(self.journal, size)

    def lines(self) -> list[dict[str, Any]]:
        """Return all complete lines of the journal."""
        if not self.journal.exists():
            return []
        text = self.journal.read_text()
        return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]


def start_run(config: RunConfig, dataset: Path, fingerprint: str, variant: str = "") -> RunFolder:
    """Return the run of a training on a data set; a missing folder is created.

    The same training on the same data has the same folder. A training that is started again continues there.

    Args:
        config: the sections `input`, `model` and `train` identify the training.
        dataset: folder of the prepared data set.
        fingerprint: hash of the data set's content.
        variant: name of the variant; empty is the name of the configuration.
    """
    settings = config.model_dump(mode="json", include={"input", "model", "train"})
    label = f"{config.name}-{variant}" if variant else config.name
    earlier = {section: earlier_names(section, values) for section, values in settings.items()}
    folder, begun_earlier = (
        RunFolder(data_dir() / "runs" / f"{label}-{digest_json([named, fingerprint])[:10]}")
        for named in (settings, earlier)
    )
    if (begun_earlier.path / "run.json").exists():  # by a release that named settings otherwise
        return begun_earlier
    folder.path.mkdir(parents=True, exist_ok=True)
    if not (folder.path / "run.json").exists():
        write_json(
            folder.path / "run.json",
            {
                "name": folder.path.name,
                "variant": variant or config.name,
                "created_ms": int(time.time() * 1000),
                "dataset": str(dataset),
                "fingerprint": fingerprint,
                "config": config.model_dump(mode="json"),
            },
        )
    return folder
