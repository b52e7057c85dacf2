"""Findings of an examination: each has a sentence on what was found and one on what to do."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

Severity = Literal["problem", "warning", "fine"]
SEVERITIES: tuple[Severity, ...] = ("problem", "warning", "fine")
Kind = Literal["recording", "music", "corpus", "data set", "model", "run", "installation", "unknown"]


@dataclass(frozen=True)
class Finding:
    """One result of an examination.

    Attributes:
        severity: `problem` if something does not work or is wrong; `warning` if it may be; else `fine`.
        name: a short word for the kind of finding, the same in every examination.
        what: a sentence on what was found.
        advice: a sentence on what to do; empty where there is nothing to do.
    """

    severity: Severity
    name: str
    what: str
    advice: str = ""


@dataclass(frozen=True)
class Examination:
    """An examined recording, data set, model or run: its figures and its findings, the worst first."""

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
    """Return the findings sorted by severity; findings of one severity keep their order."""
    return tuple(sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity)))


def counted(number: int, singular: str, plural: str = "") -> str:
    """Return a number with its noun.

    Args:
        number: the number.
        singular: the noun after 1.
        plural: the noun after other numbers; empty adds an `s`.

    Example:
        >>> counted(1, "recording"), counted(1000, "recording"), counted(2, "box", "boxes")
        ('1 recording', '1,000 recordings', '2 boxes')
    """
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


def share(part: float) -> str:
    """Return a share of 1 as a percentage with up to two decimals."""
    if 0 < part < 0.0001:
        return "less than 0.01 %"
    return f"{100 * part:.{0 if part >= 0.1 else 1 if part >= 0.01 else 2}f} %"
