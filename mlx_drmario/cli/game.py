"""A game as an option: the state of the console's random generator, decimal or hexadecimal."""

from typing import Annotated

from tyro.constructors import PrimitiveConstructorSpec

from mlx_drmario.ranges import Game


def parse_seed(text: str) -> int:
    """A whole number, decimal or with 0x; ValueError otherwise."""
    try:
        return int(text, 16 if text.lower().startswith("0x") else 10)
    except ValueError:
        raise ValueError(f"seed must be a whole number, got {text!r}") from None


GameSeed = Annotated[
    Game,
    PrimitiveConstructorSpec(
        nargs=1,
        metavar="INT",
        instance_from_str=lambda words: parse_seed(words[0]),
        is_instance=lambda value: isinstance(value, int),
        str_from_instance=lambda seed: [f"0x{seed:04x}"],
    ),
]
"""`ranges.Game`, as every command reads it from its line."""
