"""Encoder and decoder of the integers of one channel, with or without a network."""

import hashlib
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from models.adaptive.cascade import new_cascade
from models.adaptive.cells import Cells, integer_cells
from models.adaptive.experts import NETWORK, new_experts
from pipeline.coding import range_coder
from pipeline.coding.range_coder import Bytes, State
from pipeline.compression import bit_probabilities as bits
from pipeline.compression import expert_search as search
from pipeline.compression.guided_code import GuidedCode
from pipeline.compression.logistic_search import ROWS
from pipeline.compression.network_mixture import MODEL_BITS, Alphabet, NetworkMixture, exact_arithmetic
from pipeline.model.trained_model import TrainedModel

TEST_STEPS = 64
TEST_SAMPLES = 640
"""Length of the test computation, with and without a network."""

Places = NDArray[np.int64]
Numbers = tuple[NDArray[Any], ...]


class Code(Protocol):
    """What codes the integers of one channel, step by step, and adapts to them."""

    def code(self, stream: State, data: Bytes, places: Places, decoding: bool) -> None:
        """Encode the next places (n,), or decode them into the array."""

    def of_step(self) -> Numbers:
        """Return the numbers that were computed for the last step."""

    def of_recording(self) -> Numbers:
        """Return the numbers that have adapted to the recording."""


class MixedCoder:
    """Encoder or decoder of one sequence of integers, block by block, with the state of all experts.

    An integer is given by its place among those that may occur, from 0 for the lowest. Every block except the
    last has whole steps.

    Args:
        cells: the values that stand for the integers, within those of `MODEL_BITS` bits.
        step: 16-bit quantisation steps in a unit of the cells.
        model: model of waveforms; None codes with the adaptive experts alone.
    """

    def __init__(self, cells: Cells, step: float = 1.0, model: TrainedModel | None = None) -> None:
        self._most_decisions = max(1, (len(cells.values) - 1).bit_length())
        self.experts: Code
        if model is not None and model.framing.adaptive:
            self.experts = GuidedCode(cells, model)
        else:
            self.experts = MixedCode(cells, step, model)

    def encode(self, places: Places) -> bytes:
        """Pack places (n,) into bytes."""
        stream = range_coder.new_encoder()
        data = np.empty((len(places) * self._most_decisions + 3) * range_coder.MOST_BYTES, np.uint8)
        self.experts.code(stream, data, places.copy(), False)
        return data[: range_coder.finish(stream, data)].tobytes()

    def decode(self, data: bytes, count: int) -> Places:
        """Return the places of samples, (count,); any bytes are decoded, to something.

        Args:
            data: what `encode` returned.
            count: number of samples.
        """
        packed, places = np.frombuffer(data, np.uint8), np.empty(count, np.int64)
        self.experts.code(range_coder.new_decoder(packed), packed.copy(), places, True)
        return places


class MixedCode:
    """The adaptive experts with a network as one more, or without; see `MixedCoder` for the arguments."""

    def __init__(self, cells: Cells, step: float, model: TrainedModel | None) -> None:
        room = np.zeros((ROWS, NETWORK))
        self._adaptive = search.Adaptive(new_cascade(), new_experts(model is not None), cells, room)
        self._mixture = None if model is None else NetworkMixture(model)
        alphabet = None if model is None else Alphabet.of_cells(model, cells, step)
        self._network = _network(self._mixture, alphabet)

    def code(self, stream: State, data: Bytes, places: Places, decoding: bool) -> None:
        """Encode the next places (n,), or decode them into the array."""
        mixture, network = self._mixture, self._network
        if mixture is None:
            search.code(stream, data, self._adaptive, network, places, decoding)
            return
        for first in range(0, len(places), mixture.hop):
            step = places[first : first + mixture.hop]
            mixture.read()
            search.code(stream, data, self._adaptive, network, step, decoding)
            mixture.append(network.values[step])

    def of_step(self) -> Numbers:
        """Return the network's mixture for the last step."""
        return self._network.mixture

    def of_recording(self) -> Numbers:
        """Return the state of the cascade and of the experts."""
        return *self._adaptive.predictor, *self._adaptive.mixed


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
    coder = MixedCoder(integer_cells(MODEL_BITS), model=model)
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
                for part in coder.experts.of_step():
                    found.update(part.astype("<f8").tobytes())
    for state in coder.experts.of_recording():
        found.update(state.astype("<f8").tobytes())
    return found.hexdigest()
