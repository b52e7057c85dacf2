"""The help of the commands: one table, every argument explained, nothing imported to list them."""

import sys

import pytest
from rich.console import Console

from pipeline.cli.command_table import COMMANDS, help_line
from pipeline.cli.main import build_app
from tests.helpers.cli import Run


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_its_arguments_and_gives_examples(wavecast: Run, name: str) -> None:
    done = wavecast(name, "--help")
    assert done.code == 0, done.error
    assert "Examples" in done.out
    assert f"wavecast {name}" in done.out
    assert "[ARGS" not in done.out
    assert "[default: ()]" not in done.out
    assert '[default: ""]' not in done.out
    app = build_app([name])[name]
    for argument in app.assemble_argument_collection() if app.default_command else ():
        assert argument.parameter.help, argument.name


def test_the_list_of_commands_has_the_first_line_of_each_commands_own_help(wavecast: Run) -> None:
    together = "".join(wavecast("--help").out.split())
    for name, group in COMMANDS.items():
        line = "".join(help_line(group, name).replace("`", "").split())
        own = "".join(wavecast(name, "--help").out.split())
        assert line, name
        assert line in own.replace("\u2502", ""), name
        assert line[:20] in together.replace("\u2502", ""), name


def test_command_lines_that_are_built_twice_do_not_disturb_each_other() -> None:
    first = build_app(list(COMMANDS))
    build_app([])["models"]
    assert (
        first.parse_args(["data", "list"], exit_on_error=False, print_error=False)[0].__name__ == "list_sets"
    )
    first.help_print([], console=Console(quiet=True))


def test_completion_can_be_installed(wavecast: Run) -> None:
    assert "--install-completion" in wavecast("--help").out


def test_a_missing_argument_points_to_the_commands_own_help(wavecast: Run) -> None:
    assert wavecast("predict").error.rstrip().endswith("(see `wavecast predict --help`)")
    assert wavecast("compose").error.rstrip().endswith("(see `wavecast --help`)")


def test_the_version_is_the_projects(wavecast: Run) -> None:
    from importlib.metadata import version

    assert wavecast("--version").out.strip() == version("wavecast") != "0.0.0"


@pytest.mark.parametrize("name", ["prepare", "train", "evaluate", "run"])
def test_recordings_are_explained(wavecast: Run, name: str) -> None:
    assert "Folders, sound files, CSV tables" in wavecast(name, "--help").out


def test_one_command_imports_no_other() -> None:
    build_app(["prepare"])
    loaded = set(sys.modules)
    build_app(["prepare"])
    assert set(sys.modules) == loaded
