// What a network of one block reads off its cells, forward and backward: log-probabilities of the legal placements by
// the scores of the two cells that each fills (nets/encoder.py, nets/heads.py).
//
// Axis letters: B decisions, K channels, M legal placements of all decisions together, F facts of each.
#pragma once

#include "placements.h"

namespace drm {

inline constexpr int kMaps = 8;  // scores per cell: as the first half by orientation, then as the second

// Weights, or their gradients.
template <typename Float>
struct ReadoutWeights {
  Float* halves;       // [B][kMaps][K]
  Float* orientation;  // [kOrientations]
  Float* gain;         // [F]
};

struct Readout {
  int batch, width;    // B, K
  const float* cells;  // [B][16][8][K]
  Placements placements;
  ReadoutWeights<const float> weights;
};

// log_probs [M] of the placements, 0 for padding.
void read_out(const Readout& of, float* log_probs);

// The gradients of cells and weights for that of log_probs, which read_out made.
void read_out_gradient(const Readout& of, const float* log_probs, const float* of_log_probs, float* of_cells,
                       const ReadoutWeights<float>& gradients);

}  // namespace drm
