"""Settings as nested frozen dataclasses: from JSON, from a YAML file, from environment variables, checked by pydantic.

A later layer overrides an earlier one: preset < YAML file < environment < command line. The first three meet in
`layered`; the last is tyro's. Everything follows the fields and type hints of the dataclass, so a new field needs
nothing here. Pydantic takes 80 ms to import, so only those pay who read settings.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

STRICT = {"extra": "forbid", "strict": True, "allow_inf_nan": False}
"""`__pydantic_config__` of every dataclass that is read here: no unknown names, no "3" or true for 3."""

PREFIX = "DRMARIO_"
"""Environment variables that start so are settings: DRMARIO_PPO__LEARNING_RATE is ppo.learning_rate."""

ABSENT = "(absent)"
"""What `difference` reports for a key that one side does not have."""

Config = TypeVar("Config")


def to_json(config: Any) -> str:
    """Every field of a dataclass."""
    return json.dumps(dataclasses.asdict(config), indent=2, default=_path) + "\n"


def _path(value: Any) -> str:
    """What JSON does not know and settings may be."""
    if not isinstance(value, Path):
        raise TypeError(f"settings must be plain values and paths, got {value!r} of {type(value).__name__}")
    return str(value)


def from_json(text: str | bytes, cls: type[Config]) -> Config:
    """Undo `to_json`; missing keys take their defaults. Raises ValueError for anything that does not fit."""
    return _build(cls, json.loads(text), {})


def layered(base: Config, file: Path | None, environ: Mapping[str, str]) -> Config:
    """Return `base` with the file's settings and then the environment's.

    Where the dataclass says `replaces`, a layer that gives the one setting and not the other puts the other out of use:
    a budget in decisions would mean nothing beside the minutes of a preset.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is not YAML, a key is unknown, a value has the wrong type, or the dataclass refuses it.
    """
    data: dict[str, Any] = json.loads(to_json(base))
    known = _keys(data)
    replaces = getattr(type(base), "replaces", {})
    sources: dict[str, str] = {}

    def add(layer: dict[str, Any], source: str) -> None:
        try:
            json.dumps(layer, default=str)
        except (ValueError, RecursionError):
            raise ValueError(f"{source}: it holds a list or a mapping that holds itself") from None
        for key, value in flatten(layer).items():
            if value == "":  # a path of no letters would be the directory where one is
                raise ValueError(f"{source}: {key} must not be empty")
        gone = {key: value for one in layer for key, value in replaces.get(one, {}).items()}
        _merge(data, gone | layer, source, sources)

    if file is not None:
        add(_read(file), str(file))
    for name in sorted(environ):
        if name.startswith(PREFIX):
            key = name.removeprefix(PREFIX).lower().replace("__", ".")
            if key not in known or name != variable(key):
                raise ValueError(f"{name}: {_unknown(key, known, variable)}")
            add(_nested(key, _scalar(name, environ[name], known[key])), name)
    return _build(type(base), data, sources) if sources else base


def variable(key: str) -> str:
    """The environment variable of a dotted key."""
    return PREFIX + key.replace(".", "__").upper()


def flatten(data: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Dotted keys, as on the command line: {"ppo": {"gamma": 0.9}} becomes {"ppo.gamma": 0.9}."""
    flat: dict[str, Any] = {}
    for key, value in data.items():
        flat |= flatten(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return flat


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """The keys whose values differ, with both values; `ABSENT` stands in where one side has no such key."""
    keys = [*before, *(key for key in after if key not in before)]
    pairs = {key: (before.get(key, ABSENT), after.get(key, ABSENT)) for key in keys}
    return {key: (old, new) for key, (old, new) in pairs.items() if old != new}


def _build(cls: type[Config], data: Any, sources: Mapping[str, str]) -> Config:
    """The dataclass, or ValueError with one sentence that names the sources of what is wrong."""
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(cls).validate_json(json.dumps(data, default=str))
    except ValidationError as error:
        first = error.errors()[0]
    key = ".".join(map(str, first["loc"]))
    if first["type"] == "value_error":  # the dataclass itself refused, and says what
        sentence = str(first["ctx"]["error"])
    elif first["type"] == "unexpected_keyword_argument":
        known = _keys(json.loads(to_json(cls())))
        sentence = _unknown(key, known, str)
    else:
        problem = re.sub("^Input ", "", first["msg"])
        sentence = f"{key or 'a config'} {problem[0].lower()}{problem[1:]}, got {_shown(first['input'])}"
    named = [source for at, source in sources.items() if re.search(rf"(?<![\w.]){re.escape(at)}(?![\w])", sentence)]
    where = ", ".join(dict.fromkeys(named or sources.values()))
    raise ValueError(f"{where}: {sentence}" if where else sentence)


def _read(file: Path) -> dict[str, Any]:
    import yaml

    try:
        data = yaml.load(file.read_bytes(), _yaml_loader())
    except _GivenTwice as error:
        raise ValueError(f"{file}: {error}") from None
    except (yaml.YAMLError, ValueError) as error:
        raise ValueError(f"{file} is not YAML: {' '.join(str(error).split())}") from None
    if data is not None and not isinstance(data, dict):
        raise ValueError(f"{file} must hold a mapping of settings, got {_shown(data)}")
    return {str(key): value for key, value in (data or {}).items()}


class _GivenTwice(ValueError):
    """A mapping that has a key twice, so that one value would be lost."""


NUMBERS = {
    "tag:yaml.org,2002:int": r"[-+]?[0-9]+\Z",
    "tag:yaml.org,2002:float": (
        r"([-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))\Z"
    ),
}
"""Decimal numbers as in the core schema of YAML 1.2; the first that matches counts."""


def _yaml_loader() -> Any:
    """YAML as PyYAML reads it safely, but for numbers: by YAML 1.1 010 would be 8, 1:30 would be 90, and 3e-4 text.

    A key that is given twice raises _GivenTwice.
    """
    import yaml

    class Loader(yaml.SafeLoader):
        def compose_mapping_node(self, anchor: Any) -> Any:
            node = super().compose_mapping_node(anchor)
            keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
            for key in keys:
                if keys.count(key) > 1:
                    raise _GivenTwice(f"the setting {key!r} is given twice")
            return node

        def construct_yaml_int(self, node: Any) -> int:
            return int(self.construct_scalar(node))

    Loader.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in known if tag not in NUMBERS]
        for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    for tag, pattern in NUMBERS.items():
        Loader.add_implicit_resolver(tag, re.compile(pattern), list("-+.0123456789"))
    Loader.add_constructor("tag:yaml.org,2002:int", Loader.construct_yaml_int)
    return Loader


def _scalar(name: str, text: str, before: Any) -> Any:
    """A variable's text as YAML reads it; a setting that is text now stays text, and "none" is nothing."""
    import yaml

    if isinstance(before, str):
        return text
    try:
        return None if text.lower() == "none" else yaml.load(text, _yaml_loader())
    except _GivenTwice as error:
        raise ValueError(f"{name}: {error}") from None
    except (yaml.YAMLError, ValueError):
        return text  # which no setting but text accepts


def _merge(
    data: dict[str, Any], more: Mapping[str, Any], source: str, sources: dict[str, str], prefix: str = ""
) -> None:
    """Put `more` into `data`, group by group, and note where each dotted key came from."""
    for name, value in more.items():
        key = f"{prefix}{name}"
        group = data.get(name)
        if isinstance(group, dict) and isinstance(value, Mapping):
            _merge(group, {str(inner): item for inner, item in value.items()}, source, sources, f"{key}.")
        else:
            data[name] = value
            sources[key] = source


def _nested(key: str, value: Any) -> dict[str, Any]:
    """{"ppo.gamma": 0.9} as {"ppo": {"gamma": 0.9}}."""
    for name in reversed(key.split(".")):
        value = {name: value}
    return dict(value)


def _keys(data: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Every dotted key with its value, groups included."""
    found = {}
    for name, value in data.items():
        found[f"{prefix}{name}"] = value
        if isinstance(value, Mapping):
            found |= _keys(value, f"{prefix}{name}.")
    return found


def _unknown(key: str, known: Mapping[str, Any], spell: Callable[[str], str]) -> str:
    near = map(spell, difflib.get_close_matches(key, known, n=2, cutoff=0.0))
    return f"there is no setting {key!r}. Did you mean {next(other for other in near if other != key)!r}?"


def _shown(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else shown[:57] + "..."
