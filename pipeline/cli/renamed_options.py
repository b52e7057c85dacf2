"""Renamed options: the old spelling is still accepted, but not documented."""

from collections.abc import Sequence

RENAMED = {
    "predict": {
        "--cut": "--trim-end",
        "--kind": "--mode",
        "--rate": "--output-rate",
        "--spread": "--noise-scale",
    },
    "generate": {"--spread": "--noise-scale"},
    "conceal": {"--packet": "--packet-ms", "--shortest": "--min-gap-ms", "--trace": "--loss-trace"},
    "train": {"--run": "--resume"},
}


def current_spelling(arguments: Sequence[str]) -> list[str]:
    """Return the command line's arguments with the present name in place of each option's old one."""
    renamed = RENAMED.get(arguments[0], {}) if arguments else {}
    end = arguments.index("--") if "--" in arguments else len(arguments)
    result = []
    for argument in arguments[:end]:
        option, separator, value = argument.partition("=")
        result.append(f"{renamed.get(option, option)}{separator}{value}")
    return [*result, *arguments[end:]]
