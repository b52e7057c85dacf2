"""Build hook: in a wheel, the module `wavecast` is a package of one file that declares its types.

A module of one file cannot carry the marker `py.typed` (PEP 561). An editable installation reads
`wavecast.py` where it is, so that edits take effect.
"""

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class TypedModule(BuildHookInterface):  # type: ignore[type-arg]
    """Place `wavecast.py` and a `py.typed` in the folder `wavecast` of a wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the two files to the wheel; ``version`` is `editable` for an editable installation."""
        if version != "editable":
            build_data["force_include"] |= {
                "wavecast.py": "wavecast/__init__.py",
                "pipeline/api/py.typed": "wavecast/py.typed",
            }
