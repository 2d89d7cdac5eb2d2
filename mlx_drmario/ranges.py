"""What the numbers of a config may be: declared beside the field, checked when the config is made.

>>> @dataclass(frozen=True)
... class Games:
...     level: Annotated[int, Range(0, 24)] = 0
...     def __post_init__(self) -> None:
...         check_ranges(self, "games.")
>>> Games(level=25)
ValueError: games.level must be between 0 and 24, got 25
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Hashable
from math import inf
from numbers import Integral, Real
from types import NoneType
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin, get_type_hints


@dataclasses.dataclass(frozen=True)
class Range:
    """Both ends belong to it unless `without` says otherwise; NaN never does."""

    low: float
    high: float
    without: Literal["", "low", "high", "both"] = ""

    def holds(self, value: Any) -> bool:
        """Whether a number belongs to it."""
        at_least = self.low < value if self.without in ("low", "both") else self.low <= value
        at_most = value < self.high if self.without in ("high", "both") else value <= self.high
        return bool(at_least and at_most)

    def __str__(self) -> str:
        low, high = (f"{end:,}" for end in (self.low, self.high))
        if self.high == inf:
            return f"more than {low}" if self.without == "low" else f"at least {low}"
        return {
            "": f"between {low} and {high}",
            "low": f"more than {low} and at most {high}",
            "high": f"at least {low} and less than {high}",
            "both": f"strictly between {low} and {high}",
        }[self.without]


YEAR = 525_600
"""Minutes of a year: the longest budget."""

Level = Annotated[int, Range(0, 24)]
Share = Annotated[float, Range(0, 1)]
Error = Annotated[float, Range(1e-9, 1, without="high")]
"""the chance of an error that a test may make"""
Fraction = Annotated[float, Range(0, 1, without="both")]
Seed = Annotated[int, Range(0, 2**63 - 1)]
Game = Annotated[int, Range(2, 0xFFFF)]
Count = Annotated[int, Range(1, 1_000_000)]
Minutes = Annotated[float, Range(0, YEAR)]


class Limits(NamedTuple):
    """What the type hint of a field says of its values."""

    range: Range
    whole: bool
    """only whole numbers"""
    optional: bool
    """None as well"""


@functools.cache
def ranges(kind: Hashable) -> dict[str, Limits]:
    """The limits of every field of a dataclass that declares a range."""
    found = {}
    for name, hint in get_type_hints(kind, include_extras=True).items():
        for part in (hint, *get_args(hint)):  # `Level | None` and `tuple[Level, ...]` have it one level down
            if get_origin(part) is Annotated:
                limits = [extra for extra in part.__metadata__ if isinstance(extra, Range)]
                if limits:
                    whole = float not in (part.__origin__, *get_args(part.__origin__))
                    found[name] = Limits(limits[0], whole, NoneType in get_args(hint))
                    break
    return found


@functools.cache
def choices(kind: Hashable) -> dict[str, tuple[Any, ...]]:
    """What the fields of a dataclass that are a Literal, or have several, may be; None for those that may."""
    found = {}
    for name, hint in get_type_hints(kind).items():
        for part in (hint, *get_args(hint)):
            if get_origin(part) is Literal:
                found[name] = get_args(part) + ((None,) if NoneType in get_args(hint) else ())
    return found


def check_ranges(config: Any, prefix: str = "") -> None:
    """ValueError with name, value and what is allowed for the first number of a dataclass that is out of its range, or
    word that is none of its Literal.

    None is for fields whose type hint has it; of a tuple, every number is looked at. Numbers of other types (NumPy's,
    fractions) become Python's, which JSON can hold.
    """
    kind: Any = type(config)
    for name, allowed in choices(kind).items():
        given: Any = getattr(config, name)
        for value in given if isinstance(given, tuple) else (given,):
            if value not in allowed:
                raise ValueError(f"{prefix}{name} must be one of {', '.join(map(str, allowed))}, got {value!r}")
    for name, (limits, whole, optional) in ranges(kind).items():
        given = getattr(config, name)
        if given is None and optional:
            continue
        numbers = given if isinstance(given, tuple) else (given,)
        for value in numbers:
            wanted_type: type = Integral if whole else Real
            if isinstance(value, bool) or not isinstance(value, wanted_type):
                wanted = "a whole number" if whole else "a number"
                raise ValueError(f"{prefix}{name} must be {wanted} {limits}, got {value!r}")
            if not limits.holds(value):
                raise ValueError(f"{prefix}{name} must be {limits}, got {value!r}")
        if any(type(value) not in (int, float) for value in numbers):
            plain = tuple(int(value) if isinstance(value, Integral) else float(value) for value in numbers)
            object.__setattr__(config, name, plain if isinstance(given, tuple) else plain[0])
