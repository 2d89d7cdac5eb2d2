// The features head, forward and backward (nets/features.py): a small network over every legal placement, which reads
// the two cells that its halves will lie on, facts of it, its orientation and what its decision adds to all.
//
// Placements of a decision share cells (a capsule and its reverse lie on the same two), so the weights of a cell are
// multiplied once for all that read it, and gradients come back to it once.
//
// Axis letters: B decisions, K channels, H hidden units, M legal placements of all decisions together, F facts of each.
#pragma once

#include "placements.h"

namespace drm {

// Weights, or their gradients.
template <typename Float>
struct JudgeWeights {
  Float* halves;       // [2][H][K], of the first half's cell and of the second's
  Float* told;         // [H][F]
  Float* orientation;  // [4][H]
  Float* mix;          // [H][H], to and from
  Float* bias;         // [H], of mix
  Float* score;        // [H]
};

struct Judge {
  int batch, width, hidden;  // B, K, H
  const float* cells;        // [B][16][8][K]
  const float* shift;        // [B][H], added to every placement of a decision
  Placements placements;
  JudgeWeights<const float> weights;
};

// first = relu(halves cells + told facts + orientation + shift), mixed = relu(mix first + bias), both [M][H up to a
// multiple of 8] and not written for padding; log_probs [M] of score (first + mixed), 0 for padding.
void judge(const Judge& of, float* first, float* mixed, float* log_probs);

// The gradients of cells, shift and weights for that of log_probs, of what judge made.
void judge_gradient(const Judge& of, const float* first, const float* mixed, const float* log_probs,
                    const float* of_log_probs, float* of_cells, float* of_shift, const JudgeWeights<float>& gradients);

// The floats of a placement in `first` and in `mixed`.
int judged_size(int hidden);

}  // namespace drm
