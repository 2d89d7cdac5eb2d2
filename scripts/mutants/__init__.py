"""Deliberate faults, and whether the tests see them: `python -m scripts.mutants`, see __main__.py."""

from typing import NamedTuple

from scripts.mutants import (
    app,
    cli,
    clone,
    core,
    edges,
    envs,
    evaluator,
    nets,
    proofs,
    reading,
    recordings,
    rl,
    rl_runs,
    search,
    settings,
    trace_files,
    traces,
    tui,
)


class Mutant(NamedTuple):
    """One text, which occurs once in one file, replaced by another; `test` names the tests that must then fail."""

    name: str
    file: str
    old: str
    new: str
    test: str


LISTS = (
    *(app, cli, clone, core, edges, envs, evaluator, nets, proofs, reading, recordings, rl, rl_runs, search, settings),
    *(trace_files, traces, tui),
)
MUTANTS = [Mutant(*fault) for faults in LISTS for fault in faults.MUTANTS]
