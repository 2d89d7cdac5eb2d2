"""One place says what arrays mean; the core's names, the documentation and the code must agree with it."""

import numpy as np
import pytest

import mlx_drmario as dm
from mlx_drmario import _core, rewards, seeds, spec
from mlx_drmario.baselines import RandomLegal
from mlx_drmario.envs.frame import COUNTERS

from ..conftest import ROOT


def test_every_plane_and_scalar_of_the_core_has_a_meaning():
    names = {name for planes in spec.PLANE_SETS for name in _core.plane_names(planes)}
    assert names == set(spec.PLANES)
    assert tuple(_core.scalar_names()) == tuple(spec.SCALARS)


def test_the_documentation_names_everything():
    text = (ROOT / "docs" / "environments.md").read_text()
    for name in (*spec.PLANES, *spec.SCALARS, *rewards.TERMS, *COUNTERS, *seeds.SPLITS):
        assert f"`{name}`" in text or f'`"{name}"`' in text, name
    for planes in spec.PLANE_SETS:
        for index, name in enumerate(_core.plane_names(planes)):
            row = next(line for line in text.splitlines() if line.startswith(f"| `{name}` |"))
            assert row.split("|")[3 + spec.PLANE_SETS.index(planes)].strip() == str(index)


def test_planes_say_what_the_bottle_holds():
    d = dm.Decisions(num_envs=8, planes="extended")
    d.reset(10, 2, seeds.seeds("training", 8))
    for turn in range(15):
        d.step(RandomLegal(turn).act(d.view))
    bottles = d.state["p1_bottle"].reshape(8, 16, 8)
    planes = {name: d.planes[:, index] for index, name in enumerate(d.plane_names)}
    for color, name in enumerate(("yellow", "red", "blue")):
        halves = [kind + color for kind in (spec.TOP, spec.BOTTOM, spec.LEFT_HALF, spec.RIGHT_HALF, spec.SINGLE)]
        assert np.array_equal(planes[f"virus_{name}"], bottles == spec.VIRUS + color)
        assert np.array_equal(planes[f"half_{name}"], np.isin(bottles, halves))
    partners = {"right": spec.LEFT_HALF, "left": spec.RIGHT_HALF, "below": spec.TOP, "above": spec.BOTTOM}
    for side, kind in partners.items():
        assert np.array_equal(planes[f"link_{side}"], bottles & 0xF0 == kind)
    assert (bottles == spec.EMPTY).any() and not (d.ended.all())


def test_scalars_stay_in_their_range():
    d = dm.Decisions(num_envs=21)
    d.reset(np.arange(4, 25, dtype=np.uint8), np.arange(21, dtype=np.uint8) % 3, seeds.seeds("training", 21))
    for turn in range(30):
        assert d.scalars.min() >= 0 and d.scalars.max() <= spec.SCALAR_MAX
        d.step(RandomLegal(turn).act(d.view))


def test_from_bcd():
    assert spec.from_bcd(0x84) == 84
    assert spec.from_bcd(np.array([0x00, 0x09, 0x10, 0x99], np.uint8)).tolist() == [0, 9, 10, 99]


def test_speeds():
    assert [spec.speed_number(name) for name in ("low", "MED", "Hi", 0, 1, 2)] == [0, 1, 2, 0, 1, 2]
    for wrong in ("fast", 3, -1, 1.5, None):
        with pytest.raises(ValueError, match="speed is"):
            spec.speed_number(wrong)
