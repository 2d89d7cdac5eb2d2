"""Deliberate faults, and whether the tests see them: `python -m scripts.mutants`, see __main__.py."""

from typing import NamedTuple

from scripts.mutants import core, rl, rl_runs, tui


class Mutant(NamedTuple):
    """One text, which occurs once in one file, replaced by another; `test` names the tests that must then fail."""

    name: str
    file: str
    old: str
    new: str
    test: str


MUTANTS = [Mutant(*fault) for fault in (*core.MUTANTS, *rl.MUTANTS, *rl_runs.MUTANTS, *tui.MUTANTS)]
