// The first block of a network that looks along the columns and rows of 0/1 planes, forward and backward.
//
// Its first layer is a convolution along each axis whose kernel spans it all: what a cell holds adds, to every cell of
// its column and of its row, the weights of the offset between the two. Cells are of few kinds (which of the planes are
// set there), most of them of one, say empty: so the sums go over the other cells, with weights added up once per kind,
// where a product of matrices would go through all planes of all 128. The rest of the block follows while a decision's
// cells are in the cache.
//
// Axis letters: B decisions, C planes, K channels. The order of all additions is fixed.
#pragma once

#include "squeeze.h"

namespace drm {

inline constexpr int kColumnOffsets = 2 * kRows - 1;  // from the lowest cell up to the highest cell down
inline constexpr int kRowOffsets = 2 * kCols - 1;
inline constexpr int kMostPlanes = 32;

struct PlaneBatch {
  const u8* planes;   // [B][C][16][8], 0 or 1
  const int* source;  // [B][C]: the plane that stands for plane c in this decision (colours are relabelled)
  int batch;
  int planes_each;  // C, at most kMostPlanes
  int width;        // K
};

// Weights, or their gradients.
template <typename Float>
struct BlockWeights {
  Float* column;          // [31][C][K], by where to less where from, plus 15
  Float* row;             // [15][C][K]
  Float* position;        // [16][8][K], added to every decision's sums
  Float* shift;           // [B][K], added to every cell's sums
  Float* mix;             // [K][K], to and from
  Float* bias;            // [K]
  Float* squeeze;         // [kSqueezed][K]; null, and the next as well, for a network that squeezes later cells
  Float* squeezing_bias;  // [kSqueezed]
};

// Whether all planes are 0 or 1.
bool holds_bits(const PlaneBatch& of);

// seen = relu(sums of column and row + position + shift), padded: [B][16][8][K up to a multiple of 8];
// out [B][16][8][K] = relu(mix seen + bias); squeezed [B][16][8][kSqueezed] of out, if there is a squeeze.
template <typename Float>
struct BlockOutputs {
  Float *seen, *out, *squeezed;
};
void first_block(const PlaneBatch& of, const BlockWeights<const float>& weights, const BlockOutputs<float>& outputs);

// The gradients of all weights for those of out [B][16][8][K] and squeezed, where `outputs` is what first_block made.
// Of the weights it reads mix and squeeze alone.
void first_block_gradient(const PlaneBatch& of, const float* mix, const float* squeeze,
                          const BlockOutputs<const float>& outputs, const float* of_out, const float* of_squeezed,
                          const BlockWeights<float>& gradients);

// The floats of one decision in `seen`.
int seen_size(int width);

}  // namespace drm
