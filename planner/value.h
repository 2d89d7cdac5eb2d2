// Frames to go from a settled board, as search estimates them. A value function is anything with
//
//   void evaluate(const Child* children, int n, i32* out) const;   // in kFrameUnits of a frame
//
// and search is a template of it, so the choice costs nothing per node.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <utility>

#include "search_moves.h"
#include "value_planes.h"

namespace drm {

inline constexpr int kFrameUnits = 4;  // values count quarters of a frame

// What a loss costs: far above the value of any start, so that no gamble on frames is worth it.
inline constexpr i32 kTopOutCost = 60'000 * kFrameUnits;

template <class V>
concept Value = requires(const V& value, const Child* children, int n, i32* out) { value.evaluate(children, n, out); };

// A feature is the number of cells of a plane in a band of rows, or one of the scalars; docs/search.md explains each.
struct Feature {
  const char* name;
  int plane;  // or scalar
  int first_row, last_row;
};
std::span<const Feature> plane_features();
std::span<const char* const> scalar_features();
int feature_count();  // planes, then scalars

// The features of every board: i32[N][feature_count()].
void features_of(std::span<const Board> boards, i32* out);

// The sum of features times weights. Sums are taken modulo 2^16 per row, so weights whose planes could exceed that in
// a row are refused.
class LinearValue {
 public:
  // weights[feature_count()] in kFrameUnits; empty when they are usable, else a sentence about "weights".
  static std::string problem_with(std::span<const i32> weights);
  explicit LinearValue(std::span<const i32> weights);

  void evaluate(const Child* children, int n, i32* out) const;

 private:
  alignas(32) u16 plane_[kPlanes][4][16];  // rows 0 2 4 6, 1 3 5 7, 8 10 12 14, 9 11 13 15, for each of four boards
  i32 scalar_[kValueScalars];
};

// A value computed elsewhere, a network in Python for instance: `function` is evaluate. A call per board expanded.
class ForeignValue {
 public:
  using Function = std::function<void(const Child* children, int n, i32* out)>;
  explicit ForeignValue(Function function) : function_(std::move(function)) {}

  void evaluate(const Child* children, int n, i32* out) const { function_(children, n, out); }

 private:
  Function function_;
};

}  // namespace drm
