// Search with the seed known: every capsule to come is certain. For records and teachers, never for a player.
#pragma once

#include <span>
#include <vector>

#include "search_chance.h"
#include "search_control.h"
#include "thread_pool.h"
#include "value.h"

namespace drm {

// A parked game in search's terms, its reserve included.
class KnownGame {
 public:
  explicit KnownGame(const Match& parked);
  // What a player sees, and the capsules after the preview, which begin anew after the last.
  KnownGame(const PublicState& seen, std::span<const u8, kReserve> to_come);

  // The capsule of the n-th decision from here, 0 = the one to be placed.
  Capsule capsule(int n) const {
    return n == 0 ? now_ : n == 1 ? next_ : capsule_of(reserve_[(index_ + n - 2) % kReserve]);
  }

  PublicState root;

 private:
  Capsule now_, next_;
  int index_;
  u8 reserve_[kReserve];
};

struct KnownOptions {
  int width = 1000;  // boards kept per capsule
  double alpha = 1;  // boards are ranked by frames + alpha * value
  int max_capsules = 1000;
};

// The best line found: `actions` from the parked game on.
struct Line {
  bool cleared = false;
  u32 frames = 0;  // to clear, or of the actions if not cleared
  std::vector<i32> actions;
  u64 nodes = 0;     // boards expanded
  u64 children = 0;  // boards evaluated
};

// A beam by capsules: all boards after n capsules compete, equal ones (same bottle, same clock phase) count once, by
// the fewest frames. The same line whatever the number of threads. A stopped search gives the best line so far.
template <Value V>
Line solve_known(const KnownGame& game, const V& value, const KnownOptions& options, ThreadPool& pool,
                 SearchControl& control);

}  // namespace drm
