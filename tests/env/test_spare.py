"""Memory of observations that is used again, and never while anybody looks at it."""

import copy
import gc
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlx_drmario.envs.spare import _MOST, Spare

SHAPE = (300, 256)  # u8: large enough to be kept


def page(value):
    return np.full(SHAPE, value, np.uint8)


def address(array):
    return array.__array_interface__["data"][0]


WAYS = {
    "itself": lambda array: array,
    "a row": lambda array: array[7],
    "a view of a view": lambda array: array[3:].T[5],
    "another dtype": lambda array: array.view(np.int8),
    "a memoryview": lambda array: np.asarray(memoryview(array)[2:]),
    "DLPack": np.from_dlpack,
}


@given(st.lists(st.tuples(st.sampled_from(sorted(WAYS)), st.integers(0, 3)), max_size=40))
def test_what_is_held_in_any_way_stays_as_it_is(steps):
    """Copies come and go; whatever still is there says what it said."""
    spare, held = Spare(), {}
    for number, (way, place) in enumerate(steps):
        held[place] = number, WAYS[way](spare.copy(page(number)))
        for value, array in held.values():
            assert (array == value).all()


def test_memory_that_nobody_holds_is_used_again():
    spare = Spare()
    first = spare.copy(page(1))
    at = address(first)
    second = spare.copy(page(2))
    assert address(second) != at
    del first
    third = spare.copy(page(3))
    assert address(third) == at and (third == 3).all() and third.flags.writeable


def test_a_heap_of_them_is_not_kept():
    spare = Spare()
    heap = [spare.copy(page(number)) for number in range(50)]
    del heap
    gc.collect()
    assert sum(map(len, spare._free.values())) == _MOST and not spare._held


@pytest.mark.parametrize("source", [page(4)[::2], page(5).T, np.arange(40_000, dtype=np.uint16), np.zeros((0, 9))])
def test_any_array_can_be_copied(source):
    made = Spare().copy(source)
    assert made.dtype == source.dtype and np.array_equal(made, source) and made.flags.c_contiguous


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda spare: pickle.loads(pickle.dumps(spare))])
def test_a_copy_has_memory_of_its_own(copied):
    spare = Spare()
    array = spare.copy(page(6))
    other = copied(spare)
    del array
    assert not other._free and (other.copy(page(7)) == 7).all()


def test_arrays_outlive_whoever_made_them():
    array = Spare().copy(page(8))
    gc.collect()
    assert (array == 8).all()
