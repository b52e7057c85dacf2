"""The decision on many kinds of challengers, from given figures of the same recordings."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from scipy.stats import permutation_test, ttest_1samp

from pipeline.config.promotion import PromotionConfig
from pipeline.promotion.decision import (
    Decision,
    Scored,
    Verdict,
    best,
    decide,
    group_means,
    mean_interval,
    sign_flip_p_values,
)

SAMPLES = 160_000
RULE = PromotionConfig()
SPEAKERS = 12


def champion(groups: int = SPEAKERS, recordings: int = 2, count: int = SAMPLES) -> list[Scored]:
    """Figures of a champion: speakers differ by bits, recordings of one speaker by tenths."""
    return [
        Scored(f"speaker-{group}", count / 16_000, (5 + 0.3 * group + 0.1 * take) * count, count)
        for group in range(groups)
        for take in range(recordings)
    ]


def improved(scored: Sequence[Scored], gain: Callable[[int], float]) -> list[Scored]:
    """Return a challenger that needs ``gain(group)`` bits per sample less in each group."""
    found = []
    for each in scored:
        bits = each.bits - gain(int(each.group.removeprefix("speaker-"))) * each.count
        found.append(Scored(each.group, each.seconds, bits, each.count))
    return found


def decided(gain: Callable[[int], float], groups: int = SPEAKERS, rule: PromotionConfig = RULE) -> Decision:
    before = champion(groups)
    return decide({"it": improved(before, gain)}, before, rule)["it"]


def spread(seed: int, size: float) -> Callable[[int], float]:
    values = np.random.default_rng(seed).normal(0, size, 64)
    return lambda group: float(values[group])


KINDS: dict[str, tuple[Callable[[int], float], int, Verdict]] = {
    "better for all": (lambda g: 0.2, SPEAKERS, "better"),
    "better for all, by different amounts": (lambda g: 0.05 + 0.02 * g, SPEAKERS, "better"),
    "better for all by just the margin": (lambda g: 0.0101, SPEAKERS, "better"),
    "better, and slightly worse for one": (lambda g: -0.05 if g == 3 else 0.2, SPEAKERS, "better"),
    "better for five of five": (lambda g: 0.2, 5, "better"),
    "better for most of many": (lambda g: 0.1 + spread(0, 0.05)(g), 40, "better"),
    "equal": (lambda g: 0.0, SPEAKERS, "worse"),
    "worse for all": (lambda g: -0.2, SPEAKERS, "worse"),
    "worse by a hair": (lambda g: -1e-6, SPEAKERS, "worse"),
    "worse on average, better for most": (lambda g: -2.0 if g == 0 else 0.1, SPEAKERS, "worse"),
    "much worse": (lambda g: -8.0, SPEAKERS, "worse"),
    "better by a hair": (lambda g: 1e-4, SPEAKERS, "margin"),
    "better by just less than the margin": (lambda g: 0.0099, SPEAKERS, "margin"),
    "noise around nothing": (lambda g: 0.001 + 0.01 * (-1) ** g, SPEAKERS, "margin"),
    "ruinous for one": (lambda g: -1.0 if g == 7 else 0.3, SPEAKERS, "group"),
    "ruinous for the last of many": (lambda g: -0.11 if g == 39 else 0.3, 40, "group"),
    "good for half, ruinous for half": (lambda g: 1.0 if g % 2 else -0.5, SPEAKERS, "group"),
    "lucky on one": (lambda g: 2.0 if g == 4 else 0.0, SPEAKERS, "chance"),
    "lucky on two": (lambda g: 1.0 if g in (1, 9) else -0.01, SPEAKERS, "chance"),
    "noise with a lucky mean": (lambda g: 0.015 + 0.09 * (-1) ** g, SPEAKERS, "chance"),
    "lucky on one of many": (lambda g: 5.0 if g == 0 else -0.001, 40, "chance"),
    "better for four of four": (lambda g: 0.5, 4, "too-little"),
    "better for the only one": (lambda g: 0.5, 1, "too-little"),
    "infinite code length of one": (lambda g: -math.inf if g == 2 else 0.5, SPEAKERS, "not-finite"),
    "not a number": (lambda g: math.nan, SPEAKERS, "not-finite"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_challenger_gets_its_verdict(kind: str) -> None:
    gain, groups, verdict = KINDS[kind]
    found = decided(gain, groups)
    assert found.verdict == verdict, found.why
    assert found.promotes == (verdict == "better")
    assert found.groups == groups
    if verdict not in ("not-finite",):
        gains = [gain(group) for group in range(groups)]
        assert found.gain == pytest.approx(np.mean(gains))
        assert found.worst_gain == pytest.approx(min(gains))
        assert found.worst_group == f"speaker-{int(np.argmin(gains))}" or len(set(gains)) < groups
        assert f"{found.bits:.4f} against the champion's {found.champion_bits:.4f}" in found.why


def test_little_sound_decides_nothing() -> None:
    before = champion(count=1_000)
    (found,) = decide({"it": improved(before, lambda g: 0.5)}, before, RULE).values()
    assert found.verdict == "too-little"
    assert "promotion.fewest_minutes is 1" in found.why


def test_no_held_out_recording_decides_nothing() -> None:
    (found,) = decide({"it": []}, [], RULE).values()
    assert (found.verdict, found.bits, found.groups) == ("too-little", None, 0)


def test_a_speaker_counts_once_however_much_there_is_of_it() -> None:
    """Ten hours of one speaker do not outweigh eleven others."""
    before = [*champion(), *(Scored("speaker-0", 3600.0, 5e7 * 5, 50_000_000) for _ in range(10))]
    after = improved(before, lambda g: 1.0 if g == 0 else -0.05)
    (found,) = decide({"it": after}, before, RULE).values()
    assert found.verdict == "chance"
    assert found.gain == pytest.approx((1.0 - 0.05 * 11) / 12)


def test_every_setting_moves_its_own_bound() -> None:
    ruinous, lucky, slight = KINDS["ruinous for one"][0], KINDS["lucky on one"][0], lambda g: 0.005
    assert decided(ruinous, rule=PromotionConfig(worst_group_loss=2.0, significance=0.2)).verdict == "better"
    assert decided(lucky, rule=PromotionConfig(significance=1.0)).verdict == "better"
    assert decided(slight, rule=PromotionConfig(margin=0.001)).verdict == "better"
    assert decided(lambda g: 0.2, 12, PromotionConfig(fewest_groups=13)).verdict == "too-little"
    with pytest.raises(ValueError, match=r"p-value is at least 0\.25"):
        PromotionConfig(fewest_groups=2)


def test_the_sign_flip_test_is_that_of_scipy() -> None:
    gains = np.random.default_rng(3).normal(0.2, 0.5, 9)

    def mean_difference(x: np.ndarray, y: np.ndarray, axis: int) -> np.ndarray:
        return np.asarray((x - y).mean(axis))

    wanted = permutation_test(
        (gains, np.zeros(9)),
        mean_difference,
        permutation_type="samples",
        n_resamples=np.inf,
        alternative="greater",
    )
    assert sign_flip_p_values(gains[None]) == pytest.approx([wanted.pvalue])
    interval = mean_interval(gains)
    assert interval == pytest.approx(tuple(ttest_1samp(gains, 0).confidence_interval(0.95)))


def test_drawn_flips_are_the_same_every_time_and_near_the_exact_p_value() -> None:
    gains = np.random.default_rng(5).normal(0.1, 0.3, 20)
    flips = 1 - 2 * ((np.arange(1 << 20)[:, None] >> np.arange(20)) & 1).astype(np.int8)
    exact = float((flips @ gains >= gains.sum() - 1e-12).mean())
    drawn = sign_flip_p_values(gains[None])
    assert drawn == pytest.approx([exact], abs=0.01)
    assert drawn == sign_flip_p_values(gains[None])


def test_the_best_of_many_equal_variants_is_seldom_taken_for_better() -> None:
    """Among 20 variants as good as the champion, the rate of false promotions stays near the significance."""
    random = np.random.default_rng(11)
    trials = 200
    taken = sum(sign_flip_p_values(random.normal(0, 0.1, (20, 8))).min() <= 0.05 for _ in range(trials))
    assert taken <= 0.05 * trials + 3 * math.sqrt(0.05 * 0.95 * trials)


def test_the_best_variant_is_one_that_may_be_promoted() -> None:
    before = champion()
    variants = {
        "ruinous": improved(before, lambda g: -1.0 if g == 7 else 0.5),
        "good": improved(before, lambda g: 0.1),
        "better": improved(before, lambda g: 0.2),
    }
    decisions = decide(variants, before, RULE)
    assert {name: found.verdict for name, found in decisions.items()} == {
        "ruinous": "group",
        "good": "better",
        "better": "better",
    }
    assert best(decisions) == "better"
    assert best({"ruinous": decisions["ruinous"], "none": Decision("incomparable", "")}) == "ruinous"


def test_bits_of_a_group_are_of_all_its_samples_together() -> None:
    scored = [
        Scored("a", 1.0, 40.0, 10),
        Scored("a", 3.0, 60.0, 30),
        Scored("b", 1.0, 5.0, 5),
        Scored("b", 0.1, 0.0, 0),
    ]
    assert group_means(scored, ["a", "b"]).tolist() == [2.5, 1.0]
