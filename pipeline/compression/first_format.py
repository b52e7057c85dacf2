"""Coding of samples in the first format of compressed recordings, which new files no longer have.

Each integer is found by binary decisions (see `pipeline.compression.bit_probabilities`). A range coder
(Martin 1979; the library constriction) packs them into nearly minus the log2 of their probability. Files of
this format are still decoded.
"""

import hashlib
from typing import Any

import constriction
import numpy as np
from numpy.typing import NDArray

from pipeline.audio.pcm import INT16_SCALE
from pipeline.compression import bit_probabilities as bits
from pipeline.compression.network_mixture import MODEL_BITS, Alphabet, NetworkMixture, exact_arithmetic
from pipeline.model.trained_model import TrainedModel

TEST_STEPS = 64
_family = constriction.stream.model.Bernoulli(perfect=False)


class Coder:
    """Encoder or decoder of one sequence of integers, block by block, with the model's state.

    An integer is given by its place, from 0 for the lowest. Every block except the last has whole steps.

    Args:
        model: model of waveforms.
        alphabet: the integers of the places.
    """

    def __init__(self, model: TrainedModel, alphabet: Alphabet) -> None:
        self._alphabet, self._network = alphabet, NetworkMixture(model)
        self.hop, self._kind = self._network.hop, self._network.kind
        self._mixture = self._network.mixture
        self._table = self._mixture[0]

    def encode(self, places: NDArray[Any]) -> bytes:
        """Pack places (n,) into words of 32 bits."""
        return _packed(*self.decisions(places))

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
            self._network.read()
            bits.step_decisions(
                self._mixture, self._kind, outputs, places[step], bounds, probabilities[step], decisions[step]
            )
            self._network.append(values)
        return probabilities, decisions

    def decode(self, data: bytes, count: int) -> NDArray[np.int64]:
        """Return the places of samples in the alphabet, (count,).

        Args:
            data: what `encode` returned.
            count: number of samples.
        """
        decoder = constriction.stream.queue.RangeDecoder(np.frombuffer(data, "<u4").astype(np.uint32))
        places = np.empty(count, np.int64)
        outputs = np.zeros(self.hop)
        for first in range(0, count, self.hop):
            self._network.read()
            found = places[first : first + self.hop]
            for n in range(len(found)):
                bits.begin_sample(self._mixture, self._kind, outputs, n)
                found[n] = self._search(decoder)
                outputs[n] = self._alphabet.values[found[n]]
            self._network.append(self._alphabet.values[found])
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


def fingerprint(model: TrainedModel) -> str:
    """Return a hash of how this machine computes the model, from coding fixed noise of many levels."""
    alphabet = Alphabet.of(model, MODEL_BITS)
    coder = Coder(model, alphabet)
    count = TEST_STEPS * coder.hop
    noise = np.frombuffer(hashlib.shake_256(b"wavecast").digest(2 * count), "<i2").astype(np.int64)
    places = (noise >> np.arange(count) * 11 // count) + INT16_SCALE
    with exact_arithmetic(model):
        probabilities, decisions = coder.decisions(places)
    found = hashlib.sha256(probabilities.astype("<f8").tobytes())
    found.update(_packed(probabilities, decisions))
    return found.hexdigest()


def _packed(probabilities: NDArray[np.float64], decisions: NDArray[np.int32]) -> bytes:
    """Return decisions as little-endian words."""
    encoder = constriction.stream.queue.RangeEncoder()
    encoder.encode(decisions.reshape(-1), _family, probabilities.reshape(-1))
    words: NDArray[np.uint32] = encoder.get_compressed()
    return words.astype("<u4").tobytes()
