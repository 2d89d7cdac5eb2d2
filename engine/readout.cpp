#include "readout.h"

#include <algorithm>
#include <vector>

#include "clones.h"
#include "lanes.h"

namespace drm {

namespace {

using Floats = std::vector<float>;

static_assert(kMaps % kFloatLanes == 0);

// Where the scores of a placement's halves lie among those of a decision's cells, [128][kMaps].
int first_score(const Halves& at) { return at.first * kMaps + at.orientation; }
int second_score(const Halves& at) { return at.second * kMaps + kOrientations + at.orientation; }

// Rows of `width` floats, padded: those given where that is nothing to do, else copied to `wide`.
const float* widened(const float* narrow, int rows, int width, Floats& wide) {
  const int step = padded(width);
  if (step == width) return narrow;
  for (int i = 0; i < rows; ++i) std::copy_n(narrow + i * width, width, &wide[i * step]);
  return wide.data();
}

}  // namespace

DRM_CLONES void read_out(const Readout& of, float* log_probs) {
  const auto& [halves, orientation, gain] = of.weights;
  const Placements& placements = of.placements;
  const int width = of.width;
  Floats zeros(kMaps), turned(width * kMaps), scores(kCells * kMaps);
  int row = 0;
  for (int n = 0; n < of.batch; ++n) {
    const float* weights = halves + std::size_t(n) * kMaps * width;
    for (int i = 0; i < kMaps; ++i) {
      for (int k = 0; k < width; ++k) turned[k * kMaps + i] = weights[i * width + k];
    }
    const float* cells = of.cells + std::size_t(n) * kCells * width;
    multiply({cells, width, 1}, kCells, width, turned.data(), zeros.data(), 0, kMaps, scores.data());
    const int first = row;
    row = placements.end_of(n, first);
    for (int m = first; m < row; ++m) {
      const Halves at(placements.action[m]);
      float score = scores[first_score(at)] + orientation[at.orientation];
      if (at.second >= 0) score += scores[second_score(at)];
      for (int f = 0; f < placements.facts_each; ++f)
        score += placements.facts[m * placements.facts_each + f] * gain[f];
      log_probs[m] = score;
    }
    log_softmax(log_probs + first, row - first);
  }
  std::fill(log_probs + row, log_probs + placements.rows, 0.0f);
}

DRM_CLONES void read_out_gradient(const Readout& of, const float* log_probs, const float* of_log_probs, float* of_cells,
                                  const ReadoutWeights<float>& gradients) {
  const Placements& placements = of.placements;
  const int width = of.width, step = padded(width), facts_each = placements.facts_each;
  Floats zeros(step), of_maps(kCells * kMaps), of_halves(kMaps * step), of_scores;
  Floats wide_cells(kCells * step), wide_halves(kMaps * step), result(kCells * step);
  std::fill_n(gradients.orientation, kOrientations, 0.0f);
  std::fill_n(gradients.gain, facts_each, 0.0f);
  int row = 0;
  for (int n = 0; n < of.batch; ++n) {
    const int first = row;
    row = placements.end_of(n, first);
    of_scores.resize(row - first);
    log_softmax_gradient(log_probs + first, of_log_probs + first, row - first, of_scores.data());
    std::fill(of_maps.begin(), of_maps.end(), 0.0f);
    for (int m = first; m < row; ++m) {
      const float of_score = of_scores[m - first];
      const Halves at(placements.action[m]);
      of_maps[first_score(at)] += of_score;
      if (at.second >= 0) of_maps[second_score(at)] += of_score;
      gradients.orientation[at.orientation] += of_score;
      for (int f = 0; f < facts_each; ++f) gradients.gain[f] += of_score * placements.facts[m * facts_each + f];
    }
    const std::size_t here = std::size_t(n) * kCells * width, maps = std::size_t(n) * kMaps * width;
    const float* cells = widened(of.cells + here, kCells, width, wide_cells);
    const float* halves = widened(of.weights.halves + maps, kMaps, width, wide_halves);
    multiply({of_maps.data(), 1, kMaps}, kMaps, kCells, cells, zeros.data(), 0, step, of_halves.data());
    multiply({of_maps.data(), kMaps, 1}, kCells, kMaps, halves, zeros.data(), 0, step, result.data());
    for (int i = 0; i < kMaps; ++i) std::copy_n(&of_halves[i * step], width, gradients.halves + maps + i * width);
    for (int i = 0; i < kCells; ++i) std::copy_n(&result[i * step], width, of_cells + here + i * width);
  }
}

}  // namespace drm
