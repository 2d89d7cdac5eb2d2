#include "placements.h"

#include <algorithm>
#include <cmath>

namespace drm {

bool are_placements(const Placements& placements, int batch) {
  bool right = true;
  int least = 0;
  for (int m = 0; m < placements.rows; ++m) {
    const int decision = placements.decision[m], action = placements.action[m];
    right &= (decision >= least) & (decision <= batch) & (action >= 0) & (action < kActions);
    least = decision;
  }
  return right;
}

void log_softmax(float* scores, int count) {
  if (count == 0) return;
  const float top = *std::max_element(scores, scores + count);
  float total = 0.0f;
  for (int i = 0; i < count; ++i) total += std::exp(scores[i] - top);
  const float all = top + std::log(total);
  for (int i = 0; i < count; ++i) scores[i] -= all;
}

void log_softmax_gradient(const float* log_probs, const float* of_log_probs, int count, float* of_scores) {
  float total = 0.0f;
  for (int i = 0; i < count; ++i) total += of_log_probs[i];
  for (int i = 0; i < count; ++i) of_scores[i] = of_log_probs[i] - std::exp(log_probs[i]) * total;
}

}  // namespace drm
