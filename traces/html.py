"""One web page that plays recorded games: bottle, scrub bar, events, the policy's choices and its evaluation.

The page is `page.html` with the games written into it, frame by frame; it loads nothing from anywhere.
"""

import base64
import json
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import mlx_drmario as dm
from mlx_drmario.evaluate import FRAME_RATE
from mlx_drmario.files import replacing
from mlx_drmario.spec import FALL, HANDOVER, PLAY, SPEED_NAMES
from mlx_drmario.traces import replay, schema
from mlx_drmario.traces.games import Games, require_recorded
from mlx_drmario.traces.schema import OUTCOMES

TEMPLATE = Path(__file__).with_name("page.html")
MARK = "/*GAMES*/null"
"""what the games take the place of"""
FIELDS = (
    *("bottle", "next_action", "pill_x", "pill_y", "pill_rotation"),
    *("pill_color_l", "pill_color_r", "next_color_l", "next_color_r"),
)
EVENTS = ("viruses_cleared", "halves_cleared", "combos", "cascade", "attack_sent", "garbage_received")
"""event columns that the page tells"""


def write(out: Path | str, games: Games, episodes: Sequence[int], title: str) -> int:
    """Write the page of some episodes; returns its size in bytes.

    Raises ValueError for an episode that does not replay, or none at all.
    """
    if not len(episodes):
        raise ValueError("episodes is empty; a page needs at least one game")
    pages = []
    for e in episodes:
        try:
            pages.append(game(games, e))
        except ValueError as error:
            raise ValueError(f"episode {e}: {error}") from error
    data = {"title": title, "version": dm.__version__, "rate": FRAME_RATE, "games": pages}
    # "<" cannot then end the script that holds the text, whatever a policy is called.
    text = json.dumps(data, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    page = TEMPLATE.read_text(encoding="utf-8").replace(MARK, text).encode()
    with replacing(Path(out)) as temporary:
        temporary.write_bytes(page)
    return len(page)


def game(games: Games, e: int) -> dict[str, Any]:
    """An episode as plain JSON values; arrays of bytes are deflated and in base 64."""
    table, players = games.episode, games.players
    start = games.start[e : e + 1]
    buttons = replay.buttons_of(games, e)
    require_recorded(games, e)
    names = [f"p{seat + 1}_{name}" for seat in range(players) for name in FIELDS]
    batch = dm.Batch(num_envs=1, players=players, threads=1)
    batch.set_state(start)
    played = batch.run(buttons[:, None, :].copy(), record=("mode", *names))
    track = {name: np.concatenate([np.asarray(start[name]), np.asarray(rows)[:, 0]]) for name, rows in played.items()}
    seats = [_seat(games, e, seat, track) for seat in range(players)]
    level, speed = np.atleast_1d(table["level"][e]), np.atleast_1d(table["speed"][e])
    policy = np.atleast_1d(table["policy"][e])
    return {
        "number": e,
        "level": level.tolist(),
        "speed": [SPEED_NAMES[s].upper() for s in speed],
        "seed": int(table["seed"][e]),
        "custom": bool(table["custom"][e]),
        "policy": schema.decoded(policy).tolist(),
        "outcome": OUTCOMES[int(table["outcome"][e])],
        "winner": int(table["winner"][e]),
        "frames": len(buttons),
        "clear": int(table["frames"][e]),
        "seats": seats,
    }


def _seat(games: Games, e: int, seat: int, track: dict[str, NDArray[Any]]) -> dict[str, Any]:
    """What one player's side of the page shows."""

    def field(name: str) -> NDArray[Any]:
        return track[f"p{seat + 1}_{name}"]

    in_air = np.isin(field("next_action"), (FALL, HANDOVER)) & (track["mode"] == PLAY)
    pose = field("pill_x") | field("pill_y") << 3  # seven bits
    turn = np.where(in_air, field("pill_rotation") | 4, 0).astype(np.uint8)
    colors = (3 * field("pill_color_l") + field("pill_color_r")).astype(np.uint8)
    preview = (3 * field("next_color_l") + field("next_color_r")).astype(np.uint8)
    bottle = field("bottle")
    frame, cell = np.nonzero(bottle[1:] != bottle[:-1])
    changes = [(frame + 1).astype("<u4").view(np.uint8), cell.astype(np.uint8), bottle[frame + 1, cell]]
    return {
        "bottle": _packed(bottle[0]),
        "changes": len(frame),
        "cells": _packed(np.concatenate(changes)),
        "capsule": _packed(np.concatenate([pose.astype(np.uint8), turn, colors, preview])),
        "decisions": _decisions(games, e, seat, track),
    }


def _decisions(games: Games, e: int, seat: int, track: dict[str, NDArray[Any]]) -> dict[str, Any]:
    rows = {name: column[games.decisions_of(e)] for name, column in games.decision.items()}
    own = rows["player"] == seat
    rows = {name: column[own] for name, column in rows.items()}
    falling = (track[f"p{seat + 1}_next_action"] == FALL) & (track["mode"] == PLAY)
    begin = np.flatnonzero(falling & ~np.concatenate([[False], falling[:-1]]))[: len(own)]
    first = int(begin[0]) if len(begin) else 0
    tau = rows["tau"].astype(np.int64)
    decisions: dict[str, Any] = {"frame": (first + np.cumsum(tau) - tau).tolist(), "action": rows["action"].tolist()}
    decisions |= {name: rows[name].tolist() for name in EVENTS if rows[name].any()}
    for name in ("log_prob", "value"):
        if np.isfinite(rows[name]).any():
            decisions[name] = _numbers(rows[name])
    if np.isfinite(rows["value_band"]).any():
        decisions["band"] = [_numbers(rows["value_band"][:, i]) for i in range(2)]
    if (rows["top_action"] >= 0).any():
        decisions["top"] = rows["top_action"].tolist()
        decisions["chance"] = [_numbers(np.exp(row)) for row in rows["top_log_prob"]]
    return decisions


def _numbers(column: NDArray[Any]) -> list[float | None]:
    """Four digits are enough for a picture; what is not known is null."""
    return [float(f"{value:.4g}") if np.isfinite(value) else None for value in column]


def _packed(array: NDArray[np.uint8]) -> str:
    return base64.b64encode(zlib.compress(array.tobytes(), 9)).decode()
