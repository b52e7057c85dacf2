"""Triton's interpreter, with two corrections that kernels of this project need.

With NumPy 2.4 the interpreter of Triton 3.6 cannot end a loop at an argument. And it multiplies the bits of
bfloat16 as whole numbers.
"""

from typing import Any

import numpy as np
import triton.language as tl
from triton.runtime import interpreter


def correct() -> None:
    """Call before the first kernel, in a process that began with TRITON_INTERPRET=1."""
    patched, dot = interpreter._patch_lang_tensor, interpreter.InterpreterBuilder.create_dot

    def patch_lang_tensor(tensor: Any, scope: Any) -> None:
        patched(tensor, scope)
        scope.set_attr(tensor, "__index__", lambda self: int(self.handle.data.item()))

    def create_dot(self: Any, a: Any, b: Any, d: Any, *others: Any) -> Any:
        return dot(self, *(_widened(part) for part in (a, b)), d, *others)

    interpreter._patch_lang_tensor = patch_lang_tensor
    interpreter.InterpreterBuilder.create_dot = create_dot


def _widened(handle: Any) -> Any:
    if handle.dtype.scalar != tl.bfloat16:
        return handle
    values = (handle.data.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
    return interpreter.TensorHandle(values, tl.float32)
