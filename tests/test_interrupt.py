"""Ctrl-C at any moment of `drmario COMMAND`, the imports included, ends it without a word."""

import os
import signal
import subprocess
import sys

import pytest

from mlx_drmario.cli.stopping import stop_on_signals

PRESS = """
import os, signal, sys

class Press:
    def find_spec(self, name, *where):
        if name == {module!r}:
            sys.meta_path.remove(self)
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Press())
sys.argv = ["drmario", "doctor"]
from drmario_start import main
sys.exit(main())
"""


@pytest.mark.parametrize(
    "module", ["mlx_drmario", "numpy", "mlx_drmario._core", "tyro", "mlx_drmario.cli.doctor", "mlx"]
)
def test_ctrl_c_while_importing(module):
    done = subprocess.run([sys.executable, "-c", PRESS.format(module=module)], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("", "")
    assert done.returncode in (-signal.SIGINT, 130)


@pytest.mark.parametrize(
    ("module", "status"),
    [("numpy", -signal.SIGINT), ("mlx_drmario._core", -signal.SIGINT), ("mlx_drmario.cli.doctor", 130)],
)
def test_ctrl_c_while_the_package_is_run(module, status, tmp_path):
    """The command, once it has begun, sees Ctrl-C itself."""
    (tmp_path / "sitecustomize.py").write_text(PRESS.format(module=module).partition("sys.argv")[0])
    done = subprocess.run(
        [sys.executable, "-m", "mlx_drmario", "doctor"],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
    )
    assert (done.stdout, done.stderr, done.returncode) == ("", "", status)


def test_ctrl_c_in_a_program_that_imports_the_package_is_its_own():
    code = "import signal, mlx_drmario; print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"


@pytest.mark.parametrize("asked", [True, False])
@pytest.mark.parametrize(
    "words", ["Could not load C++ shared library /tmp/x.so", "[Compiled::eval_cpu] Failed to compile function", "x"]
)
def test_what_a_compiler_that_was_stopped_too_leaves_is_no_error(asked, words):
    expected = KeyboardInterrupt if asked and words != "x" else RuntimeError
    with pytest.raises(expected) as raised, stop_on_signals() as should_stop:
        if asked:
            signal.raise_signal(signal.SIGINT)
        assert should_stop() is asked
        raise RuntimeError(words)
    assert ("nothing new is saved" in str(raised.value)) is (expected is KeyboardInterrupt)


def test_a_parent_that_ignores_it_is_obeyed():
    code = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)" + PRESS.format(module="numpy")
    done = subprocess.run(
        [sys.executable, "-c", code.replace('"doctor"', '"--version"')], capture_output=True, text=True
    )
    assert done.returncode == 0 and done.stdout.startswith("drmario ")


def test_ctrl_c_while_the_core_counts_ends_perft_at_once():
    """Deeper than anybody waits for; the core looks at no signal."""
    code = """
import os, signal, sys, threading
from mlx_drmario import cli, signature

def counting(depth):
    threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT)).start()
    return original(depth)

original, signature.signature = signature.signature, counting
sys.exit(cli.main(["perft", "--depth", "6"]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, "", "")
