"""Frame traces replay bit for bit, and nothing is ever left half written."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mlx_drmario as dm
from mlx_drmario.traces import TraceWriter, read, replay
from tests import strategies as sts


@given(sts.generators, st.integers(1, 2), st.lists(st.integers(0, 300), min_size=1, max_size=5), st.integers(1, 100))
@settings(max_examples=20)
def test_replay_equals_play(rng: np.random.Generator, players: int, lengths: list[int], interval: int) -> None:
    path = Path(f"/tmp/trace-{os.getpid()}.h5")
    path.unlink(missing_ok=True)
    batch = dm.Batch(num_envs=3, players=players)
    batch.reset(5, 1, rng.integers(2, 65536, 3))
    played = []
    with TraceWriter(path, batch, interval) as trace:
        for length in lengths:
            played.append(sts.human_buttons(rng, length, 3, players))
            trace.run(played[-1])
    loaded = read(path)
    path.unlink()
    np.testing.assert_array_equal(loaded.buttons, np.concatenate(played))
    assert len(loaded.digest) == sum(lengths) // interval
    assert replay(loaded).save() == batch.save()


def test_long_traces_are_written_in_chunks(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    batch = dm.Batch(num_envs=2)
    with TraceWriter(tmp_path / "long.h5", batch) as trace:
        for _ in range(5):
            trace.run(sts.human_buttons(rng, 2500, 2))
    assert replay(read(tmp_path / "long.h5")).save() == batch.save()


def test_a_changed_button_is_noticed(tmp_path: Path) -> None:
    batch = dm.Batch(num_envs=2)
    with TraceWriter(tmp_path / "a.h5", batch) as trace:
        trace.run(np.zeros((500, 2, 1), np.uint8))
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        file["buttons"][300, 1, 0] = sts.LEFT
    with pytest.raises(ValueError, match="game 1 differs after frame 320: "):
        replay(read(tmp_path / "a.h5"))


def test_an_exception_keeps_what_was_played(tmp_path: Path) -> None:
    batch = dm.Batch(num_envs=1)
    with pytest.raises(RuntimeError), TraceWriter(tmp_path / "a.h5", batch) as trace:
        trace.run(np.zeros((100, 1, 1), np.uint8))
        raise RuntimeError
    assert replay(read(tmp_path / "a.h5")).save() == batch.save()


def test_kill_leaves_no_half_trace(tmp_path: Path) -> None:
    code = (
        "import sys, numpy as np, mlx_drmario as dm; from pathlib import Path\n"
        "from mlx_drmario.traces import TraceWriter\n"
        "with TraceWriter(Path(sys.argv[1]), dm.Batch(num_envs=4)) as trace:\n"
        "    print('go', flush=True)\n"
        "    while True: trace.run(np.zeros((5000, 4, 1), np.uint8))\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "a.h5")], stdout=subprocess.PIPE)
    assert process.stdout is not None and process.stdout.readline() == b"go\n"
    time.sleep(0.3)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert not (tmp_path / "a.h5").exists()


def test_bad_input_is_named(tmp_path: Path) -> None:
    batch = dm.Batch(num_envs=1)
    (tmp_path / "text.h5").write_text("no")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = 1
    with pytest.raises(FileExistsError, match=r"text\.h5, which exists"):
        TraceWriter(tmp_path / "text.h5", batch)
    with pytest.raises(ValueError, match="interval is 0"):
        TraceWriter(tmp_path / "new.h5", batch, 0)
    with pytest.raises(FileNotFoundError, match=r"none\.h5"):
        read(tmp_path / "none.h5")
    with pytest.raises(ValueError, match="not an HDF5 file"):
        read(tmp_path / "text.h5")
    with pytest.raises(ValueError, match=r"not a mlx_drmario\.frames file"):
        read(tmp_path / "other.h5")
