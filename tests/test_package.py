"""What the package says of itself agrees everywhere."""

import os
import re
import shutil
import subprocess
import sys
import tomllib

import yaml

import mlx_drmario as dm

from .conftest import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_one_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    released = re.findall(r"^## (\d[\d.]*) \(\d{4}-\d\d-\d\d\)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert citation["version"] == PROJECT["version"] == dm.__version__ == released[0]
    assert citation["license"] == PROJECT["license"]


def test_the_supported_pythons_are_listed() -> None:
    oldest = re.fullmatch(r">=3\.(\d+)", PROJECT["requires-python"])
    listed = [int(minor) for c in PROJECT["classifiers"] for minor in re.findall(r"^Programming .* 3\.(\d+)$", c)]
    assert oldest and listed == list(range(int(oldest[1]), max(listed) + 1))


def test_a_source_folder_in_which_nothing_is_built_says_so(tmp_path) -> None:
    """Python looks where it is started before it looks where the package is installed."""
    shutil.copytree(
        ROOT / "mlx_drmario", tmp_path / "mlx_drmario", ignore=shutil.ignore_patterns("__pycache__", "*.so")
    )
    there = os.pathsep.join(path for path in sys.path if path.endswith("site-packages"))
    done = subprocess.run(
        [sys.executable, "-S", "-c", "import mlx_drmario"],  # without the finder of an editable install
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": there}, capture_output=True, text=True,
    )  # fmt: skip
    assert f"{tmp_path / 'mlx_drmario'} is the source folder, in which nothing is built" in done.stderr
