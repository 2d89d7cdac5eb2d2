// Vectors of floats, and products of small matrices whose rows are a whole number of vectors ("padded" with zeros).
#pragma once

#pragma GCC diagnostic ignored "-Wpsabi"

namespace drm {

// A typedef: in an alias ("using") clang drops the alignment, and vectors of unaligned memory are not what it expects.
typedef float FloatLanes __attribute__((vector_size(32), aligned(4), may_alias));
static_assert(alignof(FloatLanes) == alignof(float));
inline constexpr int kFloatLanes = sizeof(FloatLanes) / sizeof(float);

inline FloatLanes& lanes(float* at) { return *reinterpret_cast<FloatLanes*>(at); }
inline const FloatLanes& lanes(const float* at) { return *reinterpret_cast<const FloatLanes*>(at); }

inline FloatLanes where_positive(FloatLanes x, FloatLanes value) { return x > 0.0f ? value : FloatLanes{}; }
inline FloatLanes positive(FloatLanes x) { return where_positive(x, x); }

inline int padded(int count) { return (count + kFloatLanes - 1) / kFloatLanes * kFloatLanes; }

inline constexpr int kTileRows = 4;  // of a product that are made in registers at a time
inline int whole_tiles(int rows) { return (rows + kTileRows - 1) / kTileRows * kTileRows; }

inline void add(float* to, const float* what, int count) {
  for (int i = 0; i < count; i += kFloatLanes) lanes(to + i) += lanes(what + i);
}

// A matrix of which entry (i, j) is at[i * down + j * right].
struct Matrix {
  const float* at;
  int down, right;
};

// out (a tile of rows, V vectors wide) = start + a b, all in registers; rows of b and out are `step` apart, of start
// `start_step`.
template <int V>
inline void multiply_tile(Matrix a, const float* b, int inner, const float* start, int start_step, int step,
                          float* out) {
  FloatLanes sum[kTileRows][V];
  for (int i = 0; i < kTileRows; ++i) {
    for (int v = 0; v < V; ++v) sum[i][v] = lanes(start + i * start_step + v * kFloatLanes);
  }
  for (int k = 0; k < inner; ++k, b += step) {
    for (int i = 0; i < kTileRows; ++i) {
      const float factor = a.at[i * a.down + k * a.right];
      for (int v = 0; v < V; ++v) sum[i][v] += factor * lanes(b + v * kFloatLanes);
    }
  }
  for (int i = 0; i < kTileRows; ++i) {
    for (int v = 0; v < V; ++v) lanes(out + i * step + v * kFloatLanes) = sum[i][v];
  }
}

// out [rows][step] = start + a [rows][inner] b [inner][step]; rows are whole tiles, step is whole vectors. Where
// start_step is 0 every row starts with the same one. `start` may be `out`.
inline void multiply(Matrix a, int rows, int inner, const float* b, const float* start, int start_step, int step,
                     float* out) {
  for (int n = 0; n < step; n += 3 * kFloatLanes) {
    for (int i = 0; i < rows; i += kTileRows) {
      const Matrix tile{a.at + i * a.down, a.down, a.right};
      const float* from = start + i * start_step + n;
      float* to = out + i * step + n;
      switch (step - n) {
        case kFloatLanes:
          multiply_tile<1>(tile, b + n, inner, from, start_step, step, to);
          break;
        case 2 * kFloatLanes:
          multiply_tile<2>(tile, b + n, inner, from, start_step, step, to);
          break;
        default:
          multiply_tile<3>(tile, b + n, inner, from, start_step, step, to);
      }
    }
  }
}

}  // namespace drm
