"""Encoder and decoder of the integers of one channel, with or without a network."""

import hashlib

import numpy as np
from numpy.typing import NDArray

from models.adaptive.cascade import new_cascade
from models.adaptive.experts import EXPERTS, new_experts
from pipeline.compression import bit_probabilities as bits
from pipeline.compression import expert_search as search
from pipeline.compression import range_coder
from pipeline.compression.network_mixture import MODEL_BITS, Alphabet, NetworkMixture, exact_arithmetic
from pipeline.model.trained_model import TrainedModel

TEST_STEPS = 64
TEST_SAMPLES = 640
"""Length of the test computation, with and without a network."""

Places = NDArray[np.int64]


class MixedCoder:
    """Encoder or decoder of one sequence of integers, block by block, with the state of all experts.

    An integer is given by its place, from 0 for the lowest. Every block except the last has whole steps.

    Args:
        depth: bits of an integer, at most `MODEL_BITS`.
        model: model of waveforms; None codes with the adaptive experts alone.
    """

    def __init__(self, depth: int, model: TrainedModel | None = None) -> None:
        self.depth = depth
        room = np.zeros((search.ROWS, EXPERTS))
        self.adaptive = search.Adaptive(new_cascade(), new_experts(model is not None), room)
        self._mixture = None if model is None else NetworkMixture(model)
        self.network = _network(self._mixture, None if model is None else Alphabet.of(model, depth))

    def encode(self, places: Places) -> bytes:
        """Pack places (n,) into bytes."""
        stream = range_coder.new_encoder()
        data = np.empty((len(places) * self.depth + 3) * range_coder.MOST_BYTES, np.uint8)
        self._code(stream, data, places.copy(), False)
        return data[: range_coder.finish(stream, data)].tobytes()

    def decode(self, data: bytes, count: int) -> Places:
        """Return the places of samples, (count,); any bytes are decoded, to something.

        Args:
            data: what `encode` returned.
            count: number of samples.
        """
        packed, places = np.frombuffer(data, np.uint8), np.empty(count, np.int64)
        self._code(range_coder.new_decoder(packed), packed.copy(), places, True)
        return places

    def _code(self, stream: range_coder.State, data: range_coder.Bytes, places: Places, decode: bool) -> None:
        network = self._mixture
        if network is None:
            search.code(stream, data, self.adaptive, self.network, self.depth, places, decode)
            return
        for first in range(0, len(places), network.hop):
            step = places[first : first + network.hop]
            network.read()
            search.code(stream, data, self.adaptive, self.network, self.depth, step, decode)
            network.append(self.network.values[step])


def _network(mixture: NetworkMixture | None, alphabet: Alphabet | None) -> search.Network:
    if mixture is None or alphabet is None:
        table, empty = np.zeros((bits.ROWS, 0)), np.zeros((0, 0))
        none = (table, empty, empty, np.zeros((0, 0, 0)))
        return search.Network(none, bits.DIAGONAL, np.zeros(0), np.zeros(0, np.float32), np.zeros(0))
    outputs = np.zeros(mixture.hop)
    return search.Network(mixture.mixture, mixture.kind, outputs, alphabet.values, alphabet.bounds)


def fingerprint(model: TrainedModel | None = None) -> str:
    """Return a hash of how this machine computes, from coding fixed noise of many levels.

    Args:
        model: model of waveforms; None for the adaptive experts alone.
    """
    coder = MixedCoder(MODEL_BITS, model)
    count = TEST_SAMPLES if model is None else TEST_STEPS * model.framing.hop
    noise = np.frombuffer(hashlib.shake_256(b"wavecast").digest(2 * count), "<i2").astype(np.int64)
    places = (noise >> np.arange(count) * 11 // count) + (1 << (MODEL_BITS - 1))
    if model is None:
        found = hashlib.sha256(coder.encode(places))
    else:
        found = hashlib.sha256()
        with exact_arithmetic(model):
            for step in places.reshape(-1, model.framing.hop):
                found.update(coder.encode(step))
                for part in coder.network.mixture:
                    found.update(part.astype("<f8").tobytes())
    for state in (*coder.adaptive.predictor, *coder.adaptive.mixed):
        found.update(state.astype("<f8").tobytes())
    return found.hexdigest()
