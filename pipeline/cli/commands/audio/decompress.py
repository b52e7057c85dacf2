"""`wavecast decompress`: restore sound files from compressed recordings."""

import sys
from functools import cache
from typing import Annotated, Any

from cyclopts import Parameter

from pipeline.cli.arguments import Json, Model, Output, Overwrite
from pipeline.cli.commands.audio.compress import coding_model
from pipeline.cli.inputs import each_sound, find_sounds, is_many, output_paths
from pipeline.cli.output import print_json
from pipeline.common.places import Place, local_copy
from pipeline.errors import print_line

EXAMPLES = ["decompress talk.wcz -o talk.wav", "decompress compressed/ -o restored/ --model gru"]
Files = Annotated[
    tuple[str, ...],
    Parameter(help="Files written by `wavecast compress`, folders of them, or patterns such as 'x/*.wcz'."),
]


def decompress(
    files: Files, /, *, output: Output, model: Model = "", overwrite: Overwrite = False, json: Json = False
) -> None:
    """Restore compressed recordings exactly, with the model that compressed them, if one did.

    The suffix of the output chooses the format: .wav, .flac, .aiff or .w64. Files in a folder are .wav.
    """
    rejected: list[Place] = []
    found = find_sounds(files, rejected)
    many = is_many(files, found)
    targets = dict(zip(found, output_paths(found, output, ".wav", many, overwrite), strict=True))
    from pipeline.compression.pcm_files import check_format

    for target in targets.values():
        check_format(target)
    results = list[dict[str, Any]]()
    from pipeline.compression.codec import decompress_sound, needs_model

    coding = cache(lambda: coding_model(model))

    def work(place: Place) -> Any:
        with local_copy(place) as local:
            return decompress_sound(coding() if needs_model(local) else None, local, targets[place])

    for file, sound in each_sound(found, work, rejected):
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
            print_line(
                f"{facts['output']}  {facts['seconds']:.2f} s, {sound.channels} channel(s) "
                f"of {sound.depth} bits at {sound.sample_rate} Hz, bit for bit"
            )
    if json:
        print_json(results, many)
    if rejected:
        sys.exit(1)
