"""YAML texts to plain values, within bounds on depth and size, with numbers as in YAML 1.2."""

import re
from collections.abc import Hashable
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node

MOST_BYTES = 1 << 20
MOST_DEPTH = 32
MOST_VALUES = 100_000
LARGEST = 1 << 64
SHOWN_OF_REASON = 300


class _Loader(yaml.SafeLoader):
    """PyYAML follows YAML 1.1, where `1e-3` is a string; here it is a number, as in YAML 1.2."""

    _depth = 0

    def compose_node(self, parent: Node | None, index: int) -> Node | None:
        """Compose a node, unless it is nested too deeply for PyYAML, which calls itself for each level."""
        self._depth += 1
        if self._depth > MOST_DEPTH:
            raise ValueError(f"nested deeper than {MOST_DEPTH} levels")
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def construct_mapping(self, node: MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """Construct a mapping whose keys are all different."""
        keys = [key.value for key, _ in node.value if isinstance(key.value, str)]
        repeated = (
            [key for key in dict.fromkeys(keys) if keys.count(key) > 1] if len(set(keys)) < len(keys) else []
        )
        if repeated:
            raise ValueError(f"the key {repeated[0]!r} is given twice, line {node.start_mark.line + 1}")
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$|^[-+]?\.(inf|Inf|INF)$|^\.(nan|NaN|NAN)$"),
    list("-+0123456789."),
)


def parse_yaml(text: str) -> Any:
    """Return the value of a YAML text: mappings, lists, texts, numbers, dates, true, false and null.

    Raises:
        ValueError: the text is not YAML, or it is nested too deeply, too large, or has a key twice.
    """
    try:
        value = yaml.load(text, Loader=_Loader)
    except (
        yaml.YAMLError,
        ValueError,
        AttributeError,
        TypeError,
        LookupError,
        OverflowError,
        RecursionError,
    ) as problem:
        raise ValueError(" ".join(str(problem).split())[:SHOWN_OF_REASON]) from None
    _check(value)
    return value


def _check(value: Any) -> None:
    """Raise `ValueError` for a value that refers to itself, is too large, or holds impossible numbers."""
    count, waiting = 0, [(value, 0)]
    while waiting:
        part, depth = waiting.pop()
        count += 1
        if depth > MOST_DEPTH or count > MOST_VALUES:
            raise ValueError("nested too deeply, or of too many values")
        if isinstance(part, dict):
            if not all(isinstance(key, str | int | float | None) for key in part):
                raise ValueError("a key that is no text")
            waiting += [(each, depth + 1) for item in part.items() for each in item]
        elif isinstance(part, list | tuple | set):
            waiting += [(each, depth + 1) for each in part]
        elif isinstance(part, int) and abs(part) > LARGEST:
            raise ValueError("a number of too many digits")
