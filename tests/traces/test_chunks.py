"""Chunks as they lie in a file: whatever the bytes, LZF's stream holds them, and HDF5's own filters read it."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from mlx_drmario._core import compressed_chunk
from mlx_drmario.traces import storage
from mlx_drmario.traces.games import Games, join


def decoded(stream: bytes) -> bytes:
    """As the format says (planner/lzf.h), a byte at a time."""
    out, at = bytearray(), 0
    while at < len(stream):
        control = stream[at]
        if control < 32:
            out += stream[at + 1 : at + 2 + control]
            at += 2 + control
            continue
        length = control >> 5
        if length == 7:
            at += 1
            length += stream[at]
        distance = ((control & 31) << 8 | stream[at + 1]) + 1
        assert distance <= len(out)
        for _ in range(length + 2):
            out.append(out[-distance])
        at += 2
    return bytes(out)


def by_hdf5(folder: Path, stream: bytes, rows: NDArray[np.uint8], width: int) -> NDArray[np.uint8]:
    elements = rows.view(np.dtype(f"V{width}") if width not in (1, 2, 4, 8) else f"u{width}")
    with h5py.File(folder / "chunk.h5", "w") as file:
        made = file.create_dataset(
            "x", elements.shape, elements.dtype, chunks=elements.shape, compression="lzf", shuffle=width > 1
        )
        made.id.write_direct_chunk((0, 0), stream)
        return np.ascontiguousarray(made[:]).view(np.uint8)


@given(
    st.integers(0, 2**32), st.integers(1, 200), st.integers(1, 20), st.sampled_from([1, 2, 4, 8]), st.integers(1, 256)
)
def test_any_rows_are_held(seed: int, count: int, elements: int, width: int, symbols: int) -> None:
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, symbols, (count, elements * width), dtype=np.uint8)
    again = rng.integers(0, count, count) if symbols % 2 else np.arange(count)
    rows = np.where(rng.random(rows.shape) < 0.9, rows[again], rows).astype(np.uint8)
    stream = compressed_chunk(rows, width)
    if stream is not None:
        shuffled = rows.reshape(-1, width).T
        assert len(stream) < rows.size and decoded(stream) == shuffled.tobytes()


@pytest.mark.parametrize("distance", [1, 2, 255, 256, 8191, 8192, 8193, 8194, 16384])
@pytest.mark.parametrize("row", [1, 64, None])
def test_repetitions_near_and_far(tmp_path: Path, distance: int, row: int | None) -> None:
    once = np.random.default_rng(distance).integers(0, 256, distance, dtype=np.uint8)
    for length in (264, 265, 266, 271, 528, 3 * distance + 5):
        bytes_ = np.concatenate([once, np.resize(once, length), np.zeros(64, np.uint8)])
        width = row or distance
        rows = bytes_[: len(bytes_) // width * width].reshape(-1, width)
        stream = compressed_chunk(rows)
        if stream is not None:
            assert decoded(stream) == rows.tobytes()
            assert (by_hdf5(tmp_path, stream, rows, 1) == rows).all()
        if distance <= 255:
            assert stream is not None


def test_what_compresses_and_what_does_not(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    same = np.tile(rng.integers(0, 256, 128, dtype=np.uint8), (4096, 1))
    stream = compressed_chunk(same)
    assert stream is not None and len(stream) < 132 + 4 * 4096 * 128 // 264
    same[np.arange(4096), rng.integers(0, 128, 4096)] += 1  # a byte of each row
    stream = compressed_chunk(same)
    assert stream is not None and len(stream) < 12 * 4096 and (by_hdf5(tmp_path, stream, same, 1) == same).all()
    assert compressed_chunk(rng.integers(0, 256, (4096, 8), dtype=np.uint8), 8) is None
    counts = np.arange(4096, dtype="<u4").reshape(-1, 1)
    stream = compressed_chunk(counts.view(np.uint8), 4)
    assert stream is not None and len(stream) < 2 * 4096  # the low bytes count
    assert (by_hdf5(tmp_path, stream, counts.view(np.uint8), 4).view("<u4") == counts).all()
    for size in range(1, 9):
        few = np.zeros((1, size), np.uint8)
        stream = compressed_chunk(few)
        assert stream is None or decoded(stream) == bytes(size)


def test_widths_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="width is 3, rows have 4 bytes; it must divide that"):
        compressed_chunk(np.zeros((2, 4), np.uint8), 3)
    with pytest.raises(ValueError, match="width is 0"):
        compressed_chunk(np.zeros((2, 4), np.uint8), 0)


@pytest.mark.parametrize("sizes", [(4096,), (4095, 1), (1, 4096), (4097,), (4000, 4000, 300), (3, 0, 9000)])
def test_parts_meet_anywhere_in_a_chunk(tmp_path: Path, random_games: Games, sizes: tuple[int, ...]) -> None:
    parts = []
    for number, size in enumerate(sizes):
        copies = [random_games] * (1 + size // random_games.rows)
        long = join(copies)
        last = int(np.searchsorted(long.episode["first_decision"] + long.episode["decisions"], size))
        part = long.take(np.arange(last))
        if number % 2 == 0:  # as a digest's: such chunks do not get shorter
            part.decision["legal"][:] = np.random.default_rng(number).integers(0, 256, part.decision["legal"].shape)
        parts.append(part)
    storage.save(tmp_path / "a.dmtrace.h5", parts, 1)
    read, wanted = storage.read(tmp_path / "a.dmtrace.h5"), join(parts)
    for name, column in wanted.decision.items():
        np.testing.assert_array_equal(read.decision[name], column)
    for name, column in wanted.episode.items():
        np.testing.assert_array_equal(read.episode[name], column)
    assert (read.start == wanted.start).all()


def test_the_row_before_is_looked_at_first() -> None:
    rng = np.random.default_rng(2)
    blocks = rng.integers(0, 255, (1, 16, 16), dtype=np.uint8)
    blocks[:, :, :6] = (1, 2, 3, 4, 5, 6)  # so the last place with these bytes is seldom the one to go on from
    rows = np.tile(blocks, (2048, 1, 1))
    rows[np.arange(2048), rng.integers(0, 16, 2048), 15] = np.arange(2048) % 251  # the byte before such a place
    stream = compressed_chunk(rows.reshape(2048, 256))
    assert stream is not None and len(stream) < 9 * 2048
    assert decoded(stream) == rows.tobytes()
