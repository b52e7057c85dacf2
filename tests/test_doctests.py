"""Examples in docstrings are true."""

import doctest
import importlib

import pytest

from tests.conftest import PROJECT_ROOT

WITH_EXAMPLES = [
    ".".join(path.relative_to(PROJECT_ROOT).with_suffix("").parts)
    for package in ("models", "pipeline", "flows")
    for path in sorted((PROJECT_ROOT / package).rglob("*.py"))
    if ">>> " in path.read_text()
]


@pytest.mark.parametrize("module", WITH_EXAMPLES)
def test_examples_of_a_module(module: str) -> None:
    result = doctest.testmod(importlib.import_module(module), optionflags=doctest.ELLIPSIS)
    assert result.attempted
    assert not result.failed
