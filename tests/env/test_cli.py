import re
import subprocess
import sys

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
        (["--seeds", "5000"], "--seeds is 5000; the validation split has 3,584 games"),
        (["--level", "25"], "level"),
        (["--policy", "nobody"], "policy is 'nobody'"),
    ):
        assert main(["eval", *arguments]) == 2
        assert sentence in capsys.readouterr().err


def test_policy_names(tmp_path):
    assert [type(policy.load(name)[0]).__name__ for name in ("random", "greedy")] == ["RandomLegal", "Greedy"]
    with pytest.raises(FileNotFoundError, match="no intact checkpoint"):
        policy.load(str(tmp_path))


@pytest.mark.parametrize("closed", [">&-", "2>&-"])
def test_a_command_whose_output_is_closed(tmp_path, closed):
    """It does its work; what it has to say goes nowhere else."""
    command = f'"{sys.executable}" -m mlx_drmario runs list "{tmp_path / "none"}" {closed}'
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr == ("" if closed.startswith("2") else f"drmario runs: {tmp_path / 'none'} is no directory\n")
