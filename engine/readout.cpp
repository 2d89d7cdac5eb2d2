#include "readout.h"

#include <algorithm>
#include <vector>

#include "clones.h"
#include "rows.h"

namespace drm {

namespace {

static_assert(kMaps % kFloatLanes == 0);

// Where the scores of a placement's halves lie among those of a decision's cells, [128][kMaps].
int first_score(const Halves& at) { return at.first * kMaps + at.orientation; }
int second_score(const Halves& at) { return at.second * kMaps + kOrientations + at.orientation; }

}  // namespace

DRM_CLONES void read_out(const Readout& of, float* log_probs) {
  const auto& [halves, orientation, gain] = of.weights;
  const Placements& placements = of.placements;
  const int width = of.width;
  std::vector<float> zeros(kMaps), scores(kCells * kMaps);
  int row = 0;
  for (int n = 0; n < of.batch; ++n) {
    const Rows turned = columns_of(halves + std::size_t(n) * kMaps * width, kMaps, width);
    const float* cells = of.cells + std::size_t(n) * kCells * width;
    multiply({cells, width, 1}, kCells, width, turned.row(0), zeros.data(), 0, kMaps, scores.data());
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
  std::vector<float> zeros(step), of_maps(kCells * kMaps), of_scores;
  Rows cells(width, kCells), halves(width, kMaps), of_halves(width, kMaps), result(width, kCells);
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
    cells.take(of.cells + here, kCells);
    halves.take(of.weights.halves + maps, kMaps);
    multiply({of_maps.data(), 1, kMaps}, kMaps, kCells, cells.row(0), zeros.data(), 0, step, of_halves.row(0));
    multiply({of_maps.data(), kMaps, 1}, kCells, kMaps, halves.row(0), zeros.data(), 0, step, result.row(0));
    of_halves.give(gradients.halves + maps, kMaps);
    result.give(of_cells + here, kCells);
  }
}

}  // namespace drm
