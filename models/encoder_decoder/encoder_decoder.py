"""A recurrent encoder-decoder that predicts a recording block by block (after Cho et al. 2014).

A recording's steps, counted from its start, lie in blocks of M. The encoder reads all steps, with its state
carried from the first to the last. The decoder produces the distributions of one block's steps: it begins in
a state that a linear map and tanh make of the encoder's output at the block's first step (the bridge of
Bahdanau, Cho and Bengio 2015), and reads each step's own inputs, the true rows just before it. So every row
is predicted once, from nothing but earlier ones, and the sum of the log-likelihoods is exactly the
recording's; but what the encoder reads inside a block reaches the decoder only when the next one begins. With
attention the decoder also reads the encoder's outputs of the C steps that end with the block's first.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout

from models.distributions.distribution import Distribution
from models.encoder_decoder.attention import BilinearAttention, pack_memory, unpack_memory
from models.encoder_decoder.blocks import BlockLayout, mix_in_samples
from models.recurrent.stack import RecurrentStack, State, keep_state_where


class EncoderDecoder(nn.Module):
    """p(outputs of a step | all steps so far), used as a `Predictor` is.

    Training with ``sampling_probability`` p above 0 is scheduled sampling (Bengio et al. 2015) in two passes
    over all steps at once (Duckworth et al. 2019; Mihaylova and Martins 2019): the first draws every step's
    outputs, the second receives each step's rows, with probability p, as drawn instead of as recorded, in the
    rest of their block. Decoder and head receive the same, the encoder the recording. The likelihood is then
    that of the true outputs given these inputs, no longer the recording's.

    Args:
        input_rows: newest rows of a step's inputs that the network reads; a head may read older ones.
        width: values of a row.
        cell, hidden_size, num_layers, dropout, layer_norm, residual: of both stacks, see `RecurrentStack`.
        head: makes a distribution of hidden vectors (..., H) and inputs (..., D_in).
        decode_steps: M.
        attention_steps: C, or 0 for no attention.
        learned_initial_state: of the encoder; the decoder's comes from the encoder.
        output_dropout: share of the decoder's outputs that are dropped before the head while training.
    """

    def __init__(
        self,
        input_rows: int,
        width: int,
        cell: str,
        hidden_size: int,
        num_layers: int,
        dropout: float,
        head: nn.Module,
        decode_steps: int,
        attention_steps: int,
        layer_norm: bool = False,
        residual: bool = False,
        learned_initial_state: bool = False,
        output_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.output_dropout = output_dropout
        self.seen = input_rows * width
        self.decode_steps = decode_steps
        self.attention_steps = attention_steps
        self.sampling_probability = 0.0
        form = (hidden_size, num_layers, dropout, layer_norm, residual)
        self.encoder = RecurrentStack(cell, self.seen, *form, learned_initial_state)
        self.decoder = RecurrentStack(cell, self.seen + (hidden_size if attention_steps else 0), *form)
        self.bridge = nn.Linear(hidden_size, self.decoder.parts * num_layers * hidden_size)
        self.attention = BilinearAttention(hidden_size) if attention_steps else None
        self.head = head

    def initial_state(self, batch_size: int) -> State:
        """Return the state before the first step.

        In this order: the encoder's state and its last C outputs; of the running block, the decoder's state,
        the C outputs that it attends to, and how many of its steps are done. Outputs are kept as
        (C, B, H + 1), see `pack_memory`, the steps as (1, B, 1).
        """
        decoder = self.decoder.initial_state(batch_size)
        memory = decoder[0].new_zeros(self.attention_steps, batch_size, self.decoder.hidden_size + 1)
        phase = memory.new_zeros(1, batch_size, 1)
        return (*self.encoder.initial_state(batch_size), memory, *decoder, memory.clone(), phase)

    def forward(self, inputs: Tensor, state: State) -> tuple[Distribution, State]:
        """Run over a sequence.

        Each row of the batch may be anywhere in its block. Without attention, where all begin one and T is a
        multiple of M, the decoder runs in a single call; otherwise in M.

        Args:
            inputs: (B, T, D_in).
            state: the state before, as `initial_state` makes it.

        Returns:
            Distributions of batch shape (B, T), and the state after.

        Raises:
            ValueError: scheduled sampling where a step's inputs do not hold all values of the step before.
        """
        hidden, inputs, state = self.hidden_vectors(inputs, state)
        return self.head(hidden, inputs), state

    def hidden_vectors(self, inputs: Tensor, state: State) -> tuple[Tensor, Tensor, State]:
        """Run over a sequence up to the head.

        Args:
            inputs, state: see `forward`.

        Returns:
            The hidden vectors (B, T, H) and the inputs (B, T, D_in) that the head is called with, and the
            state after. With scheduled sampling, the inputs contain samples.
        """
        encoded, block, course = self._read(inputs, state)
        if self.training and self.sampling_probability:
            with torch.no_grad():
                drawn = self.head(self._decode(inputs, encoded, block, course)[0], inputs).sample()
            inputs = mix_in_samples(inputs, drawn, course, self.sampling_probability)
        hidden, after = self._decode(inputs, encoded, block, course)
        hidden = dropout(hidden, self.output_dropout, self.training)
        return hidden, inputs, (*encoded.after, *after, course.phase)

    def advance(self, inputs: Tensor, state: State) -> State:
        """Return the state after inputs (B, T, D_in), decoding only the last block."""
        encoded, block, course = self._read(inputs, state)
        return (*encoded.after, *self._decode(inputs, encoded, block, course.last_block())[1], course.phase)

    def step(self, inputs: Tensor, state: State) -> tuple[Distribution, State]:
        """Run one step with the same results as `forward`.

        It never waits for a GPU: whether or not a block begins, the bridge is computed.

        Args:
            inputs: (B, D_in).
            state: the state before.

        Returns:
            Distributions of batch shape (B,), and the state after.
        """
        encoded = self._encode(inputs[:, None], state)
        block, phase = state[self.encoder.parts + 1 : -1], state[-1]
        fresh = self._begin(encoded.top[:, 0], encoded.memory[1:])
        block = keep_state_where(block, phase[0, :, 0] > 0, fresh)
        hidden, decoder = self._decoder_step(inputs[:, -self.seen :], block[:-1], *unpack_memory(block[-1]))
        after = (*encoded.after, *decoder, block[-1], (phase + 1) % self.decode_steps)
        return self.head(hidden, inputs), after

    def recurrent_parameter_count(self) -> int:
        """Return the number of weights and biases of all parts but the head."""
        return sum(w.numel() for w in self.parameters()) - sum(w.numel() for w in self.head.parameters())

    def _read(self, inputs: Tensor, state: State) -> tuple["_Encoded", State, BlockLayout]:
        """Return the encoder's outputs for inputs (B, T, D_in), the running block, and the steps' layout."""
        course = BlockLayout.of(state[-1], inputs.shape[1], self.decode_steps)
        return self._encode(inputs, state), state[self.encoder.parts + 1 : -1], course

    def _encode(self, inputs: Tensor, state: State) -> "_Encoded":
        parts = self.encoder.parts
        top, end = self.encoder(inputs[..., -self.seen :], state[:parts])
        memory = torch.cat([state[parts], pack_memory(top).transpose(0, 1)])
        return _Encoded(top, memory, (*end, memory[inputs.shape[1] :]))

    def _begin(self, top: Tensor, memory: Tensor) -> State:
        """Return the decoder's first state in blocks that begin at outputs (N, H), and their memory."""
        start = torch.tanh(self.bridge(top))
        layers = start.view(len(top), self.decoder.parts, -1, self.decoder.hidden_size)
        return (*layers.permute(1, 2, 0, 3), memory)

    def _decode(
        self, inputs: Tensor, encoded: "_Encoded", block: State, course: BlockLayout
    ) -> tuple[Tensor, State]:
        """Return decoder outputs (B, T, H) at the steps of ``course``, and the running block after them."""
        batch, blocks = course.begin.shape
        row = torch.arange(batch, device=inputs.device)[:, None]
        before = torch.arange(1, self.attention_steps + 1, device=inputs.device)[:, None, None]
        memory = encoded.memory[course.begin + before, row].flatten(1, 2)
        fresh = self._begin(encoded.top[row, course.begin].flatten(0, 1), memory)
        running = tuple(part.repeat_interleave(blocks, 1) for part in block)
        starts = keep_state_where(running, ~course.fresh.flatten(), fresh)
        length = min(self.decode_steps, inputs.shape[1])
        source = course.begin[..., None] + torch.arange(length, device=inputs.device)
        source = source.clamp(max=inputs.shape[1] - 1)
        seen = inputs[..., -self.seen :][row[..., None], source].flatten(0, 1)
        last = row[:, 0] * blocks + course.block[:, -1]
        if course.whole and self.attention is None:
            hidden, end = self.decoder(seen, starts[:-1])
            end = tuple(part[:, last] for part in end)
        else:
            hidden, end = self._decode_stepwise(seen, starts, last, course.position[:, -1])
        hidden = hidden.reshape(batch, blocks * length, -1)[row, course.block * length + course.position]
        return hidden, (*end, starts[-1][:, last])

    def _decode_stepwise(
        self, seen: Tensor, starts: State, last: Tensor, position: Tensor
    ) -> tuple[Tensor, State]:
        """Run the decoder with attention; the state after is that of the blocks ``last`` (B,)
        after their steps at ``position`` (B,)."""
        state, recalled = starts[:-1], unpack_memory(starts[-1])
        end, hiddens = tuple(part[:, last] for part in state), []
        for number, inputs in enumerate(seen.unbind(1)):
            hidden, state = self._decoder_step(inputs, state, *recalled)
            hiddens.append(hidden)
            end = keep_state_where(end, position != number, tuple(part[:, last] for part in state))
        return torch.stack(hiddens, 1), end

    def _decoder_step(
        self, seen: Tensor, state: State, entries: Tensor, present: Tensor
    ) -> tuple[Tensor, State]:
        if self.attention is not None:
            seen = torch.cat([seen, self.attention(state[0][-1], entries, present)], -1)
        return self.decoder.step(seen, state)


class _Encoded(NamedTuple):
    """The encoder's outputs and state for T steps.

    Attributes:
        top: (B, T, H) its outputs.
        memory: (C + T, B, H + 1) the outputs before and in these steps.
        after: its state and the last C outputs.
    """

    top: Tensor
    memory: Tensor
    after: State
