"""Copies of large arrays in memory that is used again, once nobody holds what was handed out."""

import weakref
from collections import defaultdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

_LARGE = 65_536
"""bytes; smaller arrays are copied as well by NumPy alone"""
_MOST = 4
"""free blocks kept of a size: a loop that looks at two observations at a time needs three"""


class Spare:
    """What was handed out stays as it is for as long as anybody holds it or a view of it.

    The system gives out memory as pages that it has to find first, and takes those of a large array back when it is
    dropped: that costs several times as much as copying into pages that are there already.
    """

    def __init__(self) -> None:
        self._free: defaultdict[int, list[bytearray]] = defaultdict(list)
        self._held: dict[int, weakref.ref[NDArray[Any]]] = {}

    def __reduce__(self) -> tuple[type["Spare"], tuple[()]]:
        """A copy has memory of its own."""
        return Spare, ()

    def copy(self, source: NDArray[Any]) -> NDArray[Any]:
        """A writable copy in C order."""
        if source.nbytes < _LARGE:
            return source.copy(order="C")
        free = self._free[source.nbytes]
        try:
            block = free.pop()
        except IndexError:
            block = bytearray(source.nbytes)
        array: NDArray[Any] = np.ndarray(source.shape, source.dtype, block)
        np.copyto(array, source)

        def take_back(ended: weakref.ref[NDArray[Any]]) -> None:
            del self._held[id(ended)]
            if len(free) < _MOST:
                free.append(block)

        watch = weakref.ref(array, take_back)  # views of it keep it, as its own memory is not an array's
        self._held[id(watch)] = watch
        return array
