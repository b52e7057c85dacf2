"""The command line `wavecast`: each verb parses, calls one function of `pipeline`, and prints its result.

They lie in `pipeline.cli.commands`. Nothing heavy is imported before a verb needs it.
"""

import errno
import io
import os
import signal
import sys
import textwrap

from cyclopts import App, CycloptsError

from pipeline.cli.arguments import CORPORA, MODELS, SOUNDS
from pipeline.cli.commands.models import models
from pipeline.cli.commands.models.bench import bench
from pipeline.cli.commands.training import workflow as corpora
from pipeline.errors import UserError, one_line

LONGEST_MESSAGE = 400
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
RESUMABLE = frozenset(("demo", "prepare", "train", "run", "study"))

app = App(
    name="wavecast",
    help="Forecast audio: train recurrent predictors on recordings, measure them in honest bits per sample, "
    "continue, score, repair and compress sounds.",
    help_epilogue="Begin with `wavecast demo`, or `wavecast run base FOLDER` on your own recordings.",
    version_flags=["--version"],
    suppress_keyboard_interrupt=False,
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
    app.command(f"pipeline.cli.commands.audio.{module}:{name}", name=name, help=help_text, group=SOUNDS)
for name, help_text in {
    "doctor": "Say what is wrong with recordings, data sets, models, runs or the installation.",
    "report": "Write a page on a run or a model, with players, pictures and tables.",
    "export": "Write one step of a model as an ONNX file, checked against the model.",
}.items():
    app.command(f"pipeline.cli.commands.models.{name}:{name}", name=name, help=help_text, group=MODELS)
app.command(models.models)
app.command(bench)
app.command(models.study, group=MODELS)
app.command(models.ui, group=MODELS)


def main() -> None:
    """Run the command line; a user's mistake is one line on standard error, never a traceback."""
    _prepare_streams()
    resumable = bool(RESUMABLE & set(sys.argv[1:2]))
    if not resumable:  # those may be ended at any moment; others are to leave no half of a file
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        try:
            app(sys.argv[1:], exit_on_error=False, print_error=False, result_action="return_value")
        finally:
            sys.stdout.flush()  # else Python does it too late to say in one line why it could not
    except CycloptsError as problem:
        told = textwrap.shorten(str(problem), LONGEST_MESSAGE, placeholder=" ...")  # it may list many files
        _fail(f"{told} (see `wavecast --help`)", 2)
    except UserError as problem:
        _fail(str(problem), problem.exit_code)
    except KeyboardInterrupt:
        _fail("stopped; the same command goes on where it was" if resumable else "stopped", 130)
    except BrokenPipeError:
        _forget_output()
        sys.exit(1)
    except OSError as problem:
        if problem.filename is None:
            if problem.errno not in NO_ROOM:
                raise
            _forget_output()
        _fail(f"{problem.filename or 'standard output, or a temporary file'}: {problem.strerror}", 1)


def _prepare_streams() -> None:
    """Let a file's name be printed whatever it holds, and streams that were closed lead nowhere."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # in order: each takes the lowest number that is free, its own
            setattr(sys, name, open(os.devnull, mode))  # noqa: PTH123, SIM115
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        unicode = sys.stdout.encoding.lower().replace("-", "") == "utf8"
        sys.stdout.reconfigure(errors="surrogateescape" if unicode else "backslashreplace")


def _forget_output() -> None:
    """What could not be printed would be tried again, and fail again, at the end of the process."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(message: str, code: int) -> None:
    print(f"wavecast: {one_line(message)}", file=sys.stderr)
    sys.exit(code)


if __name__ == "__main__":
    main()
