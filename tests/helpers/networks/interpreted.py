"""Triton's interpreter, with three corrections that kernels of this project need.

With NumPy 2.4 the interpreter of Triton 3.6 cannot end a loop at an argument. It multiplies the bits of
bfloat16 as whole numbers. And it runs a program to its end before the next one begins, so that programs could
not wait for each other: here they take turns at each atomic operation.
"""

import inspect
from math import prod
from typing import Any

import numpy as np
import triton.language as tl
from greenlet import getcurrent, greenlet
from triton.runtime import interpreter


def correct() -> None:
    """Call before the first kernel, in a process that began with TRITON_INTERPRET=1."""
    builder = interpreter.InterpreterBuilder
    patched, dot, atomic = interpreter._patch_lang_tensor, builder.create_dot, builder.create_atomic_rmw
    execute = interpreter.GridExecutor.__call__

    def patch_lang_tensor(tensor: Any, scope: Any) -> None:
        patched(tensor, scope)
        scope.set_attr(tensor, "__index__", lambda self: int(self.handle.data.item()))

    def create_dot(self: Any, a: Any, b: Any, d: Any, *others: Any) -> Any:
        return dot(self, *(_widened(part) for part in (a, b)), d, *others)

    def create_atomic_rmw(self: Any, *arguments: Any) -> Any:
        found = atomic(self, *arguments)
        getcurrent().parent.switch()
        return found

    def call(self: Any, *arguments: Any, **options: Any) -> None:
        self.fn = Programs(self.fn)
        execute(self, *arguments, **options)

    interpreter._patch_lang_tensor = patch_lang_tensor
    builder.create_dot, builder.create_atomic_rmw = create_dot, create_atomic_rmw
    interpreter.GridExecutor.__call__ = call


class Programs:
    """A kernel whose programs begin when the last of them is called, and then take turns."""

    def __init__(self, kernel: Any) -> None:
        self.kernel = kernel
        self.__name__, self.__globals__ = kernel.__name__, kernel.__globals__
        self.__signature__ = inspect.signature(kernel)
        self.waiting: list[tuple[tuple[int, ...], greenlet]] = []

    def __call__(self, **arguments: Any) -> None:
        grid = interpreter.interpreter_builder
        self.waiting.append((grid.grid_idx, greenlet(lambda: self.kernel(**arguments))))
        if len(self.waiting) < prod(grid.grid_dim):
            return
        while self.waiting:
            for grid.grid_idx, program in self.waiting:
                program.switch()
            self.waiting = [(place, program) for place, program in self.waiting if not program.dead]


def _widened(handle: Any) -> Any:
    if handle.dtype.scalar != tl.bfloat16:
        return handle
    values = (handle.data.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
    return interpreter.TensorHandle(values, tl.float32)
