"""Networks on a CPU: what is computed outside of MLX's graph, forward and backward, because that is faster.

The planes are 0 or 1, and few cells differ from the most frequent one, so the first block is sums of weights instead of
products (engine/first_block.h). What a network of one block reads off its cells follows while they are at hand
(engine/readout.h; engine/judge.h for the features head). Neither's gradient need go on to anything before it:
MLX's graph takes their results as inputs and returns the gradients of those.
"""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

import mlx.core as mx
import numpy as np

from mlx_drmario import _core
from mlx_drmario.nets.device import default_device
from mlx_drmario.nets.encoder import AxialEncoder
from mlx_drmario.nets.features import FeaturesHead
from mlx_drmario.nets.heads import ORIENTATIONS, Afterstates, Columns, Head, ShiftScoreHead
from mlx_drmario.nets.outcome import OutcomeHead
from mlx_drmario.nets.policy import ActorCritic
from mlx_drmario.nets.symmetry import canonical_order, permute_colors, relabelled


class Seen(NamedTuple):
    """What the first block makes of B decisions."""

    block: _core.FirstBlock  # its squeezed is f32[B, 0] if the graph squeezes
    scalars: np.ndarray  # f32[B, S], relabelled


class Looked(NamedTuple):
    """What is computed outside of the graph."""

    inputs: tuple[mx.array, ...]  # of the graph
    kept: tuple[Any, ...]  # for `complete`


class NativeBlock:
    """The first block of an axial encoder."""

    squeezes: ClassVar = False
    """Whether its cells are squeezed outside of the graph."""

    def __init__(self, model: ActorCritic) -> None:
        assert isinstance(model.encoder, AxialEncoder)
        self.model = model
        self.encoder = model.encoder

    def look(self, planes: np.ndarray, scalars: np.ndarray, after: Columns) -> Looked:
        """planes u8[B, C, 16, 8], scalars f32[B, S], and every legal placement."""
        seen = self._see(planes, scalars)
        return Looked((mx.array(seen.block.cells),), (seen,))

    def judge(self, inputs: tuple[mx.array, ...], scalars: mx.array, after: Afterstates) -> tuple[mx.array, mx.array]:
        """In the graph: as `ActorCritic.judge`, of `Looked.inputs`."""
        (cells,) = inputs
        return self.model.judge(cells, scalars, after)

    def value(self, planes: np.ndarray, scalars: np.ndarray) -> mx.array:
        """The values f32[B] alone."""
        return self.model.value_of_seen(mx.array(self._see(planes, scalars).block.cells), mx.array(scalars))

    def complete(self, gradient: dict[str, Any], looked: Looked, of_inputs: tuple[mx.array, ...]) -> None:
        """Write the gradients of what is outside of the graph into `gradient`; of_inputs is that of `looked.inputs`."""
        (seen,), (of_cells,) = looked.kept, of_inputs
        self._complete(gradient, seen, np.asarray(of_cells), seen.block.squeezed)

    def _nowhere(self) -> Columns:
        """No placements."""
        none = np.zeros(0, np.int32)
        return none, none, np.zeros((0, len(self.model.facts)), np.float32)

    def _see(self, planes: np.ndarray, scalars: np.ndarray) -> Seen:
        layout, encoder, count = self.model.layout, self.encoder, planes.shape[1]
        source = np.tile(np.arange(count, dtype=np.int32), (len(planes), 1))
        if self.model.canonical:
            order = canonical_order(scalars, layout)
            source = relabelled(order, layout.plane_colors, count)
            scalars = permute_colors(scalars, order, layout.scalar_colors)
        shift = scalars @ np.asarray(encoder.from_scalars.weight).T + np.asarray(encoder.from_scalars.bias)
        mix = encoder.mix[0]
        kernels = encoder.stem_column.kernel, encoder.stem_row.kernel, encoder.position
        weights = (*kernels, shift, mix.weight, mix.bias, *self._squeeze())
        return Seen(_core.FirstBlock(planes, source, *map(np.asarray, weights)), scalars)

    def _squeeze(self) -> tuple[mx.array, mx.array]:
        """Weights and bias of what is squeezed outside of the graph: some or nothing."""
        squeeze, end = self.encoder.squeeze, None if self.squeezes else 0
        return squeeze.weight[:end], squeeze.bias[:end]

    def _complete(self, gradient: dict[str, Any], seen: Seen, of_cells: np.ndarray, of_squeezed: np.ndarray) -> None:
        """`complete`, for the gradients of a block's cells and of what is squeezed of them outside of the graph."""
        column, row, position, shift, weight, bias, *of_squeeze = seen.block.gradient(of_cells, of_squeezed)
        encoder = gradient["encoder"]
        if self.squeezes:
            encoder["squeeze"] = dict(zip(("weight", "bias"), map(mx.array, of_squeeze), strict=True))
        encoder["stem_column"]["kernel"], encoder["stem_row"]["kernel"] = mx.array(column), mx.array(row)
        encoder["position"] = mx.array(position)
        encoder["from_scalars"] = {"weight": mx.array(shift.T @ seen.scalars), "bias": mx.array(shift.sum(axis=0))}
        encoder["mix"][0] = {"weight": mx.array(weight), "bias": mx.array(bias)}


class NativeFeatures(NativeBlock):
    """All of a one-block network with a features head but the value."""

    squeezes = True

    def look(self, planes: np.ndarray, scalars: np.ndarray, after: Columns) -> Looked:
        seen, summarize = self._see(planes, scalars), self.encoder.summarize
        read = np.concatenate([seen.block.squeezed, seen.scalars], axis=1)
        vector = np.maximum(read @ np.asarray(summarize.weight).T + np.asarray(summarize.bias), 0)
        judged = self._judged(seen.block.cells, vector, after)
        return Looked((mx.array(vector), mx.array(judged.log_probs)), (seen, read, vector, judged))

    def _judged(self, cells: np.ndarray, vector: np.ndarray, after: Columns) -> _core.Judged:
        head = self.model.head
        assert isinstance(head, FeaturesHead)
        orientation = np.asarray(head.orientation) + np.asarray(head.told.bias)  # one of them is always added
        score = head.score.weight[0]  # its bias is nothing to a softmax
        weights = head.halves.weight, head.told.weight, orientation, head.mix.weight, head.mix.bias, score
        shift = vector @ np.asarray(head.summary.weight).T
        return _core.Judged(cells, shift, *after, *map(np.asarray, weights))

    def judge(self, inputs: tuple[mx.array, ...], scalars: mx.array, after: Afterstates) -> tuple[mx.array, mx.array]:
        vector, log_probs = inputs
        return log_probs, self.model.value_of_vector(vector)

    def value(self, planes: np.ndarray, scalars: np.ndarray) -> mx.array:
        return self.model.value_of_vector(self.look(planes, scalars, self._nowhere()).inputs[0])

    def complete(self, gradient: dict[str, Any], looked: Looked, of_inputs: tuple[mx.array, ...]) -> None:
        seen, read, vector, judged = looked.kept
        of_vector, of_log_probs = map(np.asarray, of_inputs)
        of_cells, shift, halves, told, orientation, mix, bias, score = judged.gradient(of_log_probs)
        gradient["head"] = {
            "halves": {"weight": mx.array(halves)},
            "told": {"weight": mx.array(told), "bias": mx.array(orientation.sum(axis=0))},
            "summary": {"weight": mx.array(shift.T @ vector)},
            "orientation": mx.array(orientation),
            "mix": {"weight": mx.array(mix), "bias": mx.array(bias)},
            # Of an array, so that nothing is left to compute: the gradient crosses to another thread.
            "score": {"weight": mx.array(score[None]), "bias": mx.array(np.zeros(1, np.float32))},
        }
        of_vector = (of_vector + shift @ np.asarray(self.model.head.summary.weight)) * (vector > 0)
        of_read = of_vector @ np.asarray(self.encoder.summarize.weight)
        self._complete(gradient, seen, of_cells, of_read[:, : seen.block.squeezed.shape[1]])
        summarize = {"weight": mx.array(of_vector.T @ read), "bias": mx.array(of_vector.sum(axis=0))}
        gradient["encoder"]["summarize"] = summarize


class NativeScores(NativeBlock):
    """All of a one-block network with a shift-score or outcome head but the summary vector and the value."""

    squeezes = True

    def judge(self, inputs: tuple[mx.array, ...], scalars: mx.array, after: Afterstates) -> tuple[mx.array, mx.array]:
        squeezed, log_probs = inputs
        return log_probs, self.model.value_of_squeezed(squeezed, scalars)

    def value(self, planes: np.ndarray, scalars: np.ndarray) -> mx.array:
        squeezed, _ = self.look(planes, scalars, self._nowhere()).inputs
        return self.model.value_of_squeezed(squeezed, mx.array(scalars))

    def look(self, planes: np.ndarray, scalars: np.ndarray, after: Columns) -> Looked:
        seen = self._see(planes, scalars)
        scored = _core.Scored(seen.block.cells, *after, *self._weights(seen.scalars))
        return Looked((mx.array(seen.block.squeezed), mx.array(scored.log_probs)), (seen, scored))

    def complete(self, gradient: dict[str, Any], looked: Looked, of_inputs: tuple[mx.array, ...]) -> None:
        seen, scored = looked.kept
        of_squeezed, of_log_probs = map(np.asarray, of_inputs)
        of_cells, halves, orientation, gain = scored.gradient(of_log_probs)
        self._complete(gradient, seen, of_cells, of_squeezed)
        head = gradient["head"]
        for name, start, of_half in zip(("first", "second"), self._colors, np.split(halves, 2, axis=1), strict=True):
            by_color = seen.scalars[:, start : start + 3].T @ of_half.reshape(len(of_half), -1)
            head[name] = mx.array(by_color.reshape(3, ORIENTATIONS, -1).swapaxes(1, 2).reshape(3, -1))
        head["orientation"] = mx.array(orientation)
        if isinstance(self.model.head, OutcomeHead):
            head["gain"] = mx.array(self.model.head.scale * gain)

    @property
    def _colors(self) -> tuple[int, ...]:
        """Where the colours of the capsule's halves begin among the scalars."""
        return self.model.layout.scalar_colors[:2]

    def _weights(self, scalars: np.ndarray) -> tuple[np.ndarray, ...]:
        """What `_core.Scored` takes after the placements."""
        head = self.model.head
        assert isinstance(head, ShiftScoreHead)
        halves = []
        for start, weights in zip(self._colors, (head.first, head.second), strict=True):
            by_color = np.asarray(weights).reshape(3, -1, ORIENTATIONS).swapaxes(1, 2)
            of_decisions = scalars[:, start : start + 3] @ by_color.reshape(3, -1)
            halves.append(of_decisions.reshape(len(scalars), ORIENTATIONS, -1))
        gain = head.scale * np.asarray(head.gain) if isinstance(head, OutcomeHead) else np.zeros(0, np.float32)
        return np.concatenate(halves, axis=1), np.asarray(head.orientation), gain


def native(model: ActorCritic) -> NativeBlock | None:
    """As much of a network as the engine computes faster, or None: on a GPU, and for other encoders."""
    encoder = model.encoder
    if not isinstance(encoder, AxialEncoder) or default_device() != mx.cpu:
        return None
    if len(encoder.mix) > 1:
        return NativeBlock(model)
    return NATIVE_HEADS.get(type(model.head), NativeBlock)(model)


NATIVE_HEADS: dict[type[Head], type[NativeBlock]] = {
    ShiftScoreHead: NativeScores,
    OutcomeHead: NativeScores,
    FeaturesHead: NativeFeatures,
}
"""What computes each head of a one-block network."""
