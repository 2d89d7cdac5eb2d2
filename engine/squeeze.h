// What is left of every cell for the summary of a bottle (nets/encoder.py): relu(squeeze cell + bias), and its
// gradient.
#pragma once

#include "rows.h"
#include "types.h"

namespace drm {

inline constexpr int kSqueezed = 8;  // numbers a cell
static_assert(kSqueezed == kFloatLanes);

// One network's squeeze, for one decision's cells at a time.
class Squeeze {
 public:
  // weights [kSqueezed][width]; bias [kSqueezed], or null for the gradient alone.
  Squeeze(const float* weights, const float* bias, int width)
      : weights_(copied(weights, kSqueezed, width)),
        turned_(columns_of(weights, kSqueezed, width)),
        bias_(kSqueezed, 1),
        of_weights_(width, kSqueezed),
        of_bias_(kSqueezed, 1),
        pull_(kSqueezed, kCells) {
    if (bias) bias_.take(bias, 1);
  }

  // cells [128][width], squeezed [128][kSqueezed].
  void forward(const float* cells, float* squeezed) const {
    const int width = weights_.width;
    multiply({cells, width, 1}, kCells, width, turned_.row(0), bias_.row(0), 0, kSqueezed, squeezed);
    for (int i = 0; i < kCells * kSqueezed; i += kFloatLanes) {
      lanes(squeezed + i) = positive(lanes(squeezed + i));
    }
  }

  // Adds to of_cells [128][step], for cells [128][step] (both padded), and to the gradients of the weights.
  void backward(const float* cells, const float* squeezed, const float* of_squeezed, float* of_cells) {
    for (int i = 0; i < kCells; ++i) {
      lanes(pull_.row(i)) = where_positive(lanes(squeezed + i * kSqueezed), lanes(of_squeezed + i * kSqueezed));
      lanes(of_bias_.row(0)) += lanes(pull_.row(i));
    }
    const int step = weights_.step;
    multiply(pull_.turned(), kSqueezed, kCells, cells, of_weights_.row(0), step, step, of_weights_.row(0));
    multiply(pull_.matrix(), kCells, kSqueezed, weights_.row(0), of_cells, step, step, of_cells);
  }

  // What backward added up.
  void give(float* of_weights, float* of_bias) const {
    of_weights_.give(of_weights, kSqueezed);
    of_bias_.give(of_bias, 1);
  }

 private:
  Rows weights_, turned_, bias_, of_weights_, of_bias_;
  Rows pull_;  // gradients of what goes into relu
};

}  // namespace drm
