"""The decision whether a challenger replaces the champion, from figures of the same held-out recordings.

A recording is no independent observation: those of one speaker are alike. So the observations are groups,
and each group is weighted equally. The test is an exact paired sign-flip test (Fisher, 1935) of the mean gain
over groups. It assumes no distribution, which few groups could not support. Several challengers are
tested together, by the smallest p-value among them under the same flips (Westfall and Young, 1993), so that
the best of many does not win by chance.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from pipeline.config.promotion import PromotionConfig

Name = TypeVar("Name", str, int)
Floats = NDArray[np.float64]
Verdict = Literal[
    "first",
    "above-stored",
    "better",
    "incomparable",
    "other-corpus",
    "too-little",
    "not-finite",
    "worse",
    "margin",
    "group",
    "chance",
]

EXACT_GROUPS = 13
"""Most groups of which all 2^G sign flips are tried."""
RANDOM_FLIPS = 9_999
"""Sign flips that are drawn for more groups, with a fixed seed."""
CONFIDENCE = 0.95
HUGE_BITS = 1e5
TIE = 1e-12
"""Sums that differ by less, in bits, are equal: the order of additions differs."""


@dataclass(frozen=True)
class Scored:
    """The figure of one recording.

    Attributes:
        group: whose recording it is.
        seconds: its duration.
        bits: its code length under the model, in bits.
        count: predicted samples (for notes time steps, for spectrograms frames).
    """

    group: str
    seconds: float
    bits: float
    count: int


@dataclass(frozen=True)
class Decision:
    """A decision and its figures; bits are per sample, as the mean over groups.

    Figures that are not known or not finite are None.

    Attributes:
        verdict: `first` where there is no champion, `better` where the challenger may replace the champion,
            else the first reason against it (`above-stored` and `not-finite` also without a champion).
        why: the same as a sentence with the figures.
        unit: of one predicted value: `sample`, `time step` or `frame`.
        bits, champion_bits: of the two models.
        gain: the difference, positive where the challenger is better.
        interval: of the gain, by Student's t over the groups; None for one group.
        p_value: of the sign-flip test.
        groups, recordings, minutes: what was compared.
        worst_group, worst_gain: the group with the smallest gain.
    """

    verdict: Verdict
    why: str
    unit: str = "sample"
    bits: float | None = None
    champion_bits: float | None = None
    gain: float | None = None
    interval: tuple[float, float] | None = None
    p_value: float | None = None
    groups: int = 0
    recordings: int = 0
    minutes: float = 0.0
    worst_group: str = ""
    worst_gain: float | None = None

    @property
    def promotes(self) -> bool:
        """Whether the challenger becomes champion, unless the champion is pinned."""
        return self.verdict in ("first", "better")

    def figures(self) -> dict[str, Any]:
        """Return everything except the sentence, ready for JSON."""
        return {name: value for name, value in asdict(self).items() if name != "why"}


def decide(
    challengers: Mapping[Name, Sequence[Scored]],
    champion: Sequence[Scored],
    rule: PromotionConfig,
    unit: str = "sample",
) -> dict[Name, Decision]:
    """Compare challengers with the champion.

    Args:
        challengers: per name the figures of the recordings, in the order of ``champion``.
        champion: figures of the same recordings.
        rule: the settings.
        unit: word for one predicted value.

    Returns:
        A decision for each challenger.
    """
    names = sorted({scored.group for scored in champion if scored.count})
    before = group_means(champion, names)
    gains = {name: before - group_means(scored, names) for name, scored in challengers.items()}
    finite = {name: gain for name, gain in gains.items() if np.isfinite(gain).all() and len(gain)}
    p_values = dict(zip(finite, sign_flip_p_values(np.array(list(finite.values()))), strict=True))
    minutes = sum(scored.seconds for scored in champion if scored.count) / 60
    recordings = sum(scored.count > 0 for scored in champion)
    decisions = {}
    for name, gain in gains.items():
        p_value = float(p_values.get(name, 1.0))
        verdict, reason = _verdict(gain, p_value, minutes, names, rule, unit)
        size = f"{len(names)} held-out group(s), {minutes:.1f} min"
        if name not in finite:
            decisions[name] = Decision(
                verdict, f"{reason}: {size}", unit, groups=len(names), recordings=recordings, minutes=minutes
            )
            continue
        mean, champion_bits, worst = float(gain.mean()), float(before.mean()), int(np.argmin(gain))
        interval = mean_interval(gain)
        decisions[name] = Decision(
            verdict,
            f"{reason}: {_figures_text(champion_bits, mean, interval, p_value, unit)} over {size}",
            unit,
            champion_bits - mean,
            champion_bits,
            mean,
            interval,
            p_value,
            len(names),
            recordings,
            minutes,
            names[worst],
            float(gain[worst]),
        )
    return decisions


def best(decisions: Mapping[Name, Decision]) -> Name:
    """Return the name of the best challenger: of those that may replace the champion, if there are any."""
    passed = {name: found for name, found in decisions.items() if found.promotes}

    def rank(name: Name) -> float:
        gain = decisions[name].gain
        return -math.inf if gain is None else gain

    return max(passed or decisions, key=rank)


def group_means(scored: Sequence[Scored], names: Sequence[str]) -> Floats:
    """Return bits per sample (G,) of each group in ``names``: of all its samples together."""
    bits, count = dict.fromkeys(names, 0.0), dict.fromkeys(names, 0)
    for each in scored:
        if each.count:
            bits[each.group] += each.bits
            count[each.group] += each.count
    return np.array([bits[name] / count[name] for name in names], np.float64)


def bits_text(bits: float) -> str:
    """Return a figure in bits with four decimals, a number of many digits as a power of ten.

    >>> bits_text(5.25), bits_text(2e29)
    ('5.2500', '2.00e+29')
    """
    return f"{bits:.4f}" if abs(bits) < HUGE_BITS else f"{bits:.2e}"


def sign_flip_p_values(gains: Floats) -> Floats:
    """Return a p-value for each challenger that its mean gain over the groups is positive by chance.

    Under the null hypothesis each group's gain might as well have had the other sign. The p-value is the
    share of sign flips under which the mean gain is at least the observed one; of several challengers, the
    share under which any of them has so small a share. All flips are tried where there are few groups;
    otherwise flips are drawn, and the observed one counts as one of them.

    Args:
        gains: (V, G) per challenger and group, finite.

    Returns:
        (V,) p-values.
    """
    if not gains.size:
        return np.ones(len(gains))
    groups = gains.shape[1]
    if groups <= EXACT_GROUPS:
        flips = 1.0 - 2.0 * ((np.arange(1 << groups)[:, None] >> np.arange(groups)) & 1)
    else:
        random = np.random.default_rng(0)
        drawn = random.choice([1.0, -1.0], (RANDOM_FLIPS, groups))
        flips = np.concatenate([np.ones((1, groups)), drawn])
    sums = flips @ gains.T
    shares = np.stack([_upper_shares(column) for column in sums.T], 1)
    smallest = shares.min(1)
    adjusted: Floats = (smallest[:, None] <= shares[0]).mean(0)  # the first flip is the observed one
    return adjusted


def _upper_shares(sums: Floats) -> Floats:
    """Return for each of N sums the share of sums that are at least as large."""
    below = np.searchsorted(np.sort(sums), sums - TIE, side="left")
    return (len(sums) - below) / len(sums)


def mean_interval(gain: Floats) -> tuple[float, float] | None:
    """Return the confidence interval of a mean over groups (G,) by Student's t; None for one group."""
    from scipy.special import stdtrit

    count = len(gain)
    if count < 2:
        return None
    half = float(stdtrit(count - 1, (1 + CONFIDENCE) / 2) * gain.std(ddof=1) / math.sqrt(count))
    return float(gain.mean()) - half, float(gain.mean()) + half


def _verdict(
    gain: Floats, p_value: float, minutes: float, names: Sequence[str], rule: PromotionConfig, unit: str
) -> tuple[Verdict, str]:
    """Return the first reason against a challenger, else `better`, with the words for it."""
    if len(names) < rule.fewest_groups:
        return "too-little", (
            f"{len(names)} held-out group(s) are too few to decide (promotion.fewest_groups is "
            f"{rule.fewest_groups})"
        )
    if minutes < rule.fewest_minutes:
        return "too-little", (
            f"{minutes:.2f} held-out minutes are too few to decide (promotion.fewest_minutes is "
            f"{rule.fewest_minutes:g})"
        )
    if not np.isfinite(gain).all():
        return "not-finite", "the code length of a recording is not finite"
    mean, worst = float(gain.mean()), int(np.argmin(gain))
    if mean <= 0:
        return "worse", "it is not better" if mean else "it is equal"
    if mean < rule.margin:
        return "margin", f"the improvement is below promotion.margin = {rule.margin:g} bits per {unit}"
    if gain[worst] < -rule.worst_group_loss:
        return "group", (
            f"the group {names[worst]} becomes {-gain[worst]:.4f} bits per {unit} worse "
            f"(promotion.worst_group_loss is {rule.worst_group_loss:g})"
        )
    if p_value > rule.significance:
        return "chance", (
            f"the improvement may be chance (p = {p_value:.3g}, promotion.significance is "
            f"{rule.significance:g})"
        )
    return "better", "it is better"


def _figures_text(
    champion_bits: float, gain: float, interval: tuple[float, float] | None, p_value: float, unit: str
) -> str:
    spread = "" if interval is None else f", 95% interval {interval[0]:+.4f} to {interval[1]:+.4f}"
    return (
        f"{champion_bits - gain:.4f} against the champion's {champion_bits:.4f} bits per {unit} "
        f"(gain {gain:+.4f}{spread}, p = {p_value:.3g})"
    )
