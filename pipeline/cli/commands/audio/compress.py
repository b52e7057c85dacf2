"""`wavecast compress` and `wavecast decompress`: recordings as small as the model finds them likely."""

import sys
from pathlib import Path
from typing import Any

from pipeline.cli.arguments import Json, Model, Output, Overwrite, Sounds
from pipeline.cli.inputs import each_sound, find_sounds, is_many, output_paths, print_json
from pipeline.errors import UserError

SUFFIX = ".wcz"


def compress(
    sounds: Sounds, /, *, output: Output, model: Model = "", overwrite: Overwrite = False, json: Json = False
) -> None:
    """Compress recordings without loss, into as many bits as the model needs to tell each sample.

    WAV, FLAC, AIFF and other files of 8- to 32-bit integers, with any channels, at any rate (best at the
    model's). The samples come back bit for bit, by the same model; tags and the kind of container do not.
    """
    found = find_sounds(sounds)
    many = is_many(sounds, found)
    targets = dict(zip(found, output_paths(found, output, SUFFIX, many, overwrite), strict=True))
    coding, refused, results = _coding_model(model), list[Path](), list[dict[str, Any]]()
    from pipeline.compression.codec import compress_sound

    for sound, done in each_sound(found, lambda path: compress_sound(coding, path, targets[path]), refused):
        facts = {
            "recording": str(sound),
            "output": str(targets[sound]),
            "bytes": done.bytes_after,
            "bits_per_sample": done.bits_per_sample,
            "ratio_to_file": done.bytes_before / done.bytes_after,
            "ratio_to_16_bit": done.sound.bytes_as_16_bit / done.bytes_after,
        }
        results.append(facts)
        if not json:
            print(
                f"{facts['output']}  {done.bytes_after:,} bytes, {done.bits_per_sample:.2f} bits per sample; "
                f"the file is {facts['ratio_to_file']:.2f} times as large, "
                f"16-bit samples are {facts['ratio_to_16_bit']:.2f} times"
            )
    _finish(results, refused, many, json)


def decompress(
    files: Sounds, /, *, output: Output, model: Model = "", overwrite: Overwrite = False, json: Json = False
) -> None:
    """Get back recordings that `wavecast compress` made small, with the model that made them.

    The samples come back bit for bit in a .wav, .flac, .aiff or .w64 file; in a folder, as .wav.
    """
    found = find_sounds(files)
    many = is_many(files, found)
    targets = dict(zip(found, output_paths(found, output, ".wav", many, overwrite), strict=True))
    from pipeline.compression.pcm_files import check_format

    for target in targets.values():
        check_format(target)
    coding, refused, results = _coding_model(model), list[Path](), list[dict[str, Any]]()
    from pipeline.compression.codec import decompress_sound

    for file, sound in each_sound(found, lambda path: decompress_sound(coding, path, targets[path]), refused):
        facts = {
            "file": str(file),
            "output": str(targets[file]),
            "seconds": sound.frames / sound.sample_rate,
            "sample_rate": sound.sample_rate,
            "channels": sound.channels,
            "bits": sound.depth,
        }
        results.append(facts)
        if not json:
            print(
                f"{facts['output']}  {facts['seconds']:.2f} s, {sound.channels} channel(s) "
                f"of {sound.depth} bits at {sound.sample_rate} Hz, bit for bit"
            )
    _finish(results, refused, many, json)


def _coding_model(model: str) -> Any:
    """A `pipeline.compression.codec.CodingModel`, which is not imported before it is needed."""
    try:
        from pipeline.compression.codec import CodingModel
    except ModuleNotFoundError as problem:
        if problem.name != "constriction":
            raise
        raise UserError("the library constriction is missing: pip install constriction") from None
    from pipeline.registry.registry import fetch_model

    folder = fetch_model(model)
    return CodingModel.load(folder, model or folder.name)


def _finish(results: list[dict[str, Any]], refused: list[Path], many: bool, json: bool) -> None:
    if json:
        print_json(results, many)
    if refused:
        sys.exit(1)
