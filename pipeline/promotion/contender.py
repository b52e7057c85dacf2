"""A model in a comparison: its files, and the recordings that it was trained and validated on."""

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pipeline.common.files import data_dir, read_json
from pipeline.common.hashing import digest_file, digest_json
from pipeline.config.types import Split
from pipeline.data.manifest import Recording, read_manifest
from pipeline.errors import UserError
from pipeline.model.trained_model import TrainedModel
from pipeline.registry.catalogue import RegisteredVersion
from pipeline.registry.registry import FILES, fetch_model
from pipeline.tracking.run_folder import RunFolder


@dataclass(frozen=True)
class Contender:
    """A registered model that is compared.

    Attributes:
        version: its number.
        run: name of the run that trained it; empty if that is not known.
        folder: of its files.
        dataset: the `dataset.json` that it was trained on; None where that is not on this machine.
    """

    version: int
    run: str
    folder: Path
    dataset: Path | None

    @cached_property
    def digest(self) -> str:
        """Return the digest of the model's files; raises `UserError` where they cannot be read."""
        try:
            return digest_json([digest_file(self.folder / name) for name in FILES])
        except OSError as problem:
            raise UserError(f"{self.folder}: the model cannot be read ({problem.strerror})") from None

    @cached_property
    def model(self) -> TrainedModel:
        """Return the model, its network on the device that is the fastest; raises `UserError`."""
        from pipeline.model.storage import load_model

        return load_model(self.folder, "auto")

    @cached_property
    def manifest(self) -> list[Recording]:
        """Return the recordings that were prepared for its training.

        Raises:
            UserError: they are not known on this machine.
        """
        if self.dataset is None:
            raise UserError(f"the recordings that version {self.version} was trained on are not known here")
        records = read_manifest(self.dataset.parent / "manifest.jsonl")
        return [record for record in records if not record.refused]

    def recordings(self, split: Split) -> list[Recording]:
        """Return the recordings of one split; raises `UserError` where they are not known here."""
        return [record for record in self.manifest if record.split == split]


def contender_of_run(run: RunFolder, version: int) -> Contender:
    """Return the contender that a run on this machine trained."""
    return Contender(version, run.path.name, run.model, _dataset(run, run.model))


def contender_of_version(found: RegisteredVersion, uri: str | None = None) -> Contender:
    """Return a registered version as a contender, fetched if it is on a server.

    Raises:
        UserError: its files are gone.
        TrackingUnavailable: the store cannot be used.
    """
    folder = fetch_model(f"models:/{found.name}/{found.version}", uri=uri)
    run = RunFolder(data_dir() / "runs" / found.run_name)
    known = bool(found.run_name) and (run.path / "run.json").is_file()
    return Contender(found.version, found.run_name, folder, _dataset(run if known else None, folder))


def _dataset(run: RunFolder | None, model: Path) -> Path | None:
    """Return the data set that a run names, else the one whose fingerprint its model has."""
    if run is not None and run.dataset.is_file():
        return run.dataset
    facts = read_json(model / "config.json", "model").get("trained", {})
    fingerprint = str(facts.get("data_fingerprint", ""))
    if not re.fullmatch(r"[0-9a-f]+", fingerprint):
        return None
    return next((data_dir() / "prepared").glob(f"*/{fingerprint}/dataset.json"), None)
