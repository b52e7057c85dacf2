"""The distributions of notes are normalised and equal their formulas, and NADE models chords."""

import math
from itertools import product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from models.distributions.notes import BernoulliHead, BernoulliNotes, NadeHead, NadeNotes

Notes = BernoulliNotes | NadeNotes


def every_vector(notes: int) -> Tensor:
    """All 2^D vectors of 0 and 1, (2^D, D)."""
    return torch.tensor(list(product([0.0, 1.0], repeat=notes)), dtype=torch.float64)


def nade(batch: tuple[int, ...], notes: int, seed: int = 0) -> NadeNotes:
    """With random parameters and 5 hidden units, in float64."""
    random = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, generator=random, dtype=torch.float64) * 1.5

    return NadeNotes(draw(*batch, notes), draw(*batch, 5), draw(notes, 5), draw(notes, 5))


def bernoulli(batch: tuple[int, ...], notes: int, seed: int = 0) -> BernoulliNotes:
    random = torch.Generator().manual_seed(seed)
    return BernoulliNotes(torch.randn((*batch, notes), generator=random, dtype=torch.float64) * 2)


def repeated(distribution: Notes, count: int) -> Notes:
    """``count`` times one distribution, batch shape (count,)."""
    if isinstance(distribution, BernoulliNotes):
        return BernoulliNotes(distribution.logits.expand(count, -1))
    note_bias, hidden_bias = distribution.note_bias, distribution.hidden_bias
    return NadeNotes(
        note_bias.expand(count, -1),
        hidden_bias.expand(count, -1),
        distribution.encoder_weight,
        distribution.decoder_weight,
    )


def slow_nade_logits(distribution: NadeNotes, value: Tensor) -> Tensor:
    """The definition, note by note, for one vector (D,)."""
    logits = []
    total = distribution.hidden_bias
    for note in range(len(value)):
        hidden = torch.sigmoid(total)
        logits.append(distribution.note_bias[note] + (distribution.decoder_weight[note] * hidden).sum())
        total = total + distribution.encoder_weight[note] * value[note]
    return torch.stack(logits)


# Probabilities


@given(notes=st.integers(1, 8), seed=st.integers(0, 99))
@settings(max_examples=30)
def test_all_vectors_together_have_probability_one(notes: int, seed: int) -> None:
    vectors = every_vector(notes)
    for distribution in (nade((), notes, seed=seed), bernoulli((), notes, seed)):
        total = repeated(distribution, len(vectors)).log_prob(vectors).exp().sum()
        assert float(total) == pytest.approx(1, abs=1e-12)


@given(notes=st.integers(2, 8), below=st.integers(1, 7), seed=st.integers(0, 99))
@settings(max_examples=30)
def test_without_the_highest_notes_the_marginal_of_the_others_remains(
    notes: int, below: int, seed: int
) -> None:
    below = min(below, notes - 1)
    lower, vectors = every_vector(below), every_vector(notes)
    mask = torch.arange(notes) < below
    for distribution in (nade((), notes, seed=seed), bernoulli((), notes, seed)):
        joint = repeated(distribution, len(vectors)).log_prob(vectors).exp().reshape(len(lower), -1).sum(1)
        # What is left out may hold anything.
        padded = torch.cat([lower, torch.ones(len(lower), notes - below)], 1)
        of_each = repeated(distribution, len(lower))
        masked = of_each.log_prob(padded, mask.expand_as(padded))
        torch.testing.assert_close(masked.exp(), joint)
        assert not of_each.log_prob(padded, torch.zeros_like(padded, dtype=torch.bool)).any()


def test_bernoulli_is_torchs() -> None:
    distribution = bernoulli((4, 7), 88)
    value = torch.bernoulli(torch.full((4, 7, 88), 0.1, dtype=torch.float64))
    expected = torch.distributions.Bernoulli(logits=distribution.logits).log_prob(value).sum(-1)
    torch.testing.assert_close(distribution.log_prob(value), expected)
    assert torch.equal(
        distribution.expectation(), torch.distributions.Bernoulli(logits=distribution.logits).mean
    )


@given(notes=st.integers(1, 20), density=st.sampled_from([0.0, 0.05, 0.5, 1.0]), seed=st.integers(0, 99))
@settings(max_examples=40)
def test_nade_is_the_slow_loop_over_notes(notes: int, density: float, seed: int) -> None:
    distribution = nade((3, 2), notes, seed=seed)
    random = torch.Generator().manual_seed(seed)
    value = (torch.rand(3, 2, notes, generator=random) < density).double()
    fast = distribution.conditional_logits(value)
    for row, column in product(range(3), range(2)):
        one = NadeNotes(
            distribution.note_bias[row, column],
            distribution.hidden_bias[row, column],
            distribution.encoder_weight,
            distribution.decoder_weight,
        )
        slow = slow_nade_logits(one, value[row, column])
        torch.testing.assert_close(fast[row, column], slow)
        nats = binary_cross_entropy_with_logits(slow, value[row, column], reduction="sum")
        torch.testing.assert_close(distribution.log_prob(value)[row, column], -nats)


def test_nades_gradient_is_that_of_the_slow_loop() -> None:
    given_by = nade((), 12, seed=3)
    value = torch.tensor([0, 1, 0, 0, 1, 1, 0, 1, 0, 0, 0, 1], dtype=torch.float64)
    gradients = []
    for logits_of in (NadeNotes.conditional_logits, slow_nade_logits):
        parts = [part.clone().requires_grad_() for part in vars(given_by).values()]
        logits = logits_of(NadeNotes(*parts), value)
        binary_cross_entropy_with_logits(logits, value, reduction="sum").backward()
        gradients.append([part.grad for part in parts])
    for fast, slow in zip(*gradients, strict=True):
        torch.testing.assert_close(fast, slow)


# Samples


@pytest.mark.parametrize(
    "distribution", [nade((), 5, seed=1), bernoulli((), 5, 1)], ids=["nade", "bernoulli"]
)
@pytest.mark.parametrize("temperature", [1.0, 0.6])
def test_samples_come_as_often_as_their_probability_states(distribution: Notes, temperature: float) -> None:
    count = 40_000
    vectors = every_vector(5)
    drawn = repeated(distribution, count).sample(temperature, torch.Generator().manual_seed(0))
    assert set(drawn.unique().tolist()) <= {0.0, 1.0}
    code = (drawn * 2 ** torch.arange(4, -1, -1)).sum(-1).long()
    frequency = torch.bincount(code, minlength=32) / count
    # At another temperature each conditional's log odds are divided by it.
    of_each = repeated(distribution, len(vectors))
    logits = of_each.conditional_logits(vectors) if isinstance(of_each, NadeNotes) else of_each.logits
    likely = -binary_cross_entropy_with_logits(logits / temperature, vectors, reduction="none").sum(-1)
    probability = likely.exp()
    tolerance = 5 * (probability * (1 - probability) / count).sqrt() + 1e-4
    assert bool(((frequency - probability).abs() < tolerance).all())


def test_nade_draws_what_a_slow_climb_with_the_same_numbers_draws() -> None:
    distribution = nade((30,), 16, seed=2)
    noise = torch.randn(30, 16, generator=torch.Generator().manual_seed(7), dtype=torch.float64)
    uniform = torch.special.ndtr(noise)
    drawn = distribution.draw(None, noise, 0.8)
    for row in range(30):
        one = NadeNotes(
            distribution.note_bias[row],
            distribution.hidden_bias[row],
            distribution.encoder_weight,
            distribution.decoder_weight,
        )
        value = torch.zeros(16, dtype=torch.float64)
        for note in range(16):
            probability = torch.sigmoid(slow_nade_logits(one, value)[note] / 0.8)
            value[note] = float(uniform[row, note] < probability)
        assert torch.equal(drawn[row], value)


@pytest.mark.parametrize("temperature", [0.0, 1e-38])
def test_cold_each_note_takes_what_is_likelier_given_those_below(temperature: float) -> None:
    independent = bernoulli((20,), 9)
    assert torch.equal(independent.sample(temperature), (independent.expectation() > 0.5).double())
    chord = nade((20,), 9)
    likely = chord.sample(temperature)
    conditional = torch.sigmoid(chord.conditional_logits(likely))
    assert torch.equal(likely, (conditional > 0.5).double())
    torch.testing.assert_close(chord.expectation(), conditional)


def test_temperature_one_with_a_fixed_seed_repeats() -> None:
    for distribution in (nade((2, 3), 9), bernoulli((2, 3), 9)):
        first, second = (distribution.sample(1.0, torch.Generator().manual_seed(4)) for _ in range(2))
        assert torch.equal(first, second)
        assert first.shape == (2, 3, 9)


# Learning


def one_of_each_pair(count: int) -> Tensor:
    """Of 4 pairs of notes exactly one sounds, and the last note is the parity of the first of each pair."""
    first = torch.randint(0, 2, (count, 4), generator=torch.Generator().manual_seed(0)).float()
    parity = first[:, :2].sum(1, keepdim=True) % 2
    return torch.cat([first, 1 - first, parity], 1)


@pytest.mark.parametrize(
    ("make", "lowest", "highest"),
    [
        # 9 fair coins cost 9 ln 2 when each is taken by itself; 4 of them decide the others.
        (lambda: BernoulliHead(3, 9), 9 * math.log(2) - 0.05, 9 * math.log(2) + 0.05),
        (lambda: NadeHead(3, 9, 24), 4 * math.log(2) - 0.05, 4 * math.log(2) + 0.15),
    ],
    ids=["bernoulli", "nade"],
)
def test_only_nade_learns_which_notes_go_together(make: object, lowest: float, highest: float) -> None:
    assert callable(make)
    torch.manual_seed(0)
    head = make()
    optimizer = torch.optim.Adam(head.parameters(), lr=0.03)
    data = one_of_each_pair(512)
    hidden = torch.zeros(512, 3)
    for _ in range(400):
        loss = -head(hidden, hidden).log_prob(data).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert lowest < loss.item() < highest


@pytest.mark.parametrize("make", [lambda: BernoulliHead(6, 10), lambda: NadeHead(6, 10, 4)])
def test_heads_compute_in_float32_under_reduced_precision(make: object) -> None:
    assert callable(make)
    head = make()
    hidden, value = torch.randn(3, 5, 6), (torch.rand(3, 5, 10) < 0.3).float()
    plain = head(hidden, hidden).log_prob(value)
    with torch.autocast("cpu", torch.bfloat16):
        distribution = head(hidden, hidden)
        reduced = distribution.log_prob(value)
    assert plain.shape == (3, 5)
    assert reduced.dtype == torch.float32
    torch.testing.assert_close(reduced, plain)
