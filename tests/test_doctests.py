"""Examples in docstrings are true."""

import doctest
import importlib

import pytest

from tests.conftest import PROJECT_ROOT

SOURCES = (
    *(path for package in ("models", "pipeline", "flows") for path in (PROJECT_ROOT / package).rglob("*.py")),
    PROJECT_ROOT / "wavecast.py",
)
WITH_EXAMPLES = sorted(
    ".".join(path.relative_to(PROJECT_ROOT).with_suffix("").parts)
    for path in SOURCES
    if ">>> " in path.read_text()
)


def test_there_are_examples() -> None:
    """Without a module in the list, the test below would pass and test nothing."""
    assert len(WITH_EXAMPLES) > 15


@pytest.mark.parametrize("module", WITH_EXAMPLES)
def test_examples_of_a_module(module: str) -> None:
    # An option such as +ELLIPSIS is given in the example that needs it, so that the others are exact.
    result = doctest.testmod(importlib.import_module(module))
    assert result.attempted
    assert not result.failed
