"""Eight lattices side by side in one vector register: a Numba type with +, -, x and the larger of two.

A value of this type is one number of each of `LANES` independent simulations. Emitting the vector instructions here,
instead of hoping that a compiler finds them in a loop, keeps three promises. Speed: the arithmetic units are the limit.
Compile time: nothing is searched for. Bits: each operation is the plain IEEE one (nothing fused, nothing reordered), so
a lane's numbers depend neither on the other lanes nor on the processor: LLVM uses several registers where they are
narrower.
"""

# ruff: noqa: ARG001  Numba calls the typing and lowering functions with fixed arguments, wanted or not

from __future__ import annotations

import hashlib
import operator
from collections.abc import Callable
from pathlib import Path
from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import njit, types
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, models, register_model

LANES = 8
"""Lattices per register: 8 float64 fill one of AVX-512 or two of AVX2, and 8 lattices of 20 x 20 fit the L2 cache."""

VECTOR = ir.VectorType(ir.DoubleType(), LANES)


class LanesType(types.Type):
    """The Numba type of one vector."""

    def __init__(self) -> None:
        super().__init__(name=f"Lanes{LANES}")


lanes = LanesType()


@register_model(LanesType)
class LanesModel(models.PrimitiveModel):
    """How a vector is held: as itself, in a register."""

    def __init__(self, dmm: Any, fe_type: Any) -> None:
        super().__init__(dmm, fe_type, VECTOR)


def _arithmetic(operation: Callable[..., Any], instruction: str) -> None:
    """Teach Numba one operator between two vectors."""

    @infer_global(operation)
    class Typing(AbstractTemplate):
        def generic(self, args: Any, kws: Any) -> Any:  # noqa: ARG002
            return signature(lanes, lanes, lanes) if args == (lanes, lanes) else None

    @lower_builtin(operation, lanes, lanes)
    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return getattr(builder, instruction)(*args)


for _operation, _instruction in ((operator.add, "fadd"), (operator.sub, "fsub"), (operator.mul, "fmul")):
    _arithmetic(_operation, _instruction)


def _address(context: Any, builder: Any, array_type: Any, array: Any, offset: Any) -> Any:
    data = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [offset]), VECTOR.as_pointer())


def instruction(emit: Callable[..., Any]) -> Callable[..., Any]:
    """A function that kernels can call and that becomes the instructions it emits."""
    return intrinsic(emit)


@instruction
def load(_: Any, array: Any, offset: Any) -> Any:
    """The vector that starts at array[offset]; unchecked, like every access of a kernel."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.load(_address(context, builder, sig.args[0], *args), align=8)

    return lanes(array, types.intp), generate


@instruction
def store(_: Any, array: Any, offset: Any, vector: Any) -> Any:
    """Write a vector to array[offset] and on."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        builder.store(args[2], _address(context, builder, sig.args[0], *args[:2]), align=8)
        return context.get_dummy_value()

    return types.none(array, types.intp, lanes), generate


@instruction
def splat(_: Any, number: Any) -> Any:
    """The vector that holds one number in every lane."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        index = ir.IntType(32)
        blank = ir.Constant(VECTOR, ir.Undefined)
        first = builder.insert_element(blank, args[0], ir.Constant(index, 0))
        return builder.shuffle_vector(first, blank, ir.Constant(ir.VectorType(index, LANES), [0] * LANES))

    return lanes(types.float64), generate


@instruction
def larger(_: Any, one: Any, other: Any) -> Any:
    """The larger in each lane; `other` where `one` is NaN."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.select(builder.fcmp_ordered(">", *args), *args)

    return lanes(lanes, lanes), generate


def compiled(kernel: Callable[..., None]) -> Callable[..., None]:
    """Compile at the first call, without the interpreter's lock, and keep the machine code on disk where possible.

    Numba throws cached code away when the kernel's own file changes; the digest in the name covers this file too.
    Where neither the package's folder nor the user's cache can be written, each process compiles anew (a second).
    """
    sources = b"".join(Path(file).read_bytes() for file in (__file__, kernel.__code__.co_filename))
    kernel.__qualname__ += f"_{hashlib.sha256(sources).hexdigest()[:12]}"
    try:
        return njit(nogil=True, cache=True)(kernel)
    except RuntimeError:  # "no locator available": no folder to cache in
        return njit(nogil=True)(kernel)
