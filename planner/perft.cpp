#include "perft.h"

namespace drm {

Perft perft(const Match& parked, int depth) {
  u16 frames_to_lock[kActions];
  reach(query_of(parked, 0), frames_to_lock);
  Perft total;
  for (int action = 0; action < kActions; ++action) {
    if (frames_to_lock[action] == kUnreachable) continue;
    if (depth == 1) {
      ++total.nodes;
      total.frames += frames_to_lock[action];
      continue;
    }
    Match next = parked;
    Outcome outcome;
    place_and_settle(next, action, frames_to_lock[action], outcome);
    if (!outcome.cleared) throw_next(next, outcome);
    if (outcome.cleared || outcome.top_out) continue;
    const Perft below = perft(next, depth - 1);
    total.nodes += below.nodes;
    total.frames += below.frames;
  }
  return total;
}

}  // namespace drm
