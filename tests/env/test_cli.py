import re

import pytest

from mlx_drmario.cli import main, policy
from mlx_drmario.cli.doctor import DoctorConfig, run


def test_doctor_states_the_facts(capsys):
    assert run(DoctorConfig()) == 0
    out = capsys.readouterr().out
    for fact in (
        "mlx_drmario",
        "python",
        "mlx ",
        "numpy",
        "gymnasium",
        "textual",
        "platform",
        "cores",
        "BLAS",
        "device",
    ):
        assert re.search(rf"^  {fact}", out, re.MULTILINE), fact
    assert float(re.search(r"(\d+) GFLOP/s", out)[1]) > 0
    assert int(re.search(r"([\d,]+) a second", out)[1].replace(",", "")) > 100
    assert re.search(r"mx.compile +(with|on|not possible)", out)


def test_eval_from_the_command_line(capsys):
    assert main(["eval", "--policy", "random", "--seeds", "5", "--no-baselines", "--max-decisions", "10"]) == 0
    assert capsys.readouterr().out.count("\n") == 3
    for arguments, sentence in (
        (["--seeds", "5000"], "n is 5000; the validation split has seeds for 1 to 3584 games"),
        (["--level", "25"], "level"),
        (["--policy", "nobody"], "policy is 'nobody'"),
    ):
        assert main(["eval", *arguments]) == 1
        assert sentence in capsys.readouterr().err


def test_policy_names(tmp_path):
    assert [type(policy.load(name)[0]).__name__ for name in ("random", "greedy")] == ["RandomLegal", "Greedy"]
    with pytest.raises(FileNotFoundError, match="no intact checkpoint"):
        policy.load(str(tmp_path))
