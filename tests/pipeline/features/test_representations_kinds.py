"""The kind of an input selects a class in one place, and no other code asks for it."""

import ast
import re
from pathlib import Path
from typing import Any

import pytest

from pipeline.config.inputs import KINDS
from pipeline.features.representation import Representation
from pipeline.features.representations import REPRESENTATIONS
from tests.conftest import PROJECT_ROOT


def with_subclasses(of: type[Any]) -> set[type[Any]]:
    return {of, *(each for below in of.__subclasses__() for each in with_subclasses(below))}


CLASSES = {each.__name__ for each in with_subclasses(Representation).union(REPRESENTATIONS)}
WHERE_KINDS_ARE = {Path("pipeline/features"), Path("pipeline/config")}


def asks_for_the_kind(node: ast.AST) -> bool:
    """Whether a node tests the class of a configuration or representation, or compares a kind."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "isinstance":
        named = re.findall(r"\w+", ast.unparse(node.args[1]))
        return not CLASSES.isdisjoint(named)
    if isinstance(node, ast.Compare):
        sides = [node.left, *node.comparators]
        parts = [part for side in sides for part in ast.walk(side)]
        texts = {part.value for part in parts if isinstance(part, ast.Constant)}
        return bool(texts & set(KINDS)) or any(ast.unparse(side).endswith("input.kind") for side in sides)
    return False


def questions(code: str) -> list[str]:
    """Every expression of a source text that asks for a kind."""
    return [ast.unparse(node) for node in ast.walk(ast.parse(code)) if asks_for_the_kind(node)]


def test_no_code_outside_of_features_and_settings_asks_for_the_kind_of_an_input() -> None:
    asking = []
    for package in ("pipeline", "flows", "models", "wavecast", "examples"):
        for path in (PROJECT_ROOT / package).rglob("*.py"):
            place = path.relative_to(PROJECT_ROOT)
            if place.parent in WHERE_KINDS_ARE:
                continue
            asking += [f"{place}: {text}" for text in questions(path.read_text())]
    assert not asking


def test_within_features_the_registry_alone_selects_by_kind() -> None:
    features = PROJECT_ROOT / "pipeline" / "features"
    assert not [text for path in features.glob("*.py") for text in questions(path.read_text())]


@pytest.mark.parametrize(
    "code",
    [
        "isinstance(config, WaveformConfig)",
        "isinstance(config, (int, inputs.PianoRollConfig, SpectrogramConfig))",
        "isinstance(config, WaveformConfig | PianoRollConfig)",
        "isinstance(model.representation, SpectrogramFrames)",
        "model.input.kind == other.input.kind",
        "settings.get('kind') in ('waveform', 'spectrogram')",
    ],
)
def test_asking_is_found(code: str) -> None:
    assert questions(code) == [code]
