"""What becomes of a call into the core when the interpreter ends or forks meanwhile."""

import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import mlx_drmario as dm
from mlx_drmario.search import roots_of

LIMIT = 60.0
"""Seconds after which something hangs: many times what is needed."""

# Work that is long beside what it does in Python: there the interpreter itself ends a thread, however deep it is.
AT_WORK = """
import threading, time
import numpy as np
import mlx_drmario as dm

from mlx_drmario.search import chosen_rows, roots_of

batch, games, search = dm.Batch(64, threads=1), dm.Decisions(2048, threads=1), dm.Search(threads=1)
asking = dm.Search(value=lambda bottles: np.zeros(len(bottles), np.float32))
waiting = dm.Search(value=lambda bottles: time.sleep(0.01) or np.zeros(len(bottles), np.float32))
games.reset(5, 2, 9)
roots = chosen_rows(roots_of(games.view), slice(64))
held = np.zeros((20_000, 64, 1), np.uint8)
began = threading.Event()

def work():
    while True:
        {work}
        began.set()

threading.Thread(target=work, daemon=True).start()
began.wait()
time.sleep(0.1)  # and it is anywhere in its work
"""
WORK = {
    "a batch": "batch.run(held)",
    "decisions": "games.reset(10, 2, 9); games.afterstates()",
    "a search": "search.solve(games, width=20, max_capsules=3)",
    "a search on the way to Python": "asking.choose(**roots, plies=2)",
    "a search in Python": "waiting.choose(**roots)",
}


@pytest.mark.parametrize("work", WORK.values(), ids=WORK)
def test_a_daemon_thread_in_the_core_lets_the_interpreter_end(work: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", AT_WORK.format(work=work)], capture_output=True, text=True, timeout=LIMIT
    )
    assert (done.returncode, done.stderr) == (0, "")


AFTERWARDS = """
import atexit
atexit.register(lambda: print(dm.Batch(1).run(np.zeros((3, 1, 1), int), ["mode"])["mode"][2]))  # the last to be called
import numpy as np
import mlx_drmario as dm
"""


def test_what_runs_after_the_core_heard_of_the_end_may_still_use_it() -> None:
    done = subprocess.run([sys.executable, "-c", AFTERWARDS], capture_output=True, text=True, timeout=LIMIT)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "[4]", "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # Python 3.12 warns about every fork with threads
def test_a_child_that_was_forked_during_a_search_can_search() -> None:
    games = dm.Decisions(num_envs=3000, threads=1)
    games.reset(0, 2, np.arange(2, 3002))
    roots = roots_of(games.view)
    first = {name: column[:1] for name, column in roots.items()}
    search = dm.Search(threads=1)
    thread = threading.Thread(target=lambda: search.choose(**roots, plies=2))
    thread.start()
    while not search.done:
        pass
    child = os.fork()
    if child == 0:
        search.choose(**first, plies=2)
        os._exit(0)
    end = time.monotonic() + LIMIT
    status = (0, 0)
    while status[0] == 0 and time.monotonic() < end:
        status = os.waitpid(child, os.WNOHANG)
        time.sleep(0.01)
    search.stop()
    thread.join()
    if status[0] == 0:
        os.kill(child, 9)
        os.waitpid(child, 0)
    assert status == (child, 0)
