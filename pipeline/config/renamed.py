"""Settings of earlier releases under their present names, so that old files and folders are still read."""

from collections.abc import Mapping
from typing import Any

KEYS = {
    "train": {"sequences": "state", "chunk_steps": "bptt_steps"},
    "samples": {"prime_seconds": "context_seconds"},
}
"""Per section: the earlier name of a key and the present one."""

VALUES: dict[str, dict[str, dict[Any, str]]] = {
    "train": {"state": {"independent": "reset"}},
    "model": {
        "head": {"gaussians": "gaussian_mixture"},
        "cell": {f"study-{unit}": f"chung2014-{unit}" for unit in ("tanh", "gru", "lstm")},
    },
}
"""Per section and present key: the earlier value and the present one."""


def present_names(section: str, settings: Any) -> Any:
    """Return a section's settings under their present names.

    Args:
        section: name of the section.
        settings: its keys and values; anything but a mapping is returned unchanged.
    """
    if not isinstance(settings, Mapping):
        return settings
    renamed = {KEYS.get(section, {}).get(key, key): value for key, value in settings.items()}
    for key, values in VALUES.get(section, {}).items():
        value = renamed.get(key)
        if isinstance(value, str):
            renamed[key] = values.get(value, value)
    return renamed


def earlier_names(section: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return a section's settings under the names of earlier releases: the inverse of `present_names`.

    Args:
        section: name of the section.
        settings: its keys and values.
    """
    keys = {present: earlier for earlier, present in KEYS.get(section, {}).items()}
    found = {}
    for key, value in settings.items():
        earlier = {present: old for old, present in VALUES.get(section, {}).get(key, {}).items()}
        found[keys.get(key, key)] = earlier.get(value, value) if isinstance(value, str) else value
    return found
