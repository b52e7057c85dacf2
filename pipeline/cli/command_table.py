"""The commands: a name here, and a module of that name in `pipeline.cli.commands`, make one.

The module `commands/GROUP/NAME.py` holds a function or an `App` called NAME, and may hold `EXAMPLES`, the
calls that its help shows. The help line is the first line of the function's docstring, or, of an `App`, of
the module's. Nothing is imported for the list of all commands: the docstrings are read from the files.
"""

import ast
import importlib
import inspect
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from cyclopts import App, Group

GROUPS = {
    "training": (
        "Train on recordings",
        ["demo", "data", "prepare", "train", "tune", "evaluate", "run", "config"],
    ),
    "audio": (
        "Apply a model to recordings",
        ["predict", "generate", "score", "conceal", "compress", "decompress", "spectrogram"],
    ),
    "services": ("Train on a schedule", ["up", "status", "down"]),
    "models": (
        "Inspect models, runs and the installation",
        ["models", "report", "export", "doctor", "bench", "study", "ui", "clean"],
    ),
}
COMMANDS = {name: group for group, (_, names) in GROUPS.items() for name in names}


def add_commands(app: App, names: Sequence[str] = ()) -> None:
    """Add the named commands to ``app`` and import them; without names, add all and import none."""
    groups = _help_groups()
    for position, name in enumerate(names or COMMANDS):
        group = COMMANDS[name]
        path = f"{__package__}.commands.{group}.{name}"
        settings: dict[str, Any] = {"name": name, "group": groups[group], "sort_key": position}
        if not names:
            app.command(f"{path}:{name}", help=help_line(group, name), **settings)
            continue
        module = importlib.import_module(path)
        command = getattr(module, name)
        epilogue = examples_text(getattr(module, "EXAMPLES", ()))
        if isinstance(command, App):
            command.help_epilogue = epilogue
            command.group, command.sort_key = groups[group], position
            app.command(command)
        else:
            app.command(command, help_epilogue=epilogue, usage=_usage(name, command), **settings)


@cache
def _help_groups() -> dict[str, Group]:
    """Return the headings of the list of commands: the same objects for every `App` in a process."""
    return {
        group: Group(title, sort_key=position) for position, (group, (title, _)) in enumerate(GROUPS.items())
    }


def _usage(name: str, command: Callable[..., None]) -> str | None:
    """Return the usage line of a command whose argument may be left out; None to have it generated."""
    for parameter in inspect.signature(command).parameters.values():
        if parameter.kind is parameter.POSITIONAL_ONLY and parameter.default is not parameter.empty:
            return f"Usage: wavecast {name} [OPTIONS] [{parameter.name.upper()}]"
    return None


def examples_text(examples: Sequence[str]) -> str:
    """Return the end of a command's help: its examples, a line each."""
    lines = "\n".join(f"    wavecast {example}" for example in examples)
    return f"Examples:\n\n{lines}" if examples else ""


def help_line(group: str, name: str) -> str:
    """Return the first line of a command's docstring, read from its file without importing it."""
    tree = ast.parse((Path(__file__).parent / "commands" / group / f"{name}.py").read_bytes())
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == name]
    return (ast.get_docstring(functions[0] if functions else tree) or "").partition("\n\n")[0]
