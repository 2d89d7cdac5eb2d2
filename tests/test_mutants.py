"""The list of deliberate faults follows the code: every fault still applies, and names tests that exist."""

from collections import Counter

from scripts.mutants import MUTANTS
from tests.conftest import ROOT


def test_every_fault_applies_once_and_names_its_tests() -> None:
    for mutant in MUTANTS:
        assert (ROOT / mutant.file).read_text().count(mutant.old) == 1, mutant.name
        assert mutant.old != mutant.new and (ROOT / mutant.test).exists(), mutant.name
    assert max(Counter(mutant.name for mutant in MUTANTS).values()) == 1
    assert len(MUTANTS) >= 25
