"""The documentation is true: commands, settings, paths and code blocks of every page exist and run."""

import ast
import importlib
import json
import pkgutil
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from pipeline.cli.main import app
from pipeline.config.loading import load_config
from pipeline.config.run import RunConfig
from pipeline.data.public.table import all_sets
from tests.conftest import PROJECT_ROOT
from tests.helpers.pages.code_blocks import (
    Block,
    blocks_of,
    run_blocks,
    run_command,
    write_inputs,
    write_shown_files,
)

DOCS = PROJECT_ROOT / "docs"
PAGES = sorted(path.relative_to(DOCS) for path in DOCS.rglob("*.md"))
TESTED = [*(Path("docs") / page for page in PAGES), Path("README.md"), Path("CONTRIBUTING.md")]
PROGRAMS = {"wavecast", "make", "prefect", "export", "source", "pip", "ln", "curl", "mlflow", "torchrun"}
SECTIONS = (
    "corpus",
    "preparation",
    "input",
    "model",
    "train",
    "run",
    "evaluate",
    "samples",
    "tracking",
    "promotion",
    "tuning",
)
OWN = ("wavecast", "pipeline", "models", "flows")
NO_CODE = re.compile(r"```.*?```", re.DOTALL)

every_page = pytest.mark.parametrize("page", TESTED, ids=str)


def blocks(page: Path, *languages: str) -> list[Block]:
    return [block for block in blocks_of(PROJECT_ROOT / page) if block.language in languages]


def settings_of(model: type[BaseModel]) -> Iterator[str]:
    """Every key of a configuration, as it is written with dots."""
    for name, field in model.model_fields.items():
        yield name
        for part in (field.annotation, *getattr(field.annotation, "__args__", ())):
            if isinstance(part, type) and issubclass(part, BaseModel):
                yield from (f"{name}.{key}" for key in settings_of(part))


@every_page
def test_every_command_is_accepted_by_the_command_line(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_shown_files(blocks_of(PROJECT_ROOT / page), tmp_path)
    for block in blocks(page, "sh", "console"):
        for command in block.commands():
            program, *arguments = shlex.split(command.split(" | ")[0])
            assert program in PROGRAMS, command
            if program == "make":
                subprocess.run(["make", "--dry-run", *arguments], cwd=PROJECT_ROOT, check=True)
            if program == "wavecast" and arguments != ["--version"]:
                call, bound, unknown = app.parse_args(arguments, exit_on_error=False, print_error=False)[:3]
                assert not unknown, command
                if block.language == "sh":
                    settings_load(call.__name__, bound.arguments)


def settings_load(command: str, arguments: dict[str, Any]) -> None:
    """The configuration and the single settings of a command are valid."""
    default = "spectrogram" if command == "spectrogram" else "base"
    if "settings" in arguments or "config" in arguments:
        load_config(Path(arguments.get("config", default)), arguments.get("settings", ()))


@every_page
def test_every_setting_exists(page: Path) -> None:
    known = set(settings_of(RunConfig))
    prose = NO_CODE.sub("", (PROJECT_ROOT / page).read_text())
    named = re.findall(rf"`(?:--set )?((?:{'|'.join(SECTIONS)})\.\w+)(?:=[^`]*|: [^`]*)?`", prose)
    files = (".json", ".safetensors", ".yaml")
    assert not {key for key in named if key not in known and not key.endswith(files)}


@every_page
def test_every_path_exists(page: Path) -> None:
    """Files of the code in `...`, and targets of links between files."""
    text = NO_CODE.sub("", (PROJECT_ROOT / page).read_text())
    for path in re.findall(r"`((?:pipeline|models|flows|tests|configs|docs)/[\w./-]+)`", text):
        assert (PROJECT_ROOT / path).exists(), path
    generated = {"command-line.md", "settings.md", "public-data.md"}
    for path in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
        assert Path(path).name in generated or (PROJECT_ROOT / page.parent / path).exists(), path


@every_page
def test_python_blocks_compile_and_name_modules_that_exist(page: Path) -> None:
    for block in blocks(page, "python"):
        compile(block.text, f"{page}:{block.line}", "exec")
        for node in ast.walk(ast.parse(block.text)):
            if isinstance(node, ast.ImportFrom) and str(node.module).split(".")[0] in OWN:
                module = importlib.import_module(str(node.module))
                assert all(hasattr(module, alias.name) for alias in node.names), ast.unparse(node)


@every_page
def test_documented_objects_exist(page: Path) -> None:
    for name in re.findall(r"^::: ([\w.]+)$", (PROJECT_ROOT / page).read_text(), re.MULTILINE):
        pkgutil.resolve_name(name)


@every_page
def test_yaml_blocks_are_configurations_or_parts_of_the_deployment(page: Path, tmp_path: Path) -> None:
    nightly = yaml.safe_load((PROJECT_ROOT / "prefect.yaml").read_text())["deployments"][0]
    write_shown_files(blocks_of(PROJECT_ROOT / page), tmp_path)
    for block in blocks(page, "yaml"):
        content = yaml.safe_load(block.text)
        if block.title:
            load_config(tmp_path / block.title)
        elif "parameters" in content:
            assert is_part(content, nightly)
        else:
            (tmp_path / "part.yaml").write_text(f"extends: base.yaml\n{block.text}")
            load_config(tmp_path / "part.yaml")


def is_part(part: Any, whole: Any) -> bool:
    """Whether everything in ``part`` is in ``whole`` as well."""
    if isinstance(part, dict):
        return all(key in whole and is_part(value, whole[key]) for key, value in part.items())
    if isinstance(part, list):
        return len(part) == len(whole) and all(map(is_part, part, whole))
    return bool(part == whole)


def generated(module: str, function: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A page of the reference that follows from the code."""
    monkeypatch.syspath_prepend(DOCS / "generator")
    return str(getattr(importlib.import_module(module), function)())


def test_the_reference_lists_every_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    page = generated("settings", "settings_page", monkeypatch)
    keys = set(settings_of(RunConfig)) - set(SECTIONS)
    assert not {key for key in keys if f"| `{key}` |" not in page}


def test_the_reference_lists_every_command(monkeypatch: pytest.MonkeyPatch) -> None:
    page = generated("command_line", "command_line_page", monkeypatch)
    commands = {name for name in app if not name.startswith("-")}
    assert {"predict", "train"} <= commands
    assert not {name for name in commands if f"## wavecast {name}\n" not in page}


def test_the_reference_lists_every_public_set_with_its_licence(monkeypatch: pytest.MonkeyPatch) -> None:
    page = generated("public_data", "public_data_page", monkeypatch)
    for public in all_sets().values():
        section = page.split(f"### {public.name} ")[1].split("\n### ")[0]
        assert all(str(fact) in section for fact in (public.licence, public.citation, *public.addresses))


RESULTS = DOCS / "results"
MEASURED = sorted(path.stem for path in RESULTS.glob("*.json"))
WITH_TABLES = [page for page in TESTED if page.parent.name == "results" or page.name == "README.md"]
ABSOLUTE = re.compile(r"""["'\s=](?:~?/|[A-Z]:\\\\)\w""")
CONDITIONS = {"command", "configuration", "seeds", "versions", "machine", "date"}


@pytest.mark.parametrize("page", WITH_TABLES, ids=str)
def test_tables_of_results_are_those_of_the_measurements(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`python docs/generator/results.py` writes them; no figure with decimals stands in another table."""
    monkeypatch.syspath_prepend(DOCS / "generator")
    results = importlib.import_module("results")
    text = (PROJECT_ROOT / page).read_text()
    assert results.filled(text) == text, "write the tables anew: python docs/generator/results.py"
    others = NO_CODE.sub("", results.TABLE.sub("", text))
    assert not re.findall(r"^\|.*\d\.\d.*$", others, re.MULTILINE)


@pytest.mark.parametrize("name", MEASURED)
def test_a_measurement_states_its_conditions_and_is_shown(name: str) -> None:
    found = json.loads((RESULTS / f"{name}.json").read_text())
    assert not {fact for fact in CONDITIONS if not found.get(fact)}
    assert any(f"<!-- table: {name}/" in (PROJECT_ROOT / page).read_text() for page in WITH_TABLES)


@pytest.mark.parametrize("name", MEASURED)
def test_a_measurement_names_no_path_of_a_machine(name: str) -> None:
    """A text that begins with the root or a home folder, or has one behind a space, a quote or `=`."""
    texts = re.findall(r'"(?:[^"\\]|\\.)*"', (RESULTS / f"{name}.json").read_text())
    assert not [text for text in texts if ABSOLUTE.search(text)]


FAST = (
    "--set train.epochs=1 --set model.hidden_size=24 --set model.mixture_components=4 --set samples.count=0"
)


@pytest.mark.slow
@pytest.mark.parametrize(
    "page", [page for page in TESTED if page.parts[0] == "docs" and blocks(page, "sh", "python")], ids=str
)
def test_every_block_of_a_page_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a reader would: tutorials from nothing, other pages with a model that has been trained."""
    monkeypatch.chdir(tmp_path)
    write_inputs(tmp_path)
    found = blocks(page, "sh", "python", "yaml", "text", "csv")
    uses_models = any("wavecast" in block.text or "load_model" in block.text for block in found)
    if uses_models and "tutorials" not in page.parts:
        run_command(f"wavecast run base recordings --no-prefect {FAST}", tmp_path)
    run_blocks(found, tmp_path)
