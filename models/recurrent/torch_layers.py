"""Layers of torch's own kernels, as `models.recurrent.cells` names them."""

from functools import partial

from torch import nn

tanh = partial(nn.RNN, batch_first=True)
gru = partial(nn.GRU, batch_first=True)
lstm = partial(nn.LSTM, batch_first=True)
