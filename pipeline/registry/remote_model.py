"""Model folders at addresses such as `s3://bucket/model`, copied to this machine."""

import hashlib
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from pipeline.common.files import data_dir
from pipeline.common.places import Place, exists, local_copy, place_of, stamp
from pipeline.errors import RecordingRejected, UserError
from pipeline.model.model_file import read_model_file, read_weight_bytes

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
            _copy(address, files, target)
        return target
    exists(place_of(text))  # a server that is away or a bucket that is missing has its own message
    raise UserError(f"{address}: no model there (a folder with {' and '.join(FILES)})")


def _copy(address: str, files: list[Place], target: Path) -> None:
    """Copy the files into a new folder, which appears whole and verified."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".") as temporary:
        folder = Path(temporary, "model")
        folder.mkdir()
        for file in files:
            try:
                with local_copy(file) as copy:
                    shutil.copyfile(copy, folder / file.name)
            except RecordingRejected as problem:
                raise UserError(f"{file}: {problem}") from None
        try:
            read_weight_bytes(folder, read_model_file(folder))
        except UserError as problem:
            raise UserError(str(problem).replace(str(folder), address)) from None
        with suppress(OSError):  # another process was faster
            folder.rename(target)
