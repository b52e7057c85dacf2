"""Model folders at addresses such as `s3://bucket/model`, copied to this machine."""

import hashlib
import tempfile
from contextlib import suppress
from pathlib import Path

from pipeline.common.files import data_dir
from pipeline.common.places import Place, local_copy, place_of, stamp
from pipeline.errors import RecordingRejected, UserError

FILES = ("config.json", "model.safetensors")


def fetched_model(address: str) -> Path:
    """Return the local copy of a remote model folder, or of the model in a remote run folder.

    The copy lies in the data folder under a key of the address and of size and entity tag of each file. So
    another model at the same address is fetched anew, and an unchanged one is not.

    Raises:
        UserError: there is no model, or it cannot be fetched.
    """
    text = address.rstrip("/")
    for folder in (text, f"{text}/model"):
        files = [place_of(f"{folder}/{name}") for name in FILES]
        try:
            marks = [stamp(file) for file in files]
        except RecordingRejected as problem:
            if problem.code == "missing":
                continue
            raise UserError(f"{address}: {problem}") from None
        key = hashlib.sha256(repr((folder, marks)).encode()).hexdigest()[:16]
        target = data_dir() / "models-cache" / f"remote-{key}"
        if not (target / FILES[0]).is_file():
            _copy(files, target)
        return target
    raise UserError(f"{address}: no model there (a folder with {' and '.join(FILES)})")


def _copy(files: list[Place], target: Path) -> None:
    """Copy the files into a new folder, which appears whole."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".") as temporary:
        folder = Path(temporary, "model")
        folder.mkdir()
        for file in files:
            try:
                with local_copy(file) as copy:
                    (folder / file.name).write_bytes(copy.read_bytes())
            except RecordingRejected as problem:
                raise UserError(f"{file}: {problem}") from None
        with suppress(OSError):  # another process was faster
            folder.rename(target)
