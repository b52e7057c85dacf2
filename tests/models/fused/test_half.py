"""Products in bfloat16: near those in float32, and the same bits on any number of threads."""

import pytest
import torch

from models.fused.half import has_half_products
from models.fused.layer import run_layer
from models.recurrent.cells import CELLS, Cell
from models.recurrent.stack import RecurrentStack
from tests.helpers.networks.compiled_layers import case, compiled, results_and_gradients, threads
