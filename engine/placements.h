// The legal placements of a batch of decisions, as networks read them: ragged, every decision has its own number.
#pragma once

#include "types.h"

namespace drm {

inline constexpr int kOrientations = 4;

struct Placements {
  const int* decision;   // [M], ascending; rows of padding come last and have decision B
  const int* action;     // [M]
  const float* facts;    // [M][F]
  int rows, facts_each;  // M, F

  // The first row from `row` on that is not of this decision.
  int end_of(int of, int row) const {
    while (row < rows && decision[row] == of) ++row;
    return row;
  }
};

// Where an action's halves lie.
struct Halves {
  int orientation, first, second;  // second is -1 outside of the bottle

  explicit Halves(int action) : orientation(action / kCells), first(action % kCells) {
    static constexpr int kRowStep[] = {0, 1, 0, -1}, kColStep[] = {1, 0, -1, 0};
    const int row = first / kCols + kRowStep[orientation], col = first % kCols + kColStep[orientation];
    const bool inside = row >= 0 && row < kRows && col >= 0 && col < kCols;
    second = inside ? row * kCols + col : -1;
  }
};

// Whether decisions ascend from 0 to at most `batch`, and actions are some.
bool are_placements(const Placements& placements, int batch);

// Scores of a decision's placements to log-probabilities, in place.
void log_softmax(float* scores, int count);

// The gradient of scores for that of what log_softmax made of them.
void log_softmax_gradient(const float* log_probs, const float* of_log_probs, int count, float* of_scores);

}  // namespace drm
