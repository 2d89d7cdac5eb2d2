// Counts of the placement tree: one number that changes when rules, planner or decision loop do.
#pragma once

#include "round.h"

namespace drm {

// Nodes at exactly `depth` placements below a parked one-player round, and the sum of their last placements'
// frames_to_lock. Games that end earlier have no deeper nodes.
struct Perft {
  u64 nodes = 0;
  u64 frames = 0;
};

Perft perft(const Round& parked, int depth);

}  // namespace drm
