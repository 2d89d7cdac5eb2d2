import json
from types import SimpleNamespace

import numpy as np
import pytest

import mlx_drmario as dm
from mlx_drmario import rewards
from mlx_drmario.rewards import RewardConfig


def events(**columns):
    zero = np.zeros(3, np.uint8)
    assert columns.keys() <= set(dm.event_names())
    return SimpleNamespace(**{name: np.array(columns.get(name, zero)) for name in dm.event_names()})


def test_every_term_pays_its_own_event():
    config = RewardConfig(virus=1, half=2, combo=3, cascade=4, clear=5, top_out=-6, time=-0.5, decision=0.25)
    terms = rewards.compute(
        config,
        events(
            tau=[10, 20, 0],
            viruses_cleared=[2, 0, 0],
            halves_cleared=[6, 1, 0],
            runs_after_first=[2, 0, 0],
            passes_after_first=[1, 0, 0],
            capsules=[1, 1, 0],
            cleared=[True, False, False],
            top_out=[False, True, False],
        ),
    )
    expected = {
        "virus": [2, 0, 0],
        "half": [12, 2, 0],
        "combo": [6, 0, 0],
        "cascade": [4, 0, 0],
        "clear": [5, 0, 0],
        "top_out": [0, -6, 0],
        "time": [-5, -10, 0],
        "decision": [0.25, 0.25, 0],
        "total": [24.25, -13.75, 0],
    }
    assert {name: term.tolist() for name, term in terms.items()} == expected
    assert all(term.dtype == np.float32 for term in terms.values())


def test_terms_sum_to_total():
    rng = np.random.default_rng(0)
    config = RewardConfig(*rng.normal(size=len(rewards.TERMS)).tolist())
    columns = {name: rng.integers(0, 9, 3) for name in dm.event_names() if name not in ("cleared", "top_out")}
    terms = rewards.compute(config, events(**columns))
    np.testing.assert_allclose(sum(terms[name] for name in rewards.TERMS), terms["total"], rtol=1e-5)


def test_a_game_is_paid_the_same_beside_others():
    rng = np.random.default_rng(1)
    config = RewardConfig(*rng.normal(size=len(rewards.TERMS)).tolist())
    columns = {name: rng.integers(0, 300, 200) for name in dm.event_names()}
    together = rewards.compute(config, events(**columns))["total"]
    alone = [
        rewards.compute(config, events(**{name: column[n : n + 1] for name, column in columns.items()}))["total"][0]
        for n in range(200)
    ]
    assert together.tolist() == alone


def test_small_amounts_are_paid():
    terms = rewards.compute(RewardConfig(virus=0.0, time=-0.0001), events(tau=np.array([200, 0, 10], np.uint16)))
    np.testing.assert_allclose(terms["time"], [-0.02, 0, -0.001], rtol=1e-6)


def test_counters_do_not_wrap():
    terms = rewards.compute(RewardConfig(time=1.0), events(tau=np.array([2**31, 1, 0], np.uint32)))
    assert terms["time"][0] == 2**31


def test_json_round_trip(tmp_path):
    config = RewardConfig(virus=0.5, time=-1e-3)
    config.to_json(tmp_path / "reward.json")
    assert RewardConfig.from_json(tmp_path / "reward.json") == config
    (tmp_path / "part.json").write_text('{"clear": 3}')
    assert RewardConfig.from_json(tmp_path / "part.json") == RewardConfig(clear=3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"viruses": 1}', r"bad\.json: unknown reward 'viruses'; the rewards are virus, half"),
        ('{"virus": "1"}', r"bad\.json: reward\.virus must be a number between .*, got '1'"),
        ('{"virus": true}', r"bad\.json: reward\.virus must be a number between .*, got True"),
        ('{"virus": null}', r"bad\.json: reward\.virus must be a number between .*, got None"),
        ('{"virus": NaN}', r"bad\.json: reward\.virus must be between .*, got nan"),
        ("[1, 2]", r"bad\.json: expected a JSON object of rewards, found list"),
        ("{", r"bad\.json: "),
    ],
)
def test_json_errors_name_the_file_and_the_fault(tmp_path, text, message):
    path = tmp_path / "bad.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        RewardConfig.from_json(path)


def test_config_is_frozen_and_serialises_every_term(tmp_path):
    with pytest.raises(AttributeError):
        RewardConfig().virus = 2
    RewardConfig().to_json(tmp_path / "r.json")
    assert tuple(json.loads((tmp_path / "r.json").read_text())) == rewards.TERMS
