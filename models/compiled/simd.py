"""Fused multiply-add, bits of floats and products by panels, as LLVM instructions that numba lacks.

All of it gives the same bits on every processor: a fused multiply-add is rounded once wherever it runs, each
output adds up its products in the order of the inputs, and vectors only put several outputs side by side.
"""

import hashlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar, cast

from filelock import FileLock, Timeout
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils as untyped_cgutils
from numba.core import config as untyped_config
from numba.core.compiler_lock import global_compiler_lock
from numba.extending import intrinsic

PANEL = 16
"""Outputs whose weights lie side by side: the longest vector of today's processors."""

LONGEST_COMPILATION_S = 120
"""A process that waits longer for another one's compilation, perhaps a halted one, compiles by itself."""

cgutils: Any = untyped_cgutils
config: Any = untyped_config

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Compile on the first call and keep the machine code in numba's cache; runs without Python's lock.

    Where no cache can be written, each process compiles anew, which takes some ten seconds.
    """
    how: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
    try:
        dispatcher = njit(cache=True, **how)(function)
    except RuntimeError:
        return cast(Function, njit(**how)(function))
    # Numba looks for changes in the function's own file alone, but what it calls melts into it.
    kept = dispatcher._cache._cache_file
    sources = _sources(Path(function.__code__.co_filename).parent)
    kept._source_stamp = kept._source_stamp, sources
    if config.CACHE_DIR:
        _name_by_content(dispatcher._cache, sources)
    _forget_unreadable(dispatcher._cache)
    _compile_once(dispatcher)
    return cast(Function, dispatcher)


def _name_by_content(cache: Any, sources: str) -> None:
    """Let copies of the same code share a cache that a user has named.

    Numba names a function's folder there by the path of its file, which differs for each copy.
    """
    folder = Path(config.CACHE_DIR) / f"wavecast-{sources[:16]}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return
    kept = cache._cache_file
    cache._cache_path = str(folder)
    cache._cache_file = type(kept)(str(folder), cache._impl.filename_base, sources)


def _forget_unreadable(cache: Any) -> None:
    """Compile anew where the cache cannot be read: it is damaged, or names classes of another version."""
    load = cache.load_overload

    def load_or_forget(signature: Any, target: Any) -> Any:
        try:
            return load(signature, target)
        except Exception:  # whatever a damaged pickle raises
            cache.flush()
            return None

    cache.load_overload = load_or_forget


def _compile_once(dispatcher: Any) -> None:
    """Let processes that need the same machine code at one time wait for the first, and then read its own.

    A function's lock is taken before those of the functions that it calls: no two wait for each other.
    """
    cache, compile_or_load = dispatcher._cache, dispatcher.compile
    path = Path(cache._cache_path) / f"{cache._impl.filename_base}.lock"

    def compile_alone(signature: Any) -> Any:
        lock = FileLock(path, LONGEST_COMPILATION_S)  # each time: a forked process must not use its parent's
        with global_compiler_lock:
            with suppress(Timeout, OSError):
                path.parent.mkdir(parents=True, exist_ok=True)
                lock.acquire()
            try:
                return compile_or_load(signature)
            finally:
                lock.release()

    dispatcher.compile = compile_alone


@lru_cache
def _sources(folder: Path) -> str:
    """Return a hash of all files in the folders whose functions others call, and in the given one."""
    here = Path(__file__).parent
    folders = sorted({here, here.with_name("adaptive"), folder})
    paths = [path for each in folders for path in sorted(each.glob("*.py"))]
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()


def inlined(function: Function) -> Function:
    """Compile as `compiled` does, for a function of a few numbers that is inlined into its callers."""
    return cast(Function, njit(nogil=True, error_model="numpy", forceinline=True)(function))


Build = Callable[[ir.IRBuilder, Sequence[ir.Value]], ir.Value]


def _of_one(build: Build) -> Any:
    """Return a function of one float32 whose instructions ``build`` emits."""

    def typing(context: Any, x: Any) -> Any:
        return types.float32(types.float32), lambda _, builder, signature, values: build(builder, values)

    return intrinsic(typing)


def _of_three(build: Build) -> Any:
    """Return a function of three float32 whose instructions ``build`` emits."""

    def typing(context: Any, a: Any, b: Any, c: Any) -> Any:
        signature = types.float32(*[types.float32] * 3)
        return signature, lambda _, builder, signature, values: build(builder, values)

    return intrinsic(typing)


_INT = ir.IntType(32)
_FLOAT = ir.FloatType()
_ONE = 0x3F800000
_ROOT_HALF = 0x3F3504F3
"""Bits of 1 and of the root of 1/2."""


def _fused(builder: ir.IRBuilder, values: Sequence[ir.Value]) -> ir.Value:
    kind = values[0].type
    suffix = f"v{kind.count}f32" if isinstance(kind, ir.VectorType) else "f32"
    function = cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(kind, [kind] * 3), f"llvm.fma.{suffix}"
    )
    return builder.call(function, values)


def _power_of_two(builder: ir.IRBuilder, values: Sequence[ir.Value]) -> ir.Value:
    bits = builder.shl(builder.bitcast(values[0], _INT), ir.Constant(_INT, 23))
    return builder.bitcast(builder.add(bits, ir.Constant(_INT, _ONE)), _FLOAT)


def _from_root_half(builder: ir.IRBuilder, value: ir.Value) -> ir.Value:
    return builder.add(builder.bitcast(value, _INT), ir.Constant(_INT, _ONE - _ROOT_HALF))


def _exponent(builder: ir.IRBuilder, values: Sequence[ir.Value]) -> ir.Value:
    shifted = builder.ashr(_from_root_half(builder, values[0]), ir.Constant(_INT, 23))
    return builder.sitofp(builder.sub(shifted, ir.Constant(_INT, 127)), _FLOAT)


def _mantissa(builder: ir.IRBuilder, values: Sequence[ir.Value]) -> ir.Value:
    kept = builder.and_(_from_root_half(builder, values[0]), ir.Constant(_INT, 0x7FFFFF))
    return builder.bitcast(builder.add(kept, ir.Constant(_INT, _ROOT_HALF)), _FLOAT)


multiply_add = _of_three(_fused)
"""a b + c, rounded once."""

power_of_two = _of_one(_power_of_two)
"""2^n of n + 1.5 * 2^23, a sum whose lowest bits are those of the whole number n."""

exponent = _of_one(_exponent)
"""The whole number n of x = m 2^n, with m in [sqrt(1/2), sqrt(2)), for a positive x."""

mantissa = _of_one(_mantissa)
"""The m of x = m 2^n, as in `exponent`."""


def _prefetch(context: Any, array: Any, place: Any) -> Any:
    """Return a function that begins to read the cache line of a place of a flat array, which may be none."""

    def build(context: Any, builder: ir.IRBuilder, signature: Any, values: Sequence[ir.Value]) -> Any:
        data = context.make_array(signature.args[0])(context, builder, values[0]).data
        address = builder.bitcast(builder.gep(data, [values[1]]), ir.IntType(8).as_pointer())
        kind = ir.FunctionType(ir.VoidType(), [address.type, *[_INT] * 3])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        to_read, to_first_cache, data_cache = (ir.Constant(_INT, number) for number in (0, 3, 1))
        builder.call(function, [address, to_read, to_first_cache, data_cache])
        return context.get_dummy_value()

    return types.void(array, types.intp), build


prefetch: Any = intrinsic(_prefetch)


def _panel_product(rows: int, panels: int) -> Any:
    """Return a function that adds products of some rows and panels, with the sums kept in registers.

    Its arguments: x (N, I), the first row, w (M, I, PANEL), the first panel, out (N, M * PANEL).
    """
    vector = ir.VectorType(_FLOAT, PANEL)

    def build(context: Any, builder: ir.IRBuilder, signature: Any, values: Sequence[ir.Value]) -> Any:
        arrays = [context.make_array(signature.args[i])(context, builder, values[i]) for i in (0, 2, 4)]
        inputs = cgutils.unpack_tuple(builder, arrays[0].shape)[1]
        pitch = cgutils.unpack_tuple(builder, arrays[2].shape)[1]
        number = inputs.type

        def at(index: int, *offsets: ir.Value) -> ir.Value:
            return builder.gep(arrays[index].data, offsets)

        def times(value: ir.Value, factor: int) -> ir.Value:
            return builder.mul(value, ir.Constant(number, factor))

        def plus(value: ir.Value, term: int) -> ir.Value:
            return builder.add(value, ir.Constant(number, term))

        x = [at(0, builder.mul(plus(values[1], r), inputs)) for r in range(rows)]
        w = [at(1, times(builder.mul(plus(values[3], p), inputs), PANEL)) for p in range(panels)]
        first = times(values[3], PANEL)
        out = [
            builder.bitcast(
                at(2, builder.add(builder.mul(plus(values[1], r), pitch), plus(first, p * PANEL))),
                vector.as_pointer(),
            )
            for r in range(rows)
            for p in range(panels)
        ]
        sums = [cgutils.alloca_once_value(builder, builder.load(place, align=4)) for place in out]
        with cgutils.for_range(builder, inputs) as loop:
            offset = times(loop.index, PANEL)
            weights = [
                builder.load(builder.bitcast(builder.gep(v, [offset]), vector.as_pointer()), align=4)
                for v in w
            ]
            for r in range(rows):
                value = _splat(builder, builder.load(builder.gep(x[r], [loop.index])), vector)
                for p in range(panels):
                    total = sums[r * panels + p]
                    builder.store(_fused(builder, (value, weights[p], builder.load(total))), total)
        for place, total in zip(out, sums, strict=True):
            builder.store(builder.load(total), place, align=4)
        return context.get_dummy_value()

    def typing(context: Any, x: Any, row: Any, w: Any, panel: Any, out: Any) -> Any:
        return types.void(x, types.intp, w, types.intp, out), build

    return intrinsic(typing)


def _splat(builder: ir.IRBuilder, value: ir.Value, vector: ir.VectorType) -> ir.Value:
    one = builder.insert_element(ir.Constant(vector, ir.Undefined), value, ir.Constant(_INT, 0))
    zeros = ir.Constant(ir.VectorType(_INT, PANEL), [0] * PANEL)
    return builder.shuffle_vector(one, ir.Constant(vector, ir.Undefined), zeros)


one_by_four = _panel_product(1, 4)
one_by_one = _panel_product(1, 1)
two_by_four = _panel_product(2, 4)
two_by_one = _panel_product(2, 1)
four_by_two = _panel_product(4, 2)
four_by_one = _panel_product(4, 1)
"""Rows by panels: as many sums as registers hold, so that none waits for another."""
