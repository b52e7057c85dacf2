"""Findings of an examination: each has a sentence on what was found and one on what to do."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

Severity = Literal["problem", "warning", "fine"]
SEVERITIES: tuple[Severity, ...] = ("problem", "warning", "fine")
Kind = Literal["recording", "music", "corpus", "data set", "model", "run", "installation", "unknown"]


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        severity: `problem` keeps something from working or being right; `warning` may.
        name: a short word for the kind of finding, the same for every thing examined.
        what: a sentence on what is there.
        advice: a sentence on what to do; empty where there is nothing to do.
    """

    severity: Severity
    name: str
    what: str
    advice: str = ""


@dataclass(frozen=True)
class Examination:
    """One thing that was examined: what it is, its figures, and what was found, the worst first."""

    thing: str
    kind: Kind
    summary: str = ""
    figures: dict[str, Any] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()

    @property
    def has_problem(self) -> bool:
        """Whether one of the findings is a problem."""
        return any(finding.severity == "problem" for finding in self.findings)


def worst_first(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings by severity, in their order within each."""
    return tuple(sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity)))


def counted(number: int, singular: str, plural: str = "") -> str:
    """`1 recording`, `2 recordings`, `1,000 recordings`."""
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


def share(part: float) -> str:
    """A share of 1 in percent, with as many digits as it needs."""
    if 0 < part < 0.0001:
        return "less than 0.01 %"
    return f"{100 * part:.{0 if part >= 0.1 else 1 if part >= 0.01 else 2}f} %"
