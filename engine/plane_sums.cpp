#include "plane_sums.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <vector>

#include "clones.h"

#pragma GCC diagnostic ignored "-Wpsabi"

namespace drm {

namespace {

using Lanes = float __attribute__((vector_size(32), aligned(4), may_alias));
constexpr int kLanes = sizeof(Lanes) / sizeof(float);
constexpr u64 kOnes = 0x0101010101010101u;

// The cells of one plane, a byte per column; `inverted` when they are those that are not set.
struct Cells {
  u64 rows[kRows];
  bool inverted;

  explicit Cells(const u8* plane) {
    static_assert(kCols == sizeof(u64));
    std::memcpy(rows, plane, sizeof rows);
    u64 per_column = 0;
    for (const u64 row : rows) per_column += row;
    inverted = per_column * kOnes >> 56 > kCells * 5 / 8;  // taking all cells costs as much as some ten of them
    if (inverted) {
      for (u64& row : rows) row ^= kOnes;
    }
  }

  template <typename Visit>
  void each(Visit visit) const {
    for (int r = 0; r < kRows; ++r) {
      for (u64 left = rows[r]; left; left &= left - 1) {
        const int byte = std::countr_zero(left) / 8;
        visit(r, std::endian::native == std::endian::little ? byte : kCols - 1 - byte);
      }
    }
  }
};

Cells cells(const PlaneBatch& of, int decision, int plane) {
  const int source = of.source[decision * of.planes_each + plane];
  return Cells(of.planes + (static_cast<std::size_t>(decision) * of.planes_each + source) * kCells);
}

Lanes& lanes(float* at) { return *reinterpret_cast<Lanes*>(at); }
const Lanes& lanes(const float* at) { return *reinterpret_cast<const Lanes*>(at); }

void add(float* to, const float* what, int count) {
  for (int i = 0; i < count; i += kLanes) lanes(to + i) += lanes(what + i);
}

// One axis of the layer: lines (columns or rows) of `length` cells, a cell being K channels and zeros up to `step`.
struct Axis {
  int length, planes, width;
  int step = (width + kLanes - 1) / kLanes * kLanes;
  // [2][C][offsets][K]: what a cell adds to its line lies side by side. The second half is the negative: what the cells
  // that are not set take away.
  std::vector<float> weights = std::vector<float>(std::size_t(2) * planes * (2 * length - 1) * step);
  std::vector<float> whole = std::vector<float>(std::size_t(planes) * length * step);  // [C][length][K]: of all cells

  int line() const { return length * step; }
  float* cell(bool inverted, int plane, int place) {
    return &weights[((std::size_t(inverted) * planes + plane) * (2 * length - 1) + length - 1 - place) * step];
  }
  float* all(int plane) { return &whole[std::size_t(plane) * line()]; }

  // From a kernel f32[offsets][C][K].
  void read(const float* kernel) {
    for (int place = 1 - length; place < length; ++place) {
      for (int c = 0; c < planes; ++c) {
        const float* from = kernel + ((length - 1 - place) * planes + c) * width;
        for (int k = 0; k < width; ++k) cell(false, c, place)[k] = from[k], cell(true, c, place)[k] = -from[k];
      }
    }
    for (int c = 0; c < planes; ++c) {
      for (int place = 0; place < length; ++place) add(all(c), cell(false, c, place), line());
    }
  }

  // The reverse, where `weights` and `whole` hold the gradients of theirs.
  void write(float* kernel) {
    for (int c = 0; c < planes; ++c) {
      for (int place = 0; place < length; ++place) add(cell(false, c, place), all(c), line());
      for (int place = 1 - length; place < length; ++place) {
        float* to = kernel + ((length - 1 - place) * planes + c) * width;
        for (int k = 0; k < width; ++k) to[k] = cell(false, c, place)[k] - cell(true, c, place)[k];
      }
    }
  }
};

using Lines = std::vector<const float*>;

// The sum of lines, four vectors at a time in registers.
void sum(const Lines& lines, int count, float* out) {
  static_assert(kCols % 4 == 0 && kRows % 4 == 0);
  for (int i = 0; i < count; i += 4 * kLanes) {
    Lanes part[4] = {};
    for (const float* line : lines) {
      for (int j = 0; j < 4; ++j) part[j] += lanes(line + i + j * kLanes);
    }
    for (int j = 0; j < 4; ++j) lanes(out + i + j * kLanes) = part[j];
  }
}

}  // namespace

bool holds_bits(const PlaneBatch& of) {
  u8 all = 0;
  const std::size_t bytes = std::size_t(of.batch) * of.planes_each * kCells;
  for (std::size_t i = 0; i < bytes; ++i) all |= of.planes[i];
  return all <= 1;
}

DRM_CLONES void plane_sums(const PlaneBatch& of, const float* column, const float* row, float* out) {
  Axis down{kRows, of.planes_each, of.width}, across{kCols, of.planes_each, of.width};
  down.read(column);
  across.read(row);
  Lines in_column[kCols], in_row[kRows];
  std::vector<float> columns(kCols * down.line()), rows(kRows * across.line());  // [8][16][K], [16][8][K]
  for (int n = 0; n < of.batch; ++n) {
    for (Lines& lines : in_column) lines.clear();
    for (Lines& lines : in_row) lines.clear();
    for (int c = 0; c < of.planes_each; ++c) {
      const Cells set = cells(of, n, c);
      if (set.inverted) {
        for (Lines& lines : in_column) lines.push_back(down.all(c));
        for (Lines& lines : in_row) lines.push_back(across.all(c));
      }
      set.each([&](int r, int col) {
        in_column[col].push_back(down.cell(set.inverted, c, r));
        in_row[r].push_back(across.cell(set.inverted, c, col));
      });
    }
    for (int col = 0; col < kCols; ++col) sum(in_column[col], down.line(), &columns[col * down.line()]);
    for (int r = 0; r < kRows; ++r) {
      sum(in_row[r], across.line(), &rows[r * across.line()]);
      for (int col = 0; col < kCols; ++col, out += of.width) {
        float* cell = &rows[r * across.line() + col * across.step];
        add(cell, &columns[col * down.line() + r * down.step], down.step);
        std::memcpy(out, cell, sizeof(float) * of.width);
      }
    }
  }
}

DRM_CLONES void plane_sums_gradient(const PlaneBatch& of, const float* gradient, float* column, float* row) {
  Axis down{kRows, of.planes_each, of.width}, across{kCols, of.planes_each, of.width};
  std::vector<float> columns(kCols * down.line()), rows(kRows * across.line());  // [8][16][K], [16][8][K]
  for (int n = 0; n < of.batch; ++n) {
    for (int r = 0; r < kRows; ++r) {
      for (int col = 0; col < kCols; ++col, gradient += of.width) {
        std::memcpy(&columns[col * down.line() + r * down.step], gradient, sizeof(float) * of.width);
        std::memcpy(&rows[r * across.line() + col * across.step], gradient, sizeof(float) * of.width);
      }
    }
    for (int c = 0; c < of.planes_each; ++c) {
      const Cells set = cells(of, n, c);
      if (set.inverted) {
        for (int col = 0; col < kCols; ++col) add(down.all(c), &columns[col * down.line()], down.line());
        for (int r = 0; r < kRows; ++r) add(across.all(c), &rows[r * across.line()], across.line());
      }
      set.each([&](int r, int col) {
        add(down.cell(set.inverted, c, r), &columns[col * down.line()], down.line());
        add(across.cell(set.inverted, c, col), &rows[r * across.line()], across.line());
      });
    }
  }
  down.write(column);
  across.write(row);
}

}  // namespace drm
