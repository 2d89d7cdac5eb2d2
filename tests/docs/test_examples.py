"""The programs in examples/ run as a user runs them (slow: they train)."""

import importlib.util
import subprocess
import sys

import pytest

from tests.docs.pages import ROOT

pytestmark = pytest.mark.slow


def run(name: str, *arguments: str) -> str:
    """The output of an example, which must end well and warn of nothing."""
    command = [sys.executable, "-W", "error::DeprecationWarning:__main__", str(ROOT / "examples" / name), *arguments]
    result = subprocess.run(command, capture_output=True, text=True, timeout=1200)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_random_agent_plays_the_same_game_again() -> None:
    first, second = (run("random_agent.py", "--level", "3", "--seed", "7") for _ in range(2))
    assert first == second != run("random_agent.py", "--level", "3", "--seed", "8")
    assert "viruses left" in first and "return" in first


def test_ppo_learns() -> None:
    lines = run("ppo.py", "--total-decisions", "8192").splitlines()
    returns = [float(line.split()[3]) for line in lines]
    assert len(returns) == 4
    assert sum(returns[-2:]) / 2 > returns[0] + 0.2, returns


@pytest.mark.skipif(importlib.util.find_spec("sb3_contrib") is None, reason="needs `pip install torch sb3-contrib`")
def test_maskable_ppo() -> None:
    assert "over 20 games" in run("maskable_ppo.py", "--timesteps", "1024")


def test_every_example_is_tested() -> None:
    names = {path.name for path in (ROOT / "examples").glob("*.py")}
    assert names == {"random_agent.py", "ppo.py", "maskable_ppo.py"}
