"""The command line `wavecast`: each verb parses, calls one function of `pipeline`, and prints its result.

They lie in `pipeline.verbs`. Nothing heavy is imported before a verb needs it.
"""

import errno
import os
import sys
import textwrap

from cyclopts import App, CycloptsError

from pipeline.errors import UserError
from pipeline.verbs import corpora, models
from pipeline.verbs.arguments import CORPORA, MODELS, SOUNDS
from pipeline.verbs.bench import bench

LONGEST_MESSAGE = 400

app = App(
    name="wavecast",
    help="Forecast audio: train recurrent predictors on recordings, measure them in honest bits per sample, "
    "continue, score, repair and compress sounds.",
    help_epilogue="Begin with `wavecast demo`, or `wavecast run base FOLDER` on your own recordings.",
    version_flags=["--version"],
)

app.command(corpora.demo, group=CORPORA, sort_key=1)
app.command(corpora.prepare, group=CORPORA, sort_key=2)
app.command(corpora.train, group=CORPORA, sort_key=3)
app.command(corpora.evaluate, group=CORPORA, sort_key=4)
app.command(corpora.run, group=CORPORA, sort_key=5)
for name, help_text in {
    "predict": "Continue recordings.",
    "generate": "Make sound from nothing, once or without end.",
    "score": "Measure how surprising recordings are, on the whole and over time; find anomalies.",
    "conceal": "Fill lost packets and other gaps.",
    "compress": "Code recordings without loss by a model's exact probabilities.",
    "decompress": "Restore what was compressed, sample by sample.",
    "spectrogram": "Draw recordings as the spectrograms that models see, or write them as arrays.",
}.items():
    module = "compress" if name == "decompress" else name
    app.command(f"pipeline.verbs.{module}:{name}", name=name, help=help_text, group=SOUNDS)
for name, help_text in {
    "doctor": "Say what is wrong with recordings, data sets, models, runs or the installation.",
    "report": "Write a page on a run or a model, with players, pictures and tables.",
    "export": "Write one step of a model as an ONNX file, checked against the model.",
}.items():
    app.command(f"pipeline.verbs.{name}:{name}", name=name, help=help_text, group=MODELS)
app.command(models.models)
app.command(bench)
app.command(models.study, group=MODELS)
app.command(models.ui, group=MODELS)


def main() -> None:
    """Run the command line; a user's mistake is one line on standard error, never a traceback."""
    try:
        app(sys.argv[1:], exit_on_error=False, print_error=False, result_action="return_value")
    except CycloptsError as problem:
        told = textwrap.shorten(str(problem), LONGEST_MESSAGE, placeholder=" ...")  # it may list many files
        _fail(f"{told} (see `wavecast --help`)", 2)
    except UserError as problem:
        _fail(str(problem), problem.exit_code)
    except KeyboardInterrupt:
        resumable = bool({"demo", "prepare", "train", "run", "study"} & set(sys.argv[1:2]))
        _fail("stopped; the same command goes on where it was" if resumable else "stopped", 130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as problem:
        if problem.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS):
            raise
        _fail(f"{problem.filename or 'writing a file'}: {problem.strerror}", 1)


def _fail(message: str, code: int) -> None:
    print(f"wavecast: {message}", file=sys.stderr)
    sys.exit(code)


if __name__ == "__main__":
    main()
