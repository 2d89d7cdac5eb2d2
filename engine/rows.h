// A small matrix of floats as products want it (lanes.h): its rows padded with zeros to whole vectors, their number to
// whole tiles.
#pragma once

#include <algorithm>
#include <vector>

#include "lanes.h"

namespace drm {

struct Rows {
  int width, step = padded(width);
  std::vector<float> at;

  explicit Rows(int floats, int rows = 0) : width(floats) { resize(rows); }

  void resize(int rows) { at.resize(std::size_t(whole_tiles(rows)) * step); }
  float* row(int i) { return at.data() + std::size_t(i) * step; }
  const float* row(int i) const { return at.data() + std::size_t(i) * step; }
  Matrix matrix() const { return {at.data(), step, 1}; }
  Matrix turned() const { return {at.data(), 1, step}; }

  // The first rows, from and to f32[rows][width].
  void take(const float* from, int rows) {
    for (int i = 0; i < rows; ++i) std::copy_n(from + std::size_t(i) * width, width, row(i));
  }
  void give(float* to, int rows) const {
    for (int i = 0; i < rows; ++i) std::copy_n(row(i), width, to + std::size_t(i) * width);
  }
};

inline Rows copied(const float* from, int rows, int width) {
  Rows made(width, rows);
  made.take(from, rows);
  return made;
}

// The columns of f32[rows][width].
inline Rows columns_of(const float* from, int rows, int width) {
  Rows made(rows, width);
  for (int i = 0; i < rows; ++i) {
    for (int k = 0; k < width; ++k) made.row(k)[i] = from[std::size_t(i) * width + k];
  }
  return made;
}

}  // namespace drm
