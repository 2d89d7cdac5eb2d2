// Boards compared over the same futures, of which those that fall behind are dropped: sequential halving (Z. Karnin,
// T. Koren, O. Somekh, Almost optimal exploration in multi-armed bandits, ICML 2013), stopped before one board is left.
#pragma once

#include <limits>
#include <vector>

#include "search_chance.h"

namespace drm {

// Parts of the futures, after each of which but the last the worse half of the boards is dropped.
inline constexpr int kStages = 4;

inline constexpr i32 kNotJudged = std::numeric_limits<i32>::max();

class Halving {
 public:
  // A first move, and its mean over the futures, in kFrameUnits.
  struct Best {
    u16 first;
    i32 mean;
  };

  void clear();
  void add_board(u16 first);

  // A future that begins with this capsule; a result for every board of followed() is to be added.
  void begin_future(Capsule third);
  void add(std::size_t board, i32 rank);

  // Boards that are not dropped, in no order that means anything.
  const std::vector<std::size_t>& followed() const { return followed_; }
  int futures() const { return static_cast<int>(thirds_.size()); }

  void drop_worse_half();
  // All boards followed have the same first move: nothing is left to decide.
  bool one_first_left() const;

  // The first move with the least mean, of those followed. `judged`, if given, is full of kNotJudged and gets the mean
  // of every first move.
  Best best(i32* judged) const;

 private:
  i32 mean_of_best_seconds(u16 first) const;
  void judge_dropped(i32 best, i32* judged) const;

  std::vector<u16> first_;             // [board]
  std::vector<std::size_t> followed_;  // boards
  std::vector<i32> results_;           // [future, board]: frames and value at the future's end; 0 of a dropped board
  std::vector<long long> totals_;      // [board]: of its results
  std::vector<int> seen_;              // [board]: how many these are
  std::vector<u8> thirds_;             // [future]: number of its first capsule
};

}  // namespace drm
