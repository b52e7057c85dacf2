"""The command line `wavecast`: a command parses its arguments, calls one function, prints the result.

The commands lie in `pipeline.cli.commands`; `pipeline.cli.command_table` lists them. Only the module of the
command that is called is imported, and nothing heavy before a command needs it.
"""

import errno
import io
import os
import signal
import sys
import textwrap
from collections.abc import Sequence
from typing import Any

from cyclopts import App, CycloptsError, Parameter

from pipeline.cli.arguments import check_is_local, shown_default
from pipeline.cli.command_table import COMMANDS, add_commands
from pipeline.cli.renamed_options import current_spelling
from pipeline.common.writable_caches import use_writable_caches
from pipeline.errors import UserError, one_line

LONGEST_MESSAGE = 400
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
RESUMABLE = frozenset(("demo", "data", "prepare", "train", "tune", "run", "study"))


def build_app(names: Sequence[str] = ()) -> App:
    """Return the command line with the named commands, imported; without names with all, not imported."""
    app = App(
        name="wavecast",
        help="Train recurrent neural networks on recordings. Use them to continue, score, conceal and "
        "compress audio.",
        help_epilogue="Start with wavecast demo, or with wavecast run FOLDER on your own recordings. "
        "wavecast COMMAND --help explains a command.",
        # Rich's Markdown takes a third of the time of `wavecast --help`, which has none.
        help_format=None if names else "plaintext",
        version=_version,
        version_flags=["--version"],
        default_parameter=Parameter(show_default=shown_default, validator=check_is_local),
        suppress_keyboard_interrupt=False,
    )
    add_commands(app, names)
    app.register_install_completion_command(help="Install completion for this shell (bash, zsh, fish).")
    return app


def __getattr__(name: str) -> Any:
    """Return `app`, the whole command line with every command imported, for tools that document it."""
    if name == "app":
        return build_app(list(COMMANDS))
    raise AttributeError(name)


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("wavecast")
    except PackageNotFoundError:
        return "unknown (not installed)"


def main() -> None:
    """Run the command line; a user's mistake is one line on standard error, never a traceback."""
    _prepare_streams()
    use_writable_caches()
    command = next((name for name in sys.argv[1:2] if name in COMMANDS), "")
    resumable = command in RESUMABLE
    if not resumable:  # resumable commands may be killed; others must not leave partial files
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        try:
            app = build_app([command] if command else [])
            arguments = current_spelling(sys.argv[1:])
            app(arguments, exit_on_error=False, print_error=False, result_action="return_value")
        finally:
            sys.stdout.flush()  # else Python flushes too late for an error of one line
    except CycloptsError as problem:
        reason = textwrap.shorten(str(problem), LONGEST_MESSAGE, placeholder=" ...")  # it may list many files
        called = " ".join(("wavecast", *(problem.command_chain or ())))
        _fail(f"{reason} (see `{called} --help`)", 2)
    except UserError as problem:
        _fail(str(problem), problem.exit_code)
    except KeyboardInterrupt:
        _fail("stopped; the same command resumes it" if resumable else "stopped", 130)
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
    """Allow any file name to be printed, and replace closed streams by the null device."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # in order: each gets the lowest free descriptor, its own
            setattr(sys, name, open(os.devnull, mode))  # noqa: PTH123, SIM115
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        unicode = sys.stdout.encoding.lower().replace("-", "") == "utf8"
        sys.stdout.reconfigure(errors="surrogateescape" if unicode else "backslashreplace")


def _forget_output() -> None:
    """Discard unprinted output, which Python would flush again, and fail, at the end of the process."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(message: str, code: int) -> None:
    print(f"wavecast: {one_line(message)}", file=sys.stderr)
    sys.exit(code)


if __name__ == "__main__":
    main()
