"""Decisions.set_bottles: new bottles for some running games, everything else stays."""

import numpy as np
import pytest
from hypothesis import given, settings

import mlx_drmario as dm
from tests import strategies as sts

from .test_decisions import VIRUS, fresh, random_legal

OBSERVATIONS = ("planes", "scalars", "legal", "frames_to_lock", "viruses_left")
COLUMNS = ("tau", "viruses_cleared", "halves_cleared", "combos", "cascade", "cleared", "top_out", "truncated", "ended")
COLUMNS += ("decisions", "frames")


def random_bottles(rng: np.random.Generator, games: int) -> np.ndarray:
    """u8[N, 128]: single halves and 1 to 99 viruses anywhere but in the two top rows."""
    bottles = np.full((games, 128), 0xFF, np.uint8)
    for bottle in bottles:
        cells = rng.permutation(np.arange(16, 128))
        viruses = int(rng.integers(1, 100))
        bottle[cells] = np.where(rng.random(112) < 0.5, 0x80 + rng.integers(0, 3, 112), 0xFF)
        bottle[cells[:viruses]] = VIRUS + rng.integers(0, 3, viruses)
    return bottles


def snapshot_rows(decisions: dm.Decisions) -> np.ndarray:
    """The bytes of every game with its counters, u8[N, ...]."""
    blob = decisions.save()
    return np.frombuffer(blob, np.uint8, offset=blob.index(b"\n") + 1)[:-8].reshape(decisions.num_envs, -1)


@given(sts.generators)
@settings(max_examples=25)
def test_masked_games_equal_set_state_and_the_others_stay(rng: np.random.Generator) -> None:
    decisions = fresh(rng, 5)
    for _ in range(int(rng.integers(0, 12))):
        decisions.step(random_legal(rng, decisions.legal))
    mask = ~decisions.ended & (rng.random(5) < 0.6)
    bottles = random_bottles(rng, 5)
    bottles[~mask] = 7  # not read
    before = {name: getattr(decisions, name).copy() for name in ("state", *OBSERVATIONS, *COLUMNS)}
    games = snapshot_rows(decisions)
    decisions.set_bottles(bottles, mask)
    games_after = snapshot_rows(decisions)
    np.testing.assert_array_equal(games_after[~mask], games[~mask])
    behind = decisions.state.dtype.itemsize  # the match; clocks and counters follow it
    np.testing.assert_array_equal(games_after[:, behind:], games[:, behind:])
    for name in OBSERVATIONS:
        np.testing.assert_array_equal(getattr(decisions, name)[~mask], before[name][~mask], err_msg=name)
    for name in COLUMNS:
        np.testing.assert_array_equal(getattr(decisions, name), before[name], err_msg=name)
    if not mask.any():
        return
    expected = before["state"][mask].copy()
    expected["p1_bottle"] = bottles[mask]
    viruses = (bottles[mask] & 0xF0 == VIRUS).sum(axis=1)
    expected["p1_virus_left_bcd"] = viruses // 10 * 16 + viruses % 10
    other = dm.Decisions(num_envs=len(expected), threads=1)
    other.set_state(expected)
    np.testing.assert_array_equal(decisions.digest()[mask], other.digest())
    for name in OBSERVATIONS:
        np.testing.assert_array_equal(getattr(decisions, name)[mask], getattr(other, name), err_msg=name)
    actions = random_legal(rng, decisions.legal)
    decisions.step(actions)
    other.step(actions[mask])
    np.testing.assert_array_equal(decisions.digest()[mask], other.digest())


def test_without_a_mask_all_games_change_and_snapshots_load() -> None:
    decisions = dm.Decisions(num_envs=3)
    bottles = np.full((3, 128), 0xFF, np.uint8)
    for n, viruses in enumerate((1, 10, 99)):
        bottles[n, 128 - viruses :] = 0xD1
    decisions.set_bottles(bottles)
    np.testing.assert_array_equal(decisions.viruses_left, [1, 10, 99])
    np.testing.assert_array_equal(decisions.state["p1_virus_left_bcd"], [0x01, 0x10, 0x99])
    np.testing.assert_array_equal(decisions.state["p1_bottle"], bottles)
    other = dm.Decisions(num_envs=3)
    other.load(decisions.save())
    assert other.save() == decisions.save()


def bottle_with(*cells: tuple[int, int], viruses: int = 1) -> np.ndarray:
    """Two equal bottles with these (index, byte) cells and viruses on the floor."""
    bottle = np.full((2, 128), 0xFF, np.uint8)
    bottle[:, 128 - viruses :] = 0xD0
    for index, byte in cells:
        bottle[1, index] = byte
    return bottle


ONLY_FIRST = np.array([True, False])


@pytest.mark.parametrize(
    ("bottle", "mask", "error", "sentence"),
    [
        (bottle_with().astype(float), None, TypeError, "bottle must be integers, not float64"),
        (bottle_with()[:1], None, ValueError, r"bottle has shape \(1, 128\), allowed is \(2, 128\)"),
        (bottle_with(), np.array([1, 0]), TypeError, "mask has dtype int64, allowed is bool"),
        (bottle_with(), np.array([True]), ValueError, r"mask has shape \(1,\)"),
        (bottle_with((5, 7)), None, ValueError, r"bottle\[1, 5\] is 7, allowed are 255 and "),
        (bottle_with((64, 0xD3)), None, ValueError, r"bottle\[1, 64\] is 211, allowed"),
        (bottle_with((64, 0x72)), None, ValueError, r"bottle\[1, 64\] is 114, a right half, which column 0 cannot"),
        (bottle_with((4, 0x80)), None, ValueError, r"bottle\[1, 4\] is 128, allowed is 255 where the capsule waits"),
        (bottle_with(viruses=0), ONLY_FIRST, ValueError, r"bottle\[0\] has 0 viruses, allowed are 1\.\.99"),
        (bottle_with(viruses=100), None, ValueError, r"bottle\[0\] has 100 viruses, allowed are 1\.\.99"),
    ],
)
def test_bad_input_is_named_and_changes_nothing(
    bottle: np.ndarray, mask: np.ndarray | None, error: type[Exception], sentence: str
) -> None:
    decisions = dm.Decisions(num_envs=2)
    before, planes = decisions.save(), decisions.planes.copy()
    with pytest.raises(error, match=sentence):
        decisions.set_bottles(bottle, mask)
    assert decisions.save() == before
    np.testing.assert_array_equal(decisions.planes, planes)


def test_ended_games_are_refused() -> None:
    rng = np.random.default_rng(3)
    decisions = fresh(rng, 2, max_decisions=1)
    decisions.step(random_legal(rng, decisions.legal))
    decisions.reset(0, 0, 5, mask=ONLY_FIRST)
    before = decisions.save()
    with pytest.raises(ValueError, match=r"mask\[1\] is True, allowed are games that have not ended"):
        decisions.set_bottles(bottle_with())
    assert decisions.save() == before
    decisions.set_bottles(bottle_with(), ONLY_FIRST)
    assert decisions.viruses_left[0] == 1
