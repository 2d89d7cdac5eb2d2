"""House rules: import directions (statically and at run time), sizes, the committed stub, a quick command line."""

import subprocess
import sys
from pathlib import Path

import pytest

from scripts import check_tree

from .conftest import ROOT


def test_imports_are_one_way_and_files_stay_small() -> None:
    assert check_tree.check() == []


@pytest.mark.parametrize(
    ("module", "unwanted"),
    [
        ("mlx_drmario", ["mlx.core", "textual", "gymnasium", "h5py", "rich", "tyro"]),
        ("mlx_drmario.envs", ["mlx.core", "textual", "h5py"]),
        ("mlx_drmario.evaluate", ["mlx.core", "textual", "h5py"]),
        ("mlx_drmario.rl.config", ["mlx.core", "textual", "h5py"]),
        ("mlx_drmario.cli", ["mlx.core", "textual", "gymnasium", "h5py", "tyro"]),
    ],
)
def test_importing_stays_light(module: str, unwanted: list[str]) -> None:
    code = f"import sys, {module}; print([m for m in {unwanted!r} if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert result.stdout.strip() == "[]"


def test_the_committed_stub_is_the_core_s(tmp_path) -> None:  # type: ignore[no-untyped-def]
    from nanobind.stubgen import StubGen

    import mlx_drmario._core as core

    generator = StubGen(module=core)
    generator.put(core)
    fresh = tmp_path / "_core.pyi"
    fresh.write_text(generator.get())
    ruff = Path(sys.executable).with_name("ruff")
    subprocess.run([str(ruff), "format", "--quiet", "--line-length", "120", str(fresh)], check=True)
    committed = (ROOT / "mlx_drmario" / "_core.pyi").read_text()
    assert fresh.read_text() == committed, "run `make stubs`"


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        (["--help"], 0, "usage: drmario COMMAND"),
        (["evil"], 2, "no command 'evil'. Did you mean 'eval'?"),
        ([], 2, "usage: drmario COMMAND"),
    ],
)
def test_command_line(capsys, arguments: list[str], status: int, sentence: str) -> None:  # type: ignore[no-untyped-def]
    from mlx_drmario.cli import main

    assert main(arguments) == status
    captured = capsys.readouterr()
    assert sentence in captured.out + captured.err
