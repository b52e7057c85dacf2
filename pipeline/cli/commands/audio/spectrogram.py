"""`wavecast spectrogram`: pictures and arrays of the frames that a spectrogram model reads."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from pipeline.cli.arguments import Json, MaybeOutput, Overwrite, Sounds
from pipeline.cli.inputs import each_sound, find_sounds, is_many, output_paths
from pipeline.cli.output import print_json
from pipeline.common.places import Place, local_copy
from pipeline.errors import UserError, print_line

if TYPE_CHECKING:
    from pipeline.config.inputs import SpectrogramConfig

EXAMPLES = [
    "spectrogram talk.wav -o talk.png",
    "spectrogram talk.wav -o talk.npz --linear",
    "spectrogram recordings/ -o pictures/ --set input.n_mels=40",
]
Array = Annotated[
    Path | None,
    Parameter(
        help="Array file to write, a .npz of frames, times and frequencies; a folder if there are several "
        "recordings."
    ),
]
Config = Annotated[
    Path,
    Parameter(
        name=["--config", "-c"],
        help="Configuration of the analysis: a YAML file, or the name of one that is included.",
    ),
]
Settings = Annotated[
    tuple[str, ...],
    Parameter(
        name=["--set", "-s"],
        help="Setting to change, as KEY=VALUE: input.n_mels=40. May be repeated.",
        negative=(),
    ),
]
Linear = Annotated[bool, Parameter(help="Keep the transform's own bins instead of mel bands.", negative=())]


def spectrogram(
    sounds: Sounds,
    /,
    *,
    output: MaybeOutput = None,
    array: Array = None,
    config: Config = Path("spectrogram"),
    settings: Settings = (),
    linear: Linear = False,
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    """Draw the spectrogram of recordings (-o PICTURE.png), or write its frames (-o FRAMES.npz).

    The frames are those that a model with this configuration reads.
    """
    from pipeline.export.spectrogram_files import write_spectrogram

    analysis = _analysis(config, settings, linear)
    rejected: list[Place] = []
    found = find_sounds(sounds, rejected)
    many = is_many(sounds, found)
    pictures, arrays = _places(found, output, array, many, overwrite)

    def work(sound: Place) -> dict[str, Any]:
        with local_copy(sound) as local:
            facts = write_spectrogram(local, analysis, pictures.get(sound), arrays.get(sound))
        return {**facts, "sound": str(sound)}

    done = [facts for _, facts in each_sound(found, work, rejected)]
    if json:
        print_json(done, many)
    else:
        for facts in done:
            size = f"{facts['seconds']:.2f} s, {facts['frames']:,} frames of {facts['bands']} bands"
            written = " ".join(filter(None, (facts["picture"], facts["array"])))
            print_line(f"{facts['sound']}: {size}  {written}")
    if rejected:
        sys.exit(1)


def _analysis(config: Path, settings: tuple[str, ...], linear: bool) -> "SpectrogramConfig":
    """Return the section `input` of the configuration; `UserError` where it is no spectrogram."""
    from pipeline.config.loading import load_config
    from pipeline.features.representations import representation_of

    loaded = load_config(config, (*settings, *(["input.n_mels=0"] if linear else []))).input
    frames = representation_of(loaded).frames
    if frames is None:
        raise UserError(f"{config}: its input.kind is {loaded.kind}; name one of spectrograms", 2)
    return frames.config


def _places(
    sounds: list[Place], output: Path | None, array: Path | None, many: bool, overwrite: bool
) -> tuple[dict[Place, Path], dict[Place, Path]]:
    """Return the paths of pictures and arrays by sound; `UserError` where one cannot be written."""
    from pipeline.export.spectrogram_files import ARRAYS, PICTURES, check_suffix

    if output is None and array is None:
        raise UserError("nothing to write; name a picture, -o PICTURE.png, or an array, -o FRAMES.npz", 2)
    if many:
        for folder in filter(None, (output, array)):
            if folder.is_file() or folder.suffix.lower() in (*PICTURES, *ARRAYS):
                raise UserError(
                    f"{folder}: not a folder, but there are {len(sounds)} recordings; name a folder", 2
                )
    elif output and output.suffix.lower() in ARRAYS:
        if array:
            raise UserError(f"{output} and {array}: both are arrays; name a picture with -o", 2)
        output, array = None, output
    else:
        check_suffix(output, PICTURES)
        check_suffix(array, ARRAYS)
    pictures = output_paths(sounds, output, PICTURES[0], many, overwrite) if output else []
    arrays = output_paths(sounds, array, ARRAYS[0], many, overwrite) if array else []
    return dict(zip(sounds, pictures, strict=False)), dict(zip(sounds, arrays, strict=False))
