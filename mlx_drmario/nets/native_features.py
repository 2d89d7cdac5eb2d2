"""The features head in NumPy, forward and backward: `FeaturesHead.of_rows` and its gradient (see nets/native.py).

Rows are taken in pieces that stay in the processor's cache, and every piece is a few matrix products.

Axis letters: B decisions, K channels, M legal placements of all of them together (ragged), F facts, H hidden units.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import mlx.core as mx
import numpy as np

from mlx_drmario.nets.features import FeaturesHead
from mlx_drmario.nets.heads import ORIENTATIONS, SECOND
from mlx_drmario.spec import CELLS, COLS, ROWS

ROWS_AT_ONCE = 1024
"""Rows of a piece: 64 units of so many are 256 KiB (docs/LOG.md has the times of other sizes)."""


class Piece(NamedTuple):
    """Some rows on their way through the head."""

    rows: slice
    inputs: np.ndarray  # f32[m, 2 K + F + 4]: both halves' cells, facts, orientation
    first: np.ndarray  # f32[m, H], after the first layer
    mixed: np.ndarray  # f32[m, H], after the second


class FeaturesRows:
    """The rows of one batch, with what their gradient needs."""

    def __init__(
        self,
        head: FeaturesHead,
        cells: np.ndarray,
        vector: np.ndarray,
        after: tuple[np.ndarray, np.ndarray, np.ndarray],
    ) -> None:
        """cells f32[B, 16, 8, K], vector f32[B, V] of the encoder; after is (decision i32[M], action i32[M],
        facts f32[M, F]), decisions ascending; rows of decision B are padding."""
        self.channels = cells.shape[3]
        self.cells = cells.reshape(-1, self.channels)
        decision, action, facts = (column[: np.searchsorted(after[0], len(cells))] for column in after)
        self.padding = len(after[0]) - len(decision)
        self.vector, self.summary = vector, np.asarray(head.summary.weight)
        self.of_all = vector @ self.summary.T
        self.decision, self.facts, self.orientation = decision, facts, action // CELLS
        step = np.array(SECOND)[self.orientation]
        row, column = action % CELLS // COLS + step[:, 0], action % COLS + step[:, 1]
        self.inside = (row >= 0) & (row < ROWS)
        self.at = np.stack([decision * CELLS + action % CELLS, decision * CELLS + row * COLS + column])
        self.at[1] *= self.inside  # any cell will do above the bottle
        self.starts = np.flatnonzero(np.diff(decision, prepend=-1))
        self.counts = np.diff(self.starts, append=len(decision))
        halves = np.asarray(head.halves.weight).reshape(2, head.hidden, self.channels).swapaxes(1, 2)
        told = np.asarray(head.told.weight).T
        orientation = np.asarray(head.orientation) + np.asarray(head.told.bias)  # one of them is always added
        self.weights = np.concatenate([*halves, told, orientation])
        self.mix, self.mix_bias = np.asarray(head.mix.weight), np.asarray(head.mix.bias)
        self.score, self.score_bias = np.asarray(head.score.weight)[0], np.asarray(head.score.bias)
        self.pieces: list[Piece] = []

    def log_probs(self) -> np.ndarray:
        """f32[M], as `FeaturesHead.of_rows`; 0 for padding."""
        self.pieces = list(self._pieces())
        scores = [(piece.first + piece.mixed) @ self.score for piece in self.pieces]
        said = np.concatenate([*scores, np.zeros(self.padding, np.float32)])
        if len(self.starts):
            rows = said[: len(self.orientation)]
            rows += self.score_bias
            rows -= np.repeat(np.maximum.reduceat(rows, self.starts), self.counts)
            rows -= np.repeat(np.log(np.add.reduceat(np.exp(rows), self.starts)), self.counts)
        return said

    def gradient(
        self, log_probs: np.ndarray, of_log_probs: np.ndarray
    ) -> tuple[dict[str, Any], np.ndarray, np.ndarray]:
        """The gradients of the head's weights, as MLX arrays by name, of the cells f32[B * 128, K] and of the vector.

        log_probs is what `log_probs` returned, of_log_probs f32[M] its gradient.
        """
        rows = len(self.orientation)
        of_score = of_log_probs[:rows].copy()
        if rows:
            total = np.repeat(np.add.reduceat(of_score, self.starts), self.counts)
            of_score -= np.exp(log_probs[:rows]) * total
        of_weights, of_mix = np.zeros_like(self.weights), np.zeros_like(self.mix)
        of_mix_bias, of_final = np.zeros_like(self.mix_bias), np.zeros_like(self.score)
        of_cells, of_all = np.zeros_like(self.cells), np.zeros_like(self.of_all)
        for piece in self.pieces:
            pull = of_score[piece.rows]
            of_final += pull @ (piece.first + piece.mixed)
            back = pull[:, None] * self.score
            through = back * (piece.mixed > 0)
            of_mix += through.T @ piece.first
            of_mix_bias += through.sum(axis=0)
            back += through @ self.mix
            back *= piece.first > 0
            of_weights += piece.inputs.T @ back
            self._add_to_cells(of_cells, piece, back)
            add_rows(of_all, self.decision[piece.rows], back)
        tree = self._tree(of_weights, of_mix, of_mix_bias, of_final, of_score)
        tree["summary"] = {"weight": mx.array(of_all.T @ self.vector)}
        return tree, of_cells, of_all @ self.summary

    def _pieces(self) -> Iterator[Piece]:
        width, facts = self.channels, self.facts.shape[1]
        for start in range(0, len(self.orientation), ROWS_AT_ONCE):
            rows = slice(start, min(start + ROWS_AT_ONCE, len(self.orientation)))
            inputs = np.zeros((rows.stop - start, len(self.weights)), np.float32)
            inputs[:, :width] = self.cells[self.at[0, rows]]
            inputs[:, width : 2 * width] = self.cells[self.at[1, rows]]
            inputs[~self.inside[rows], width : 2 * width] = 0
            inputs[:, 2 * width : 2 * width + facts] = self.facts[rows]
            inputs[np.arange(len(inputs)), 2 * width + facts + self.orientation[rows]] = 1
            first = inputs @ self.weights
            first += self.of_all[self.decision[rows]]
            np.maximum(first, 0, out=first)
            mixed = first @ self.mix.T
            mixed += self.mix_bias
            np.maximum(mixed, 0, out=mixed)
            yield Piece(rows, inputs, first, mixed)

    def _add_to_cells(self, of_cells: np.ndarray, piece: Piece, back: np.ndarray) -> None:
        """Add what comes back f32[m, H] to the cells that the rows of a piece read; several may read the same one."""
        of_halves = back @ self.weights[: 2 * self.channels].T
        inside = self.inside[piece.rows]
        at = np.concatenate([self.at[0, piece.rows], self.at[1, piece.rows][inside]])
        each = np.concatenate([of_halves[:, : self.channels], of_halves[inside, self.channels :]])
        order = np.argsort(at, kind="stable")
        add_rows(of_cells, at[order], each[order])

    def _tree(
        self,
        of_weights: np.ndarray,
        of_mix: np.ndarray,
        of_mix_bias: np.ndarray,
        of_final: np.ndarray,
        of_score: np.ndarray,
    ) -> dict[str, Any]:
        """The gradients under the names of the head's parameters."""
        halves, told, orientation = np.split(of_weights, [2 * self.channels, -ORIENTATIONS])
        halves = halves.reshape(2, self.channels, -1).swapaxes(1, 2).reshape(-1, self.channels)
        return {
            "halves": {"weight": mx.array(halves)},
            "told": {"weight": mx.array(told.T), "bias": mx.array(orientation.sum(axis=0))},
            "orientation": mx.array(orientation),
            "mix": {"weight": mx.array(of_mix), "bias": mx.array(of_mix_bias)},
            "score": {"weight": mx.array(of_final[None]), "bias": mx.array(of_score.sum(keepdims=True))},
        }


def add_rows(totals: np.ndarray, at: np.ndarray, rows: np.ndarray) -> None:
    """totals[at[i]] += rows[i], f32[m, n], for all i; `at` i64[m] ascends."""
    starts = np.flatnonzero(np.diff(at, prepend=-1))
    totals[at[starts]] += np.add.reduceat(rows, starts)
