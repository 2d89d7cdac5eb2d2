// What is left of every cell for the summary of a bottle (nets/encoder.py): relu(squeeze cell + bias), and its
// gradient.
#pragma once

#include <algorithm>
#include <vector>

#include "lanes.h"
#include "tables.h"

namespace drm {

inline constexpr int kSqueezed = 8;  // numbers a cell
static_assert(kSqueezed == kFloatLanes);

// One network's squeeze, for one decision's cells at a time.
class Squeeze {
 public:
  // weights [kSqueezed][width]; bias [kSqueezed], or null for the gradient alone.
  Squeeze(const float* weights, const float* bias, int width)
      : width_(width),
        step_(padded(width)),
        bias_(kSqueezed),
        weights_(std::size_t(kSqueezed) * step_),
        turned_(std::size_t(width) * kSqueezed),
        of_bias_(kSqueezed),
        of_weights_(std::size_t(kSqueezed) * step_),
        pull_(std::size_t(kCells) * kSqueezed) {
    if (bias) std::copy_n(bias, kSqueezed, bias_.data());
    for (int i = 0; i < kSqueezed; ++i) {
      std::copy_n(weights + i * width, width, &weights_[i * step_]);
      for (int k = 0; k < width; ++k) turned_[k * kSqueezed + i] = weights[i * width + k];
    }
  }

  // cells [128][width], squeezed [128][kSqueezed].
  void forward(const float* cells, float* squeezed) const {
    multiply({cells, width_, 1}, kCells, width_, turned_.data(), bias_.data(), 0, kSqueezed, squeezed);
    for (int i = 0; i < kCells * kSqueezed; i += kFloatLanes) {
      lanes(squeezed + i) = positive(lanes(squeezed + i));
    }
  }

  // Adds to of_cells [128][step], for cells [128][step] (both padded), and to the gradients of the weights.
  void backward(const float* cells, const float* squeezed, const float* of_squeezed, float* of_cells) {
    for (int i = 0; i < kCells; ++i) {
      float* here = &pull_[i * kSqueezed];
      lanes(here) = where_positive(lanes(squeezed + i * kSqueezed), lanes(of_squeezed + i * kSqueezed));
      lanes(of_bias_.data()) += lanes(here);
    }
    multiply({pull_.data(), 1, kSqueezed}, kSqueezed, kCells, cells, of_weights_.data(), step_, step_,
             of_weights_.data());
    multiply({pull_.data(), kSqueezed, 1}, kCells, kSqueezed, weights_.data(), of_cells, step_, step_, of_cells);
  }

  // What backward added up.
  void give(float* of_weights, float* of_bias) const {
    for (int i = 0; i < kSqueezed; ++i) std::copy_n(&of_weights_[i * step_], width_, of_weights + i * width_);
    std::copy_n(of_bias_.data(), kSqueezed, of_bias);
  }

 private:
  using Floats = std::vector<float>;
  int width_, step_;
  Floats bias_, weights_, turned_, of_bias_, of_weights_, pull_;
};

}  // namespace drm
