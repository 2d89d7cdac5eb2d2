"""Settings of a dataclass from a YAML file and from environment variables, checked field by field (no MLX here).

A later layer overrides an earlier one: preset < YAML file < environment < command line. The first three meet here; the
last is tyro's. Everything follows the fields and type hints of the dataclass, so a new field needs nothing here.
"""

from __future__ import annotations

import dataclasses
import difflib
import re
import types
import typing
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

PREFIX = "DRMARIO_"
"""Environment variables that start so are settings: DRMARIO_PPO__LEARNING_RATE is ppo.learning_rate."""

Config = TypeVar("Config")


class Setting(NamedTuple):
    """A value of the field's type, and where it came from."""

    value: Any
    source: str


def layered(base: Config, file: Path | None, environ: Mapping[str, str]) -> Config:
    """Return `base`, a frozen dataclass, with the file's settings and then the environment's.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is not YAML, a key is unknown, a value has the wrong type, or the dataclass refuses it.
    """
    found: dict[str, Setting] = {} if file is None else from_yaml(file, type(base))
    for key, setting in from_environment(environ, type(base)).items():
        inside = [other for other in found if other.startswith(f"{key}.") or key.startswith(f"{other}.")]
        found = {other: found[other] for other in found if other not in inside} | {key: setting}
    try:
        applied: Config = _apply(type(base), base, {key: setting.value for key, setting in found.items()})
    except ValueError as error:
        named = [s.source for key, s in found.items() if re.search(rf"(?<![\w.]){re.escape(key)}(?![\w.])", str(error))]
        sources = dict.fromkeys(named or [setting.source for setting in found.values()])
        raise ValueError(f"{', '.join(sources)}: {error}") from None
    return applied


def from_yaml(path: Path, cls: type) -> dict[str, Setting]:
    """Read a file that nests as the dataclass does; the result has dotted keys. Raises as `layered` does."""
    import yaml

    content = path.read_bytes()
    try:
        data = yaml.safe_load(content)
    except (yaml.YAMLError, ValueError) as error:
        raise ValueError(f"{path} is not YAML: {' '.join(str(error).split())}") from None
    if data is None:
        return {}
    if not isinstance(data, Mapping):
        raise ValueError(f"{path} must hold a mapping of settings, got {_shown(data)}")
    return {key: Setting(value, str(path)) for key, value in _read(cls, data, str(path)).items()}


def from_environment(environ: Mapping[str, str], cls: type) -> dict[str, Setting]:
    """Read the variables that start with DRMARIO_; the result has dotted keys. Raises ValueError as `layered` does."""
    hints = _hints(cls)
    found = {}
    for name in sorted(environ):
        if not name.startswith(PREFIX):
            continue
        key = name.removeprefix(PREFIX).lower().replace("__", ".")
        if key not in hints or name != variable(key):
            raise ValueError(_unknown(key, hints, name, variable))
        found[key] = Setting(_checked(environ[name], hints[key], key, name, text=True), name)
    return found


def variable(key: str) -> str:
    """The environment variable of a dotted key."""
    return PREFIX + key.replace(".", "__").upper()


def _hints(cls: type, prefix: str = "") -> dict[str, Any]:
    """The type hint of every dotted key, groups of settings included."""
    hints = {}
    resolved = typing.get_type_hints(cls)
    for field in dataclasses.fields(cls):
        key = prefix + field.name
        hints[key] = resolved[field.name]
        group = _group(hints[key])
        if group is not None:
            hints |= _hints(group, f"{key}.")
    return hints


def _members(hint: Any) -> tuple[Any, ...]:
    """The alternatives of a union; any other hint is its own only one."""
    return typing.get_args(hint) if typing.get_origin(hint) in (typing.Union, types.UnionType) else (hint,)


def _group(hint: Any) -> type | None:
    """The dataclass whose fields such a key nests, if there is exactly one."""
    groups = [member for member in _members(hint) if dataclasses.is_dataclass(member)]
    return typing.cast(type, groups[0]) if len(groups) == 1 else None


def _read(cls: type, data: Mapping[Any, Any], source: str) -> dict[str, Any]:
    """Flatten a nested mapping to dotted keys with checked values."""
    hints = _hints(cls)
    flat: dict[str, Any] = {}

    def walk(part: Mapping[Any, Any], prefix: str) -> None:
        for name, value in part.items():
            key = f"{prefix}{name}"
            if key not in hints or "." in str(name):
                raise ValueError(_unknown(key, hints, source))
            if _group(hints[key]) is not None and isinstance(value, Mapping):
                walk(value, f"{key}.")
            else:
                flat[key] = _checked(value, hints[key], key, source)

    walk(data, "")
    return flat


def _unknown(key: str, hints: Mapping[str, Any], source: str, spell: Callable[[str], str] = str) -> str:
    nearest = difflib.get_close_matches(key, hints, n=1, cutoff=0.0)[0]
    return f"{source}: there is no setting {key!r}. Did you mean {spell(nearest)!r}?"


class _Mismatch(Exception):
    """A value does not fit a type hint."""


def _checked(value: Any, hint: Any, key: str, source: str, text: bool = False) -> Any:
    try:
        return _convert(value, hint, source, text)
    except _Mismatch:
        raise ValueError(f"{source}: {key} must be {_allowed(hint)}, got {_shown(value)}") from None


def _convert(value: Any, hint: Any, source: str, text: bool = False) -> Any:
    """Return the value in the hint's type, or raise _Mismatch.

    `text` says that the value is a variable's text, which is never a whole group.
    """
    members, origin = _members(hint), typing.get_origin(hint)
    if len(members) > 1:
        return _first(value, members, source, text)
    if origin is typing.Literal:
        matching = [choice for choice in typing.get_args(hint) if (type(choice), choice) == (type(value), value)]
        return _one(matching) if matching or not text else _convert(_scalar(value), hint, source)
    if hint in (str, Path) and isinstance(value, str):
        return hint(value)
    if text:
        value = _scalar(value)
    if hint is float and isinstance(value, int | float | str) and not isinstance(value, bool):
        return _number(value)
    if origin in (tuple, list) and isinstance(value, list | tuple):
        return _sequence(value, hint, source)
    if dataclasses.is_dataclass(hint) and isinstance(value, Mapping) and not text:
        return _apply(typing.cast(type, hint), None, _read(typing.cast(type, hint), value, source))
    if hint in (int, bool, types.NoneType) and type(value) is hint:
        return value
    raise _Mismatch


def _first(value: Any, members: tuple[Any, ...], source: str, text: bool) -> Any:
    """The first alternative that fits; nothing at all before text that says "null" or "none"."""
    if text and types.NoneType in members and value.lower() in ("", "none", "null"):
        return None
    for member in members:
        try:
            return _convert(value, member, source, text)
        except _Mismatch:
            continue
    raise _Mismatch


def _one(matching: list[Any]) -> Any:
    if not matching:
        raise _Mismatch
    return matching[0]


def _scalar(text: str) -> Any:
    """A variable's text as YAML reads it."""
    import yaml

    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError):
        raise _Mismatch from None


def _number(value: int | float | str) -> float:
    """A float; also from text, because YAML 1.1 takes 3e-4 (without a point) for text."""
    try:
        number = float(value)
    except (ValueError, OverflowError):
        raise _Mismatch from None
    if number != number:
        raise _Mismatch
    return number


def _sequence(values: Any, hint: Any, source: str) -> Any:
    origin, items = typing.get_origin(hint), typing.get_args(hint)
    if origin is list or items[-1] is Ellipsis:
        items = (items[0],) * len(values)
    if len(items) != len(values):
        raise _Mismatch
    return origin(_convert(value, item, source) for value, item in zip(values, items, strict=True))


def _apply(cls: type, base: Any, flat: Mapping[str, Any]) -> Any:
    """Replace dotted keys in a dataclass, all of a group at once; without a base, start from the class's defaults."""
    hints = typing.get_type_hints(cls)
    values: dict[str, Any] = {}
    groups: dict[str, dict[str, Any]] = {}
    for key, value in flat.items():
        name, _, rest = key.partition(".")
        if rest:
            groups.setdefault(name, {})[rest] = value
        else:
            values[name] = value
    for name, inner in groups.items():
        group = _group(hints[name])
        assert group is not None  # a dotted key exists only where `_hints` found a group
        values[name] = _apply(group, getattr(base, name, None), inner)
    return cls(**values) if base is None else dataclasses.replace(base, **values)


def _allowed(hint: Any) -> str:
    """What a type hint allows, in words."""
    names = {int: "a whole number", float: "a number", bool: "true or false", str: "text", Path: "a path"}
    origin = typing.get_origin(hint)
    if len(_members(hint)) > 1:
        return " or ".join(_allowed(member) for member in _members(hint))
    if origin is typing.Literal:
        return "one of " + ", ".join(str(choice) for choice in typing.get_args(hint))
    if origin in (tuple, list):
        items = [_allowed(item) for item in typing.get_args(hint) if item is not Ellipsis]
        return f"a list of {', '.join(items)}"
    if dataclasses.is_dataclass(hint):
        return "a group with " + ", ".join(field.name for field in dataclasses.fields(hint))
    return "null" if hint is types.NoneType else names.get(hint, str(hint))


def _shown(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else shown[:57] + "..."
