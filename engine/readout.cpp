#include "readout.h"

#include <algorithm>
#include <vector>

#include "clones.h"
#include "lanes.h"

namespace drm {

namespace {

using Floats = std::vector<float>;

constexpr int kOutputs = kSqueezed + kMaps;  // of one cell, side by side
static_assert(kSqueezed % kFloatLanes == 0 && kMaps % kFloatLanes == 0);

// Where the scores of a placement's halves lie, entries of a decision's outputs [128][kOutputs].
int first_score(const Halves& at) { return at.first * kOutputs + kSqueezed + at.orientation; }
int second_score(const Halves& at) { return at.second * kOutputs + kSqueezed + kOrientations + at.orientation; }

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

}  // namespace

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
    row = placements.end_of(n, first);
    for (int m = first; m < row; ++m) {
      const Halves at(placements.action[m]);
      float score =
          outputs[first_score(at)] + (at.second < 0 ? 0.0f : outputs[second_score(at)]) + orientation[at.orientation];
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
  Floats of_bias(kSqueezed), wide(kCells * step), of_scores;
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
    row = placements.end_of(n, first);
    of_scores.resize(row - first);
    log_softmax_gradient(log_probs + first, of_log_probs + first, row - first, of_scores.data());
    for (int m = first; m < row; ++m) {
      const float of_score = of_scores[m - first];
      const Halves at(placements.action[m]);
      of_outputs[first_score(at)] += of_score;
      if (at.second >= 0) of_outputs[second_score(at)] += of_score;
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
