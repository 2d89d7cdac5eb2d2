"""Builds the C++ test programs (build/native, incremental) and runs them."""

import fcntl
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

from .conftest import ROOT

BUILD = ROOT / "build" / "native"


@cache
def build() -> None:
    """Configures and builds all programs with the cmake and ninja of this Python environment, one process at a time."""
    tools = Path(sys.executable).parent
    cmake, ninja = str(tools / "cmake"), str(tools / "ninja")
    configure = [cmake, "-S", str(ROOT), "-B", str(BUILD), "-G", "Ninja", f"-DCMAKE_MAKE_PROGRAM={ninja}"]
    configure += ["-DDRM_PYTHON=OFF", "-DDRM_TESTS=ON", "-DCMAKE_BUILD_TYPE=Release"]
    configure += ["-DDRM_WERROR=OFF", *os.environ.get("CMAKE_ARGS", "").split()]  # .ci/run asks for errors
    BUILD.mkdir(parents=True, exist_ok=True)
    with open(BUILD / "building", "w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        for command in (configure, [cmake, "--build", str(BUILD)]):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]


def run(program: str, *arguments: object) -> str:
    """What a program prints; fails the test with its output when its exit status is not 0."""
    build()
    command = [str(BUILD / program), *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout[-4000:] + result.stderr[-4000:]
    return result.stdout
