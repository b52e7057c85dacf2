"""Memory is used again only when nothing refers to it any more."""

import gc
from concurrent.futures import ThreadPoolExecutor
from time import sleep

import numpy as np
import torch

from models.fused.memory import _free, empty


def test_memory_returns_when_the_last_view_is_gone() -> None:
    first = empty(1234, np.float32)
    place = first.ctypes.data
    view, tensor = first[5:][::2], torch.from_numpy(first)
    del first
    gc.collect()
    assert empty(1234, np.float32).ctypes.data != place
    del view
    assert empty(1234, np.float32).ctypes.data != place
    part = tensor[10:20]
    del tensor
    assert empty(1234, np.float32).ctypes.data != place
    del part
    assert empty(1234, np.float32).ctypes.data == place


def test_an_array_begins_at_a_cache_line() -> None:
    for count in (1, 17, 100_003):
        array = empty(count, np.float64)
        assert array.shape == (count,)
        assert array.dtype == np.float64
        assert array.ctypes.data % 64 == 0


def test_sizes_of_long_ago_are_let_go() -> None:
    place = empty(4321, np.float32).ctypes.data
    assert empty(4321, np.float32).ctypes.data == place
    for count in range(100):
        empty(5000 + count, np.float32)
    assert len(_free) <= 16


def test_threads_never_share_an_array() -> None:
    def use(number: int) -> bool:
        mine = empty(777 + number % 40, np.int64)
        mine[:] = number
        sleep(0)
        return bool((mine == number).all())

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(use, range(2000)))
