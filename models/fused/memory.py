"""Memory that training uses again in each update: fresh memory costs more time than many a product on it.

An array from here returns its memory when nothing refers to it any more, be it a view or a tensor. Two
graphs that live at once therefore never share any.
"""

from collections import OrderedDict
from threading import RLock
from typing import Any

import numpy as np
from numpy.typing import NDArray

_MOST_SIZES = 16
"""Sizes whose memory is kept; the ones used longest ago are let go."""

_ALIGNMENT = 64

_free: OrderedDict[int, list[NDArray[Any]]] = OrderedDict()
_lock = RLock()  # memory may return while its own thread is inside


class _Loan:
    """Memory on loan, as NumPy's interface of arrays describes it; NumPy keeps it as an array's base."""

    def __init__(self, memory: NDArray[Any]) -> None:
        self.memory = memory
        self.__array_interface__ = memory.__array_interface__

    def __del__(self) -> None:
        with _lock:
            stack = _free.get(len(self.memory))
            if stack is not None:
                stack.append(self.memory)


def empty(count: int, like: Any) -> NDArray[Any]:
    """Return a flat array with undefined values, which begins at a cache line.

    Args:
        count: numbers.
        like: type of the numbers.
    """
    kind = np.dtype(like)
    size = count * kind.itemsize
    with _lock:
        stack = _free.setdefault(size, [])
        _free.move_to_end(size)
        if len(_free) > _MOST_SIZES:
            _free.popitem(last=False)
        memory = stack.pop() if stack else None
    if memory is None:
        longer = np.empty(size + _ALIGNMENT, np.uint8)
        begin = -longer.ctypes.data % _ALIGNMENT
        memory = longer[begin : begin + size]
    return np.asarray(_Loan(memory)).view(kind)
