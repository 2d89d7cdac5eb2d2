"""What the package says of itself agrees everywhere."""

import re
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
