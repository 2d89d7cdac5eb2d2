// The first layer of a network that looks along the columns and rows of 0/1 planes, without the products with zero.
//
// A convolution whose kernel spans the whole axis: a cell that is set adds, to every cell of its column and of its row,
// the weights of the offset between the two. So its sums are over the cells that are set (or, where most of a plane is
// set, over the others, taken from the sum of all); a product of matrices would go through all 128.
//
// Axis letters: B decisions, C planes, K channels. The order of all additions is fixed, whatever the machine.
#pragma once

#include "tables.h"

namespace drm {

inline constexpr int kColumnOffsets = 2 * kRows - 1;  // from the lowest cell up to the highest cell down
inline constexpr int kRowOffsets = 2 * kCols - 1;

struct PlaneBatch {
  const u8* planes;   // [B][C][16][8], 0 or 1
  const int* source;  // [B][C]: the plane that stands for plane c in this decision (colours are relabelled)
  int batch;
  int planes_each;  // C
  int width;        // K
};

// Whether all planes are 0 or 1.
bool holds_bits(const PlaneBatch& of);

// out f32[B][16][8][K] = for every set cell, column f32[31][C][K] at (row - its row + 15) in its column, plus
// row f32[15][C][K] at (column - its column + 7) in its row.
void plane_sums(const PlaneBatch& of, const float* column, const float* row, float* out);

// The gradients f32[31][C][K] and f32[15][C][K] of column and row for the gradient f32[B][16][8][K] of the sums.
void plane_sums_gradient(const PlaneBatch& of, const float* gradient, float* column, float* row);

}  // namespace drm
