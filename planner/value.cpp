#include "value.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstdlib>
#include <cstring>

#include "clones.h"

#pragma GCC diagnostic ignored "-Wpsabi"

namespace drm {

namespace {

constexpr int virus_plane(WindowKind kind) { return static_cast<int>(kPlaneVirusWindows) + static_cast<int>(kind); }
constexpr int half_plane(WindowKind kind) { return static_cast<int>(kPlaneHalfWindows) + static_cast<int>(kind); }

constexpr Feature kFeatures[] = {
    {"viruses_0_7", kPlaneVirus, 0, 7},
    {"viruses_8_11", kPlaneVirus, 8, 11},
    {"viruses_12_15", kPlaneVirus, 12, 15},
    {"halves_0_1", kPlaneHalf, 0, 1},
    {"halves_2_3", kPlaneHalf, 2, 3},
    {"halves_4_5", kPlaneHalf, 4, 5},
    {"halves_6_9", kPlaneHalf, 6, 9},
    {"halves_10_15", kPlaneHalf, 10, 15},
    {"filled", kPlaneFilled, 0, 15},
    {"center_0_1", kPlaneCenter, 0, 1},
    {"center_2_3", kPlaneCenter, 2, 3},
    {"center_4_5", kPlaneCenter, 4, 5},
    {"holes", kPlaneHole, 0, 15},
    {"steps", kPlaneStep, 0, 15},
    {"mixed", kPlaneMixed, 0, 15},
    {"mixed_on_virus", kPlaneMixedOnVirus, 0, 15},
    {"mixed_above_virus", kPlaneMixedAbove, 0, 15},
    {"covered_viruses", kPlaneCovered, 0, 15},
    {"top_two", kPlaneTopTwo, 0, 15},
    {"top_three", kPlaneTopThree, 0, 15},
    {"virus_down_1", virus_plane(kDown1), 0, 15},
    {"virus_down_2", virus_plane(kDown2), 0, 15},
    {"virus_down_3", virus_plane(kDown3), 0, 15},
    {"virus_across_1", virus_plane(kAcross1), 0, 15},
    {"virus_across_2", virus_plane(kAcross2), 0, 15},
    {"virus_across_3", virus_plane(kAcross3), 0, 15},
    {"virus_ready_2", virus_plane(kReady2), 0, 15},
    {"virus_ready_3", virus_plane(kReady3), 0, 15},
    {"virus_buried", virus_plane(kBuried), 0, 15},
    {"virus_dead", virus_plane(kDead), 0, 15},
    {"half_down_1", half_plane(kDown1), 0, 15},
    {"half_down_2", half_plane(kDown2), 0, 15},
    {"half_down_3", half_plane(kDown3), 0, 15},
    {"half_across_1", half_plane(kAcross1), 0, 15},
    {"half_across_2", half_plane(kAcross2), 0, 15},
    {"half_across_3", half_plane(kAcross3), 0, 15},
    {"half_ready_2", half_plane(kReady2), 0, 15},
    {"half_ready_3", half_plane(kReady3), 0, 15},
    {"half_buried", half_plane(kBuried), 0, 15},
    {"half_dead", half_plane(kDead), 0, 15},
};
constexpr int kPlaneFeatures = static_cast<int>(std::size(kFeatures));
constexpr const char* kScalarNames_[kValueScalars] = {"one", "root_viruses", "virus_columns", "virus_colors",
                                                      "absent_tops"};

// 16 sqrt(n), rounded down.
constexpr std::array<i32, kCells + 1> make_roots() {
  std::array<i32, kCells + 1> roots{};
  for (int n = 1; n <= kCells; ++n) {
    roots[static_cast<std::size_t>(n)] = roots[static_cast<std::size_t>(n) - 1];
    auto& root = roots[static_cast<std::size_t>(n)];
    while ((root + 1) * (root + 1) <= 256 * n) ++root;
  }
  return roots;
}
constexpr auto kRoots = make_roots();

// Lane of rows 0..15 in LinearValue's groups: (group, place).
constexpr int group_of(int row) { return row / 8 * 2 + row % 2; }
constexpr int place_of(int row) { return row % 8 / 2; }
constexpr int row_of(int group, int place) { return group / 2 * 8 + place * 2 + group % 2; }

using Counts = u16 __attribute__((vector_size(32)));  // four rows of each of four boards
using Sums = i32 __attribute__((vector_size(32)));

// Bits set in each byte.
DRM_INLINE Words byte_counts(Words x) {
  x -= x >> 1 & 0x5555555555555555ull;
  x = (x & 0x3333333333333333ull) + (x >> 2 & 0x3333333333333333ull);
  return (x + (x >> 4)) & 0x0F0F0F0F0F0F0F0Full;
}

// Splits the counts of a plane into the four groups.
template <class Use>
DRM_INLINE void for_groups(const FourCells& cells, const Use& use) {
  constexpr u64 kEven = 0x00FF00FF00FF00FFull;
  const Words low = byte_counts(cells.low), high = byte_counts(cells.high);
  use(0, reinterpret_cast<Counts>(low & kEven));
  use(1, reinterpret_cast<Counts>(low >> 8 & kEven));
  use(2, reinterpret_cast<Counts>(high & kEven));
  use(3, reinterpret_cast<Counts>(high >> 8 & kEven));
}

// The scalars that follow from the viruses alone; calls use(scalar, board, value).
template <class Use>
DRM_INLINE void virus_scalars(const FourCells& virus, const Use& use) {
  const Words low = byte_counts(virus.low) + byte_counts(virus.high);  // per column of bytes at most 16
  Words columns = virus.low | virus.high;
  columns |= columns >> 32;
  columns |= columns >> 16;
  columns = byte_counts((columns | columns >> 8) & 0xFF);
  for (int board = 0; board < 4; ++board) {
    const u64 viruses = low[board] * 0x0101010101010101ull >> 56;
    use(kScalarOne, board, 1);
    use(kScalarRoot, board, kRoots[viruses]);
    use(kScalarVirusColumns, board, static_cast<i32>(columns[board]));
  }
}

struct Weigh {
  const u16 (&plane_weights)[kPlanes][4][16];
  const i32 (&scalar_weights)[kValueScalars];
  Counts sum[4] = {};
  i32 total[4] = {};

  DRM_INLINE void plane(int number, const FourCells& cells) {
    for_groups(cells, [&](int group, const Counts& counts) {
      Counts weights;
      std::memcpy(&weights, plane_weights[number][group], sizeof weights);
      sum[group] += counts * weights;
    });
  }
  DRM_INLINE void scalar(int number, const Words& values) {
    for (int board = 0; board < 4; ++board) total[board] += scalar_weights[number] * static_cast<i32>(values[board]);
  }
  DRM_INLINE void viruses(const FourCells& virus) {
    virus_scalars(virus, [&](int number, int board, i32 value) { total[board] += scalar_weights[number] * value; });
  }
  DRM_INLINE void finish(i32 out[4]) {
    Sums sums = {};
    for (const Counts& rows : sum) {
      const Sums pairs = reinterpret_cast<Sums>(rows);
      sums += (pairs >> 16) + ((pairs << 16) >> 16);
    }
    for (int board = 0; board < 4; ++board) out[board] = total[board] + sums[2 * board] + sums[2 * board + 1];
  }
};

struct Record {
  i32 planes[kPlanes][kRows][4];
  i32 scalars[kValueScalars][4];

  DRM_INLINE void plane(int number, const FourCells& cells) {
    for_groups(cells, [&](int group, const Counts& counts) {
      for (int place = 0; place < 4; ++place) {
        i32(&row)[4] = planes[number][row_of(group, place)];
        for (int board = 0; board < 4; ++board) row[board] = counts[4 * board + place];
      }
    });
  }
  DRM_INLINE void scalar(int number, const Words& values) {
    for (int board = 0; board < 4; ++board) scalars[number][board] = static_cast<i32>(values[board]);
  }
  DRM_INLINE void viruses(const FourCells& virus) {
    virus_scalars(virus, [&](int number, int board, i32 value) { scalars[number][board] = value; });
  }
};

DRM_INLINE void load(const Board* const (&boards)[4], FourCells (&color)[kColors], FourCells& virus) {
  const auto gather = [&](const auto& set) {
    return FourCells{Words{set(0).low, set(1).low, set(2).low, set(3).low},
                     Words{set(0).high, set(1).high, set(2).high, set(3).high}};
  };
  for (int c = 0; c < kColors; ++c) color[c] = gather([&](int i) { return boards[i]->color[c]; });
  virus = gather([&](int i) { return boards[i]->virus; });
}

DRM_CLONES void weigh_four(const Board* const (&boards)[4], const u16 (&plane_weights)[kPlanes][4][16],
                           const i32 (&scalar_weights)[kValueScalars], i32 (&out)[4]) {
  FourCells color[kColors], virus;
  load(boards, color, virus);
  Weigh sink{plane_weights, scalar_weights};
  visit_planes(color, virus, sink);
  sink.finish(out);
}

DRM_CLONES void list_four(const Board* const (&boards)[4], i32 (&out)[kPlaneFeatures + kValueScalars][4]) {
  FourCells color[kColors], virus;
  load(boards, color, virus);
  Record record{};
  visit_planes(color, virus, record);
  for (int f = 0; f < kPlaneFeatures; ++f) {
    const Feature& feature = kFeatures[f];
    i32 sums[4] = {};
    for (int row = feature.first_row; row <= feature.last_row; ++row) {
      for (int board = 0; board < 4; ++board) sums[board] += record.planes[feature.plane][row][board];
    }
    std::copy_n(sums, 4, out[f]);
  }
  std::memcpy(out[kPlaneFeatures], record.scalars, sizeof record.scalars);
}

}  // namespace

std::span<const Feature> plane_features() { return kFeatures; }
std::span<const char* const> scalar_features() { return kScalarNames_; }
int feature_count() { return kPlaneFeatures + kValueScalars; }

void features_of(std::span<const Board> boards, i32* out) {
  const std::size_t each = kPlaneFeatures + kValueScalars;
  for (std::size_t i = 0; i < boards.size(); i += 4) {
    const Board* four[4];
    for (std::size_t k = 0; k < 4; ++k) four[k] = &boards[std::min(i + k, boards.size() - 1)];
    i32 listed[each][4];
    list_four(four, listed);
    for (std::size_t k = 0; k < std::min<std::size_t>(4, boards.size() - i); ++k) {
      for (std::size_t f = 0; f < each; ++f) *out++ = listed[f][k];
    }
  }
}

// Empty, or that weight `index` is not within -most..most.
static std::string beyond(std::size_t index, const char* feature, i32 weight, i32 most) {
  if (weight >= -most && weight <= most) return "";
  const std::string at = "weights[" + std::to_string(index) + "] (" + feature + ") is " + std::to_string(weight);
  return at + ", allowed are -" + std::to_string(most) + ".." + std::to_string(most) + " quarters of a frame";
}

std::string LinearValue::problem_with(std::span<const i32> weights) {
  if (weights.size() != static_cast<std::size_t>(feature_count())) return "weights has not one for each feature";
  constexpr std::size_t planes = kPlaneFeatures;
  for (std::size_t f = 0; f < weights.size(); ++f) {
    const bool plane = f < planes;
    const char* name = plane ? kFeatures[f].name : kScalarNames_[f - planes];
    const std::string problem = beyond(f, name, weights[f], plane ? 4095 : 100'000);
    if (!problem.empty()) return problem;
  }
  for (int row = 0; row < kRows; ++row) {
    i32 greatest = 0;
    for (std::size_t f = 0; f < planes; ++f) {
      if (row >= kFeatures[f].first_row && row <= kFeatures[f].last_row) greatest += std::abs(weights[f]) * kCols;
    }
    if (greatest > 0x7FFF) {
      return "weights could overflow the 16 bits of row " + std::to_string(row) + ": those of its planes sum to " +
             std::to_string(greatest / kCols) + ", allowed are 4095 at most";
    }
  }
  return "";
}

LinearValue::LinearValue(std::span<const i32> weights) : plane_{}, scalar_{} {
  assert(problem_with(weights).empty());
  for (int f = 0; f < kPlaneFeatures; ++f) {
    const Feature& feature = kFeatures[f];
    for (int row = feature.first_row; row <= feature.last_row; ++row) {
      for (int board = 0; board < 4; ++board) {
        plane_[feature.plane][group_of(row)][4 * board + place_of(row)] =
            static_cast<u16>(weights[static_cast<std::size_t>(f)]);
      }
    }
  }
  std::copy_n(weights.begin() + kPlaneFeatures, kValueScalars, scalar_);
}

void LinearValue::evaluate(const Child* children, int n, i32* out) const {
  for (int i = 0; i < n; i += 4) {
    const Board* boards[4];
    for (int k = 0; k < 4; ++k) boards[k] = &children[std::min(i + k, n - 1)].board;
    i32 values[4];
    weigh_four(boards, plane_, scalar_, values);
    std::copy_n(values, std::min(4, n - i), out + i);
  }
}

}  // namespace drm
