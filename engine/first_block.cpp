#include "first_block.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "clones.h"

namespace drm {

namespace {

using Floats = std::vector<float>;

// Which kind every cell of a batch is of. The most frequent one comes first and is summed over the whole bottle once;
// cells of others count as the difference to it.
struct Kinds {
  std::vector<u32> planes;  // per kind, the planes that are set, as bits
  std::vector<int> of;      // [B][128]

  explicit Kinds(const PlaneBatch& batch) : of(std::size_t(batch.batch) * kCells) {
    std::vector<int> count;
    std::vector<int> slots(1024, -1);  // open addressing, at most half full
    for (int n = 0; n < batch.batch; ++n) {
      u32 bits[kCells] = {};
      for (int c = 0; c < batch.planes_each; ++c) {
        const int source = batch.source[n * batch.planes_each + c];
        const u8* plane = batch.planes + (std::size_t(n) * batch.planes_each + source) * kCells;
        for (int i = 0; i < kCells; ++i) bits[i] |= u32(plane[i]) << c;
      }
      for (int i = 0; i < kCells; ++i) {
        const int kind = find(bits[i], slots);
        if (kind == static_cast<int>(count.size())) count.push_back(0);
        ++count[kind];
        of[std::size_t(n) * kCells + i] = kind;
      }
    }
    if (count.empty()) {  // no decisions: one kind, of which there are no cells
      planes.push_back(0);
      return;
    }
    const int most = static_cast<int>(std::max_element(count.begin(), count.end()) - count.begin());
    std::swap(planes[0], planes[most]);
    for (int& kind : of) kind = kind == 0 ? most : kind == most ? 0 : kind;
  }

 private:
  int find(u32 bits, std::vector<int>& slots) {
    std::size_t slot = home(bits, slots);
    while (slots[slot] >= 0 && planes[slots[slot]] != bits) slot = (slot + 1) & (slots.size() - 1);
    if (slots[slot] >= 0) return slots[slot];
    const int kind = static_cast<int>(planes.size());
    slots[slot] = kind;
    planes.push_back(bits);
    if (2 * planes.size() > slots.size()) {
      slots.assign(2 * slots.size(), -1);
      for (int k = 0; k <= kind; ++k) {
        std::size_t free = home(planes[k], slots);
        while (slots[free] >= 0) free = (free + 1) & (slots.size() - 1);
        slots[free] = k;
      }
    }
    return kind;
  }

  static std::size_t home(u32 bits, const std::vector<int>& slots) {
    return (bits * 0x9E3779B1u >> 8) & (slots.size() - 1);
  }
};

// One axis of the sums: lines (columns or rows) of `length` cells, a cell being K channels and zeros up to `step`.
struct Axis {
  const std::vector<u32>& kinds;
  int length, planes, width;
  int step = padded(width), offsets = 2 * length - 1;
  // [kind][offset][step]: what a cell adds to its line lies side by side. Of all but the first kind it is the
  // difference to that.
  Floats weights = Floats(kinds.size() * offsets * step);
  Floats whole = Floats(length * step);  // what a line adds up to, all of whose cells are of the first kind

  int line() const { return length * step; }
  float* of(int kind) { return &weights[std::size_t(kind) * offsets * step]; }
  float* cell(int kind, int place) { return of(kind) + (length - 1 - place) * step; }

  // From a kernel f32[offsets][C][K].
  void read(const float* kernel) {
    for (int kind = static_cast<int>(kinds.size()) - 1; kind >= 0; --kind) {
      for (int c = 0; c < planes; ++c) {
        const int here = kinds[kind] >> c & 1, first = kind > 0 ? kinds[0] >> c & 1 : 0;
        if (here == first) continue;
        const float sign = here ? 1.0f : -1.0f;
        for (int offset = 0; offset < offsets; ++offset) {
          float* to = of(kind) + offset * step;
          for (int k = 0; k < width; ++k) to[k] += sign * kernel[(offset * planes + c) * width + k];
        }
      }
    }
    for (int place = 0; place < length; ++place) add(whole.data(), cell(0, place), line());
  }

  // The reverse, where `weights` (but for the first kind) and `whole` hold the gradients of theirs.
  void write(float* kernel) {
    for (int place = 0; place < length; ++place) add(cell(0, place), whole.data(), line());
    std::fill_n(kernel, std::size_t(offsets) * planes * width, 0.0f);
    for (std::size_t kind = 0; kind < kinds.size(); ++kind) {
      for (int c = 0; c < planes; ++c) {
        const int here = kinds[kind] >> c & 1, first = kind > 0 ? kinds[0] >> c & 1 : 0;
        if (here == first) continue;
        const float sign = here ? 1.0f : -1.0f;
        for (int offset = 0; offset < offsets; ++offset) {
          const float* from = of(static_cast<int>(kind)) + offset * step;
          for (int k = 0; k < width; ++k) kernel[(offset * planes + c) * width + k] += sign * from[k];
        }
      }
    }
  }
};

// out = start + the sum of lines, four vectors at a time in registers.
void sum(const float* start, const std::vector<const float*>& lines, int count, float* out) {
  static_assert(kCols % 4 == 0 && kRows % 4 == 0);
  for (int i = 0; i < count; i += 4 * kFloatLanes) {
    FloatLanes part[4];
    for (int j = 0; j < 4; ++j) part[j] = lanes(start + i + j * kFloatLanes);
    for (const float* line : lines) {
      for (int j = 0; j < 4; ++j) part[j] += lanes(line + i + j * kFloatLanes);
    }
    for (int j = 0; j < 4; ++j) lanes(out + i + j * kFloatLanes) = part[j];
  }
}

}  // namespace

int seen_size(int width) { return kCells * padded(width); }

bool holds_bits(const PlaneBatch& of) {
  u8 all = 0;
  const std::size_t bytes = std::size_t(of.batch) * of.planes_each * kCells;
  for (std::size_t i = 0; i < bytes; ++i) all |= of.planes[i];
  return all <= 1;
}

DRM_CLONES void first_block(const PlaneBatch& of, const BlockWeights<const float>& weights,
                            const BlockOutputs<float>& outputs) {
  const Kinds kinds(of);
  Axis down{kinds.planes, kRows, of.planes_each, of.width}, across{kinds.planes, kCols, of.planes_each, of.width};
  down.read(weights.column);
  across.read(weights.row);
  const int step = down.step, width = of.width;
  const Rows position = copied(weights.position, kCells, width), shift = copied(weights.shift, of.batch, width);
  const Rows bias = copied(weights.bias, 1, width), turned = columns_of(weights.mix, width, width);
  std::vector<const float*> in_column[kCols], in_row[kRows];
  Floats columns(kCols * down.line());  // [8][16][step]
  Rows mixed(width, kCells);
  std::optional<Squeeze> squeeze;
  if (weights.squeeze) squeeze.emplace(weights.squeeze, weights.squeezing_bias, width);
  auto [seen, out, squeezed] = outputs;
  for (int n = 0; n < of.batch; ++n, seen += kCells * step, out += kCells * width) {
    for (auto& lines : in_column) lines.clear();
    for (auto& lines : in_row) lines.clear();
    const int* kind = &kinds.of[std::size_t(n) * kCells];
    for (int i = 0; i < kCells; ++i) {
      if (kind[i] == 0) continue;
      in_column[i % kCols].push_back(down.cell(kind[i], i / kCols));
      in_row[i / kCols].push_back(across.cell(kind[i], i % kCols));
    }
    for (int col = 0; col < kCols; ++col) {
      sum(down.whole.data(), in_column[col], down.line(), &columns[col * down.line()]);
    }
    for (int r = 0; r < kRows; ++r) {
      float* cells = seen + r * across.line();
      sum(across.whole.data(), in_row[r], across.line(), cells);
      for (int col = 0; col < kCols; ++col, cells += step) {
        for (int k = 0; k < step; k += kFloatLanes) {
          lanes(cells + k) = positive(lanes(cells + k) + lanes(&columns[col * down.line() + r * step + k]) +
                                      lanes(position.row(r * kCols + col) + k) + lanes(shift.row(n) + k));
        }
      }
    }
    multiply({seen, step, 1}, kCells, width, turned.row(0), bias.row(0), 0, step, mixed.row(0));
    for (float& value : mixed.at) value = std::max(value, 0.0f);
    mixed.give(out, kCells);
    if (squeeze) squeeze->forward(out, squeezed + std::size_t(n) * kCells * kSqueezed);
  }
}

DRM_CLONES void first_block_gradient(const PlaneBatch& of, const float* mix, const float* squeeze,
                                     const BlockOutputs<const float>& outputs, const float* of_out,
                                     const float* of_squeezed, const BlockWeights<float>& gradients) {
  const Kinds kinds(of);
  Axis down{kinds.planes, kRows, of.planes_each, of.width}, across{kinds.planes, kCols, of.planes_each, of.width};
  const int step = down.step, width = of.width;
  const Rows weights = copied(mix, width, width), zeros(width, 1);
  Floats columns(kCols * down.line());
  Rows shown(width, kCells), of_mixed(width, kCells), of_seen(width, kCells);  // shown: out
  Rows of_position(width, kCells), of_mix(width, step), of_bias(width, 1), of_shift(width, 1);
  std::optional<Squeeze> squeezing;
  if (squeeze) squeezing.emplace(squeeze, nullptr, width);
  const float* seen = outputs.seen;
  for (int n = 0; n < of.batch; ++n, seen += kCells * step) {
    const std::size_t cells = std::size_t(n) * kCells, summary = cells * kSqueezed;
    shown.take(outputs.out + cells * width, kCells);
    of_mixed.take(of_out + cells * width, kCells);
    if (squeezing)
      squeezing->backward(shown.row(0), outputs.squeezed + summary, of_squeezed + summary, of_mixed.row(0));
    for (int i = 0; i < kCells; ++i) {
      for (int k = 0; k < step; k += kFloatLanes) {
        lanes(of_mixed.row(i) + k) = where_positive(lanes(shown.row(i) + k), lanes(of_mixed.row(i) + k));
      }
      add(of_bias.row(0), of_mixed.row(i), step);
    }
    multiply(of_mixed.turned(), step, kCells, seen, of_mix.row(0), step, step, of_mix.row(0));
    multiply(of_mixed.matrix(), kCells, width, weights.row(0), zeros.row(0), 0, step, of_seen.row(0));
    std::fill_n(of_shift.row(0), step, 0.0f);
    for (int i = 0; i < kCells; ++i) {
      for (int k = 0; k < step; k += kFloatLanes) {
        float* here = of_seen.row(i) + k;
        lanes(here) = where_positive(lanes(seen + i * step + k), lanes(here));
        lanes(of_shift.row(0) + k) += lanes(here);
        lanes(&columns[i % kCols * down.line() + i / kCols * step + k]) = lanes(here);
      }
    }
    of_shift.give(gradients.shift + std::size_t(n) * width, 1);
    add(of_position.row(0), of_seen.row(0), kCells * step);
    const int* kind = &kinds.of[std::size_t(n) * kCells];
    for (int i = 0; i < kCells; ++i) {
      if (kind[i] == 0) continue;
      add(down.cell(kind[i], i / kCols), &columns[i % kCols * down.line()], down.line());
      add(across.cell(kind[i], i % kCols), of_seen.row(i / kCols * kCols), across.line());
    }
  }
  // Every line starts with `whole`.
  for (int i = 0; i < kCells; ++i) {
    add(&down.whole[i / kCols * step], of_position.row(i), step);
    add(&across.whole[i % kCols * step], of_position.row(i), step);
  }
  down.write(gradients.column);
  across.write(gradients.row);
  of_position.give(gradients.position, kCells);
  of_mix.give(gradients.mix, width);
  of_bias.give(gradients.bias, 1);
  if (squeezing) squeezing->give(gradients.squeeze, gradients.squeezing_bias);
}

}  // namespace drm
