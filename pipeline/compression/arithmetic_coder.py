"""Arithmetic coding of samples with a model's exact probabilities, at nearly the evaluated code length.

Each integer is found by binary decisions (see `pipeline.compression.bit_probabilities`). A range coder
(Martin 1979; the library constriction) packs them into nearly minus the log2 of their probability. Encoder
and decoder run the model in the same way, one step at a time: the decoder has only the samples decoded so
far, and both must compute exactly the same numbers.
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import constriction
import numpy as np
from numpy.typing import NDArray

from models.distributions.constants import MAX_RAW_SCALE
from models.head_kinds import head_kind
from pipeline.audio.pcm import INT16_SCALE
from pipeline.compression import bit_probabilities as bits
from pipeline.errors import UserError
from pipeline.model.trained_model import TrainedModel

Projection = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""One step of a network that keeps its state: from inputs (D_in,) to the head's projection (P,)."""

MODEL_BITS = 16
"""Number of a sample's highest bits that the model codes, as in training; lower bits are noise."""

KINDS = {"diagonal": bits.DIAGONAL, "full": bits.FULL, "autoregressive": bits.AUTOREGRESSIVE}

TEST_STEPS = 64
_family = constriction.stream.model.Bernoulli(perfect=False)


@dataclass(frozen=True)
class Alphabet:
    """The integers of L bits, and their values after normalisation.

    Attributes:
        values: (2^L,) float32, each integer normalised, the lowest first.
        bounds: (2^L + 1,) float64, bounds of the intervals of the integers; the outer ones are infinite.
    """

    values: NDArray[np.float32]
    bounds: NDArray[np.float64]

    @classmethod
    def of(cls, model: TrainedModel, depth: int) -> "Alphabet":
        """Return the alphabet of the highest bits of samples, scaled as 16-bit samples.

        Args:
            model: model of waveforms.
            depth: bits of a sample.
        """
        levels = min(depth, MODEL_BITS)
        coarse = 1 << (MODEL_BITS - levels)  # 16-bit steps in one of these
        integers = np.arange(-INT16_SCALE, INT16_SCALE, coarse)
        mean, std = np.float32(model.normalisation.mean[0]), np.float32(model.normalisation.std[0])
        scale = model.representation.unit
        values = model.representation.normalise(integers[:, None], model.normalisation)[:, 0]
        lower = ((integers - coarse / 2) * scale - np.float64(mean)) / np.float64(std)
        return cls(values, np.concatenate([[-np.inf], lower[1:], [np.inf]]))

    @property
    def levels(self) -> int:
        """L, number of decisions that find one integer."""
        return len(self.values).bit_length() - 1


class Coder:
    """Encoder or decoder of one sequence of integers, block by block, with the model's state.

    An integer is given by its place, from 0 for the lowest. Every block except the last has whole steps.

    Args:
        model: model of waveforms.
        alphabet: the integers of the places.
    """

    def __init__(self, model: TrainedModel, alphabet: Alphabet) -> None:
        self.hop = model.framing.hop
        self._alphabet = alphabet
        self._kind = KINDS[model.model.covariance]
        self._floor = model.model.scale_floor * model.quantisation_step
        self._project = _projection(model)
        order = model.model.autoregressive_order if self._kind == bits.AUTOREGRESSIVE else 0
        weights = model.weights() if order else {}
        self._start = np.asarray(weights.get("head.start", np.zeros(0)), np.float64)
        self._basis = np.asarray(weights.get("head.basis", np.zeros((0, 0))), np.float64)
        self._seen = np.zeros(model.framing.window, np.float32)
        self._order = order
        components = model.model.mixture_components
        size = (components, self.hop)
        self._table = np.zeros((bits.ROWS, components))
        self._mixture = (self._table, np.zeros(size), np.zeros(size), np.zeros((*size, self.hop)))

    def encode(self, places: NDArray[Any]) -> NDArray[np.uint32]:
        """Pack places (n,) into 32-bit words."""
        encoder = constriction.stream.queue.RangeEncoder()
        probabilities, decisions = self.decisions(places)
        encoder.encode(decisions.reshape(-1), _family, probabilities.reshape(-1))
        words: NDArray[np.uint32] = encoder.get_compressed()
        return words

    def decisions(self, places: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
        """Return the probability of a 1 in each decision on places (n,), and the decisions, both (n, L)."""
        probabilities = np.empty((len(places), self._alphabet.levels))
        decisions = np.empty(probabilities.shape, np.int32)
        outputs = np.zeros(self.hop)
        places, bounds = np.asarray(places, np.int64), self._alphabet.bounds
        for first in range(0, len(places), self.hop):
            step = slice(first, first + self.hop)
            values = self._alphabet.values[places[step]]
            outputs[: len(values)] = values
            self._read_mixture()
            bits.step_decisions(
                self._mixture, self._kind, outputs, places[step], bounds, probabilities[step], decisions[step]
            )
            self._append(values)
        return probabilities, decisions

    def decode(self, words: NDArray[np.uint32], count: int) -> NDArray[np.int64]:
        """Return the places of samples in the alphabet, (count,).

        Args:
            words: what `encode` returned.
            count: number of samples.
        """
        decoder = constriction.stream.queue.RangeDecoder(words)
        places = np.empty(count, np.int64)
        outputs = np.zeros(self.hop)
        for first in range(0, count, self.hop):
            self._read_mixture()
            found = places[first : first + self.hop]
            for n in range(len(found)):
                bits.begin_sample(self._mixture, self._kind, outputs, n)
                found[n] = self._search(decoder)
                outputs[n] = self._alphabet.values[found[n]]
            self._append(self._alphabet.values[found])
        return places

    def _search(self, decoder: Any) -> int:
        """Decode one decision after the other until a single place is left, and return it."""
        table, bounds, levels = self._table, self._alphabet.bounds, self._alphabet.levels
        bernoulli, decode = constriction.stream.model.Bernoulli, decoder.decode
        half = 1 << (levels - 1)
        probability, low = bits.right_half(table, bounds[half]), 0
        while True:
            bit: int = decode(bernoulli(probability, perfect=False))
            low += half * bit
            half >>= 1
            if not half:
                bits.end_sample(table, bit)
                return low
            probability = bits.next_right_half(table, bit, bounds[low + half])

    def _read_mixture(self) -> None:
        """Compute the mixture of the next step's samples."""
        history = self._seen[len(self._seen) - self._order :].astype(np.float64)
        predictor = (self._start, self._basis, history)
        raw = self._project(self._seen)
        bits.read_mixture(raw, self._kind, self._floor, MAX_RAW_SCALE, predictor, self._mixture)

    def _append(self, values: NDArray[np.float32]) -> None:
        self._seen = np.concatenate([self._seen, values])[-len(self._seen) :]


def check_codes(model: TrainedModel) -> None:
    """Raise `UserError` for a model that assigns no probabilities to samples."""
    if not model.representation.quantised:
        raise UserError("this model predicts no samples but spectrograms or notes: name one of samples")
    kind = head_kind(model.model.head, model.model.covariance).name
    if kind not in KINDS:
        raise UserError(f"the head {kind} has no exact probabilities that compress needs: name another model")


@contextmanager
def exact_arithmetic(model: TrainedModel) -> Iterator[None]:
    """Make computations with torch reproducible, on one thread, where the model is not compiled."""
    if model.compiled is not None:
        yield
        return
    import torch

    from pipeline.common.devices import one_thread

    with one_thread(), torch.inference_mode():
        yield


def _projection(model: TrainedModel) -> Projection:
    """Return the model's projection at the start of a recording, compiled where possible, else in torch."""
    compiled = model.compiled
    if compiled is None:
        return _in_torch(model)
    state = compiled.initial_state(1)

    def project(seen: NDArray[np.float32]) -> NDArray[np.float32]:
        nonlocal state
        raw, state = compiled.step(seen[None], state)
        first: NDArray[np.float32] = raw[0]
        return first

    return project


def _in_torch(model: TrainedModel) -> Projection:
    import torch

    network = model.network
    state, projected = network.initial_state(1), list[torch.Tensor]()
    projection = network.get_submodule("head.projection")

    def project(seen: NDArray[np.float32]) -> NDArray[np.float32]:
        nonlocal state
        # The step's distribution holds values after torch's exp, which is not portable.
        with projection.register_forward_hook(lambda _, __, output: projected.append(output)):
            _, state = network.step(torch.from_numpy(seen[None]), state)
        raw: NDArray[np.float32] = projected.pop()[0].numpy()
        return raw

    return project


def fingerprint(model: TrainedModel) -> str:
    """Return a hash of how this machine computes the model, from coding fixed noise of many levels."""
    alphabet = Alphabet.of(model, MODEL_BITS)
    coder = Coder(model, alphabet)
    count = TEST_STEPS * coder.hop
    noise = np.frombuffer(hashlib.shake_256(b"wavecast").digest(2 * count), "<i2").astype(np.int64)
    places = (noise >> np.arange(count) * 11 // count) + INT16_SCALE
    with exact_arithmetic(model):
        probabilities, decisions = coder.decisions(places)
    encoder = constriction.stream.queue.RangeEncoder()
    encoder.encode(decisions.reshape(-1), _family, probabilities.reshape(-1))
    found = hashlib.sha256(probabilities.astype("<f8").tobytes())
    found.update(encoder.get_compressed().astype("<u4").tobytes())
    return found.hexdigest()
