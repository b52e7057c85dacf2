"""`wavecast compress`: lossless compression of recordings with a model's exact probabilities."""

import sys
from typing import Any

from pipeline.cli.arguments import Fast, Json, Model, Output, Overwrite, Sounds
from pipeline.cli.inputs import each_sound, find_sounds, is_many, output_paths
from pipeline.cli.output import print_json
from pipeline.common.places import Place, local_copy
from pipeline.errors import UserError, print_line

EXAMPLES = [
    "compress talk.wav -o talk.wcz",
    "compress recordings/ -o compressed/ --model gru",
    "compress 'talks/*.flac' -o compressed/ --json",
]
SUFFIX = ".wcz"


def compress(
    sounds: Sounds,
    /,
    *,
    output: Output,
    model: Model = "",
    fast: Fast = False,
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    """Compress recordings without loss, by the probabilities of a model and of predictors that adapt.

    Reads WAV, FLAC, AIFF and other files of 8- to 32-bit integers, with any number of channels, at any rate.
    Compression is best at the model's rate. `wavecast decompress` with the same model restores all samples
    exactly. Tags and the container format are not kept.
    """
    if fast and model:
        raise UserError("--fast compresses without a model; leave out --model", 2)
    rejected: list[Place] = []
    found = find_sounds(sounds, rejected)
    many = is_many(sounds, found)
    targets = dict(zip(found, output_paths(found, output, SUFFIX, many, overwrite), strict=True))
    coding, results = None if fast else coding_model(model), list[dict[str, Any]]()
    from pipeline.compression.codec import compress_sound
    from pipeline.compression.pcm_files import flac_size

    def work(place: Place) -> tuple[Any, int | None]:
        with local_copy(place) as local:
            done = compress_sound(coding, local, targets[place])
            return done, flac_size(local, done.sound)

    for sound, (done, flac_bytes) in each_sound(found, work, rejected):
        facts = {
            "recording": str(sound),
            "output": str(targets[sound]),
            "bytes": done.bytes_after,
            "bits_per_sample": done.bits_per_sample,
            "ratio_to_file": done.bytes_before / done.bytes_after,
            "ratio_to_16_bit": done.sound.bytes_as_16_bit / done.bytes_after,
            "flac_bytes": flac_bytes,
        }
        results.append(facts)
        if not json:
            _print(facts)
    if json:
        print_json(results, many)
    if rejected:
        sys.exit(1)


def _print(facts: dict[str, Any]) -> None:
    print_line(
        f"{facts['output']}  {facts['bytes']:,} bytes, {facts['bits_per_sample']:.2f} bits per sample; "
        f"the file is {facts['ratio_to_file']:.2f} times as large, "
        f"16-bit samples are {facts['ratio_to_16_bit']:.2f} times"
    )
    flac = facts["flac_bytes"]
    if flac is not None and flac < facts["bytes"]:
        saved = 100 * (1 - flac / facts["bytes"])
        print(f"  FLAC would be {saved:.0f}% smaller: {flac:,} bytes. The recording is predicted poorly.")


def coding_model(model: str) -> Any:
    """Return a `pipeline.compression.codec.CodingModel`; the slow import happens here.

    Raises:
        UserError: the model cannot be loaded.
    """
    from pipeline.cli.chosen_model import choose_model
    from pipeline.compression.codec import CodingModel

    found = choose_model(model)
    return CodingModel.load(found.folder, model or found.label)
