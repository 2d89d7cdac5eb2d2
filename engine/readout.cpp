#include "readout.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "clones.h"
#include "lanes.h"

namespace drm {

namespace {

using Floats = std::vector<float>;

constexpr int kOutputs = kSqueezed + kMaps;  // of one cell, side by side
static_assert(kSqueezed % kFloatLanes == 0 && kMaps % kFloatLanes == 0);

// Where an action's halves lie: entries of a decision's outputs [128][kOutputs].
struct Halves {
  int orientation, first, second;  // second is -1 outside of the bottle

  explicit Halves(int action) : orientation(action / kCells) {
    static constexpr int kRowStep[] = {0, 1, 0, -1}, kColStep[] = {1, 0, -1, 0};
    const int cell = action % kCells;
    const int row = cell / kCols + kRowStep[orientation], col = cell % kCols + kColStep[orientation];
    const bool inside = row >= 0 && row < kRows && col >= 0 && col < kCols;
    first = cell * kOutputs + kSqueezed + orientation;
    second = inside ? (row * kCols + col) * kOutputs + kSqueezed + kOrientations + orientation : -1;
  }
};

// The weights of one decision, [kOutputs][step], and a copy of its cells where they have to be padded.
struct Decision {
  int width, step = padded(width);
  Floats weights = Floats(kOutputs * step), wide = Floats(kCells * step);

  explicit Decision(const Readout& of) : width(of.width) { put(of.weights.squeeze, kSqueezed, weights.data()); }

  void choose(const float* halves) { put(halves, kMaps, &weights[kSqueezed * step]); }

  const float* cells(const float* narrow) {
    if (step == width) return narrow;
    put(narrow, kCells, wide.data());
    return wide.data();
  }

 private:
  void put(const float* from, int rows, float* to) const {
    for (int i = 0; i < rows; ++i) std::copy_n(from + i * width, width, to + i * step);
  }
};

// Scores to log-probabilities, in place.
void log_softmax(float* scores, int count) {
  if (count == 0) return;
  const float top = *std::max_element(scores, scores + count);
  float total = 0.0f;
  for (int i = 0; i < count; ++i) total += std::exp(scores[i] - top);
  const float all = top + std::log(total);
  for (int i = 0; i < count; ++i) scores[i] -= all;
}

int end_of(const Placements& placements, int decision, int row) {
  while (row < placements.rows && placements.decision[row] == decision) ++row;
  return row;
}

}  // namespace

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

DRM_CLONES void read_out(const Readout& of, float* squeezed, float* log_probs) {
  const auto& [squeeze, bias, halves, orientation, gain] = of.weights;
  const Placements& placements = of.placements;
  Decision decision(of);
  Floats start(kOutputs), turned(of.width * kOutputs), outputs(kCells * kOutputs);
  std::copy_n(bias, kSqueezed, start.data());
  int row = 0;
  for (int n = 0; n < of.batch; ++n, squeezed += kCells * kSqueezed) {
    decision.choose(halves + std::size_t(n) * kMaps * of.width);
    for (int k = 0; k < of.width; ++k) {
      for (int i = 0; i < kOutputs; ++i) turned[k * kOutputs + i] = decision.weights[i * decision.step + k];
    }
    const float* cells = of.cells + std::size_t(n) * kCells * of.width;
    multiply({cells, of.width, 1}, kCells, of.width, turned.data(), start.data(), 0, kOutputs, outputs.data());
    for (int i = 0; i < kCells; ++i) {
      for (int k = 0; k < kSqueezed; ++k) squeezed[i * kSqueezed + k] = std::max(outputs[i * kOutputs + k], 0.0f);
    }
    const int first = row;
    row = end_of(placements, n, first);
    for (int m = first; m < row; ++m) {
      const Halves at(placements.action[m]);
      float score = outputs[at.first] + (at.second < 0 ? 0.0f : outputs[at.second]) + orientation[at.orientation];
      for (int f = 0; f < placements.facts_each; ++f)
        score += placements.facts[m * placements.facts_each + f] * gain[f];
      log_probs[m] = score;
    }
    log_softmax(log_probs + first, row - first);
  }
  std::fill(log_probs + row, log_probs + placements.rows, 0.0f);
}

DRM_CLONES void read_out_gradient(const Readout& of, const float* squeezed, const float* log_probs,
                                  const float* of_squeezed, const float* of_log_probs, float* of_cells,
                                  const ReadoutWeights<float>& gradients) {
  const Placements& placements = of.placements;
  const int width = of.width, facts_each = placements.facts_each;
  Decision decision(of);
  const int step = decision.step;
  Floats zeros(step), of_outputs(kCells * kOutputs), of_squeeze(kSqueezed * step), of_halves(kMaps * step);
  Floats of_bias(kSqueezed), wide(kCells * step);
  std::fill_n(gradients.orientation, kOrientations, 0.0f);
  std::fill_n(gradients.gain, facts_each, 0.0f);
  int row = 0;
  for (int n = 0; n < of.batch; ++n, squeezed += kCells * kSqueezed, of_squeezed += kCells * kSqueezed) {
    for (int i = 0; i < kCells; ++i) {
      float* here = &of_outputs[i * kOutputs];
      const int at = i * kSqueezed;
      for (int k = 0; k < kSqueezed; ++k) here[k] = squeezed[at + k] > 0.0f ? of_squeezed[at + k] : 0.0f;
      std::fill_n(here + kSqueezed, kMaps, 0.0f);
      add(of_bias.data(), here, kSqueezed);
    }
    const int first = row;
    row = end_of(placements, n, first);
    float total = 0.0f;
    for (int m = first; m < row; ++m) total += of_log_probs[m];
    for (int m = first; m < row; ++m) {
      const float of_score = of_log_probs[m] - std::exp(log_probs[m]) * total;
      const Halves at(placements.action[m]);
      of_outputs[at.first] += of_score;
      if (at.second >= 0) of_outputs[at.second] += of_score;
      gradients.orientation[at.orientation] += of_score;
      for (int f = 0; f < facts_each; ++f) gradients.gain[f] += of_score * placements.facts[m * facts_each + f];
    }
    decision.choose(of.weights.halves + std::size_t(n) * kMaps * width);
    const float* cells = decision.cells(of.cells + std::size_t(n) * kCells * width);
    const Matrix turned{of_outputs.data(), 1, kOutputs};
    multiply(turned, kSqueezed, kCells, cells, of_squeeze.data(), step, step, of_squeeze.data());
    multiply({turned.at + kSqueezed, 1, kOutputs}, kMaps, kCells, cells, zeros.data(), 0, step, of_halves.data());
    float* to = step == width ? of_cells : wide.data();
    multiply({of_outputs.data(), kOutputs, 1}, kCells, kOutputs, decision.weights.data(), zeros.data(), 0, step, to);
    for (int i = 0; i < kMaps; ++i) {
      std::copy_n(&of_halves[i * step], width, gradients.halves + (std::size_t(n) * kMaps + i) * width);
    }
    if (step != width) {
      for (int i = 0; i < kCells; ++i) std::copy_n(&wide[i * step], width, of_cells + i * width);
    }
    of_cells += kCells * width;
  }
  for (int i = 0; i < kSqueezed; ++i) std::copy_n(&of_squeeze[i * step], width, gradients.squeeze + i * width);
  std::copy_n(of_bias.data(), kSqueezed, gradients.bias);
}

}  // namespace drm
