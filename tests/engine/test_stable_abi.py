"""From Python 3.12 on the module is built for the stable ABI, which has less than the headers of 3.11 show."""

import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nanobind
import pytest

from ..conftest import ROOT

BINDINGS = [*sorted(ROOT.glob("*/bind*.cpp")), ROOT / "planner/module.cpp"]
KNOWN = {
    *("PyBool_Check", "PyCallable_Check", "PyErr_Clear", "PyErr_Occurred", "PyEval_RestoreThread"),
    *("PyEval_SaveThread", "PyExc_ValueError", "PyFloat_AsDouble", "PyGILState_Ensure", "PyGILState_Release"),
    *("PyGILState_STATE", "PyIndex_Check", "PyLong_AsLongLongAndOverflow", "PyLong_AsUnsignedLongLong"),
    *("PyLong_Check", "PyLong_CheckExact", "PyNumber_Index", "PyObject_CallFunctionObjArgs"),
    *("PyObject_CheckBuffer", "PyObject_Length", "PyType_Slot", "Py_TYPE", "Py_VISIT", "Py_tp_clear"),
    "Py_tp_traverse",
}
"""what https://docs.python.org/3/c-api/stable.html lists; look there before another name is added"""


def test_names_of_python_are_of_the_stable_abi() -> None:
    text = "".join(path.read_text() for folder in ("engine", "planner") for path in (ROOT / folder).glob("*.[hc]*"))
    used = set(re.findall(r"\b_?Py(?:[A-Z][A-Za-z]*)?_[A-Za-z_]+", text))
    assert len(used) > 20 and used <= KNOWN


def headers() -> Path | None:
    """Those of a Python that is later than this one, wherever one lies."""
    places = [Path(path).resolve().parents[1] for n in range(12, 15) if (path := shutil.which(f"python3.{n}"))]
    places += sorted(Path(sys.base_prefix).parent.glob("*3.1[2-9]*"))  # where pyenv and uv keep theirs
    found = (file for place in places for file in place.glob("include/python3.1[2-9]/Python.h"))
    return next((file.parent for file in found), None)


def test_the_bindings_compile_for_the_stable_abi() -> None:
    compiler, include = shutil.which("c++"), headers()
    if sys.version_info >= (3, 12) or compiler is None or include is None:
        pytest.skip("built for the stable ABI as it is, or no later Python is here to look at")
    folders = [ROOT / "engine", ROOT / "planner", include, Path(nanobind.include_dir())]
    command = [
        compiler,
        "-std=c++20",
        "-fsyntax-only",
        "-w",
        "-DPy_LIMITED_API=0x030C0000",
        *(f"-I{at}" for at in folders),
    ]

    def errors(source: Path) -> str:
        return subprocess.run([*command, str(source)], capture_output=True, text=True).stderr

    with ThreadPoolExecutor(2) as pool:
        assert dict(zip(BINDINGS, pool.map(errors, BINDINGS), strict=True)) == dict.fromkeys(BINDINGS, "")
