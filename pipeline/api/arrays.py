"""Recordings that are arrays in memory, written as files of a corpus."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.api.model import checked_samples
from pipeline.common.files import data_dir
from pipeline.common.places import Place, place_of
from pipeline.errors import UserError

Sound = ArrayLike | tuple[ArrayLike, int]
Recordings = str | Path | Sequence[str | Path] | Mapping[str, Sound] | Sequence[Sound]


def written(recordings: Recordings, sample_rate: int | None) -> tuple[list[Place], str | None]:
    """Return the places of recordings; those that are arrays are written to files first.

    Arrays become files `NAME.wav` in a folder of the data folder that is named by their content: 16-bit
    integers for int16, 32-bit floats for floats, so that nothing is lost.

    Args:
        recordings: see `pipeline.api.corpora.train`.
        sample_rate: of arrays that are not paired with a rate, in Hz.

    Returns:
        The paths, and how they are grouped if that follows from their names, else None.

    Raises:
        UserError: the samples are invalid, or have no rate.
    """
    if isinstance(recordings, str | Path):
        return [place_of(recordings)], None
    if not isinstance(recordings, Mapping) and all(isinstance(one, str | Path) for one in recordings):
        return [place_of(str(one)) for one in recordings], None
    sounds = [(name, *_sound(name, sound, sample_rate)) for name, sound in _named(recordings)]
    key = hashlib.sha256()
    for name, samples, rate in sounds:
        key.update(f"{name} {rate} {samples.dtype} {samples.shape}\n".encode())
        key.update(samples.tobytes())
    folder = data_dir() / "arrays" / key.hexdigest()[:16]
    for name, samples, rate in sounds:
        _write(folder / f"{name}.wav", samples, rate)
    return [folder], "folder" if any("/" in name for name, _, _ in sounds) else "recording"


def _named(recordings: Any) -> Iterator[tuple[str, Sound]]:
    if isinstance(recordings, Mapping):
        yield from recordings.items()
    else:
        yield from ((f"{index:06d}", sound) for index, sound in enumerate(recordings))


def _sound(name: str, sound: Sound, sample_rate: int | None) -> tuple[NDArray[Any], int]:
    parts = Path(name).parts
    if not parts or Path(name).is_absolute() or ".." in parts:
        raise UserError(f"{name!r}: a recording's name is a relative path, such as 'speaker/take'", 2)
    samples: Any = sound
    rate = sample_rate
    if isinstance(samples, tuple):
        if len(samples) != 2 or not isinstance(samples[1], int | np.integer):
            raise UserError(f"{name}: give samples, or a pair (samples, rate) with the rate in Hz", 2)
        samples, rate = samples[0], int(samples[1])
    if rate is None:
        raise UserError(f"{name}: give the rate of its samples: sample_rate=..., or (samples, rate)", 2)
    try:
        found = checked_samples(samples, rate)
    except UserError as problem:
        raise UserError(f"{name}: {problem}", problem.exit_code) from None
    return found if found.dtype == np.int16 else found.astype(np.float32), rate


def _write(path: Path, samples: NDArray[Any], sample_rate: int) -> None:
    import soundfile

    from pipeline.common.files import atomic_path

    if path.exists():
        return
    subtype = "PCM_16" if samples.dtype == np.int16 else "FLOAT"
    with atomic_path(path) as temporary:
        soundfile.write(temporary, samples, sample_rate, subtype=subtype)
