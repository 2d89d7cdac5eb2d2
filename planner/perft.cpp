#include "perft.h"

namespace drm {

Perft perft(const Round& parked, int depth) {
  u16 frames_to_lock[kActions];
  reach(query_of(parked.match, 0), frames_to_lock);
  Perft total;
  for (int action = 0; action < kActions; ++action) {
    if (frames_to_lock[action] == kUnreachable) continue;
    if (depth == 1) {
      ++total.nodes;
      total.frames += frames_to_lock[action];
      continue;
    }
    Round next = parked;
    decide(next, 0, action, frames_to_lock[action]);
    advance(next);
    if (next.over) continue;
    const Perft below = perft(next, depth - 1);
    total.nodes += below.nodes;
    total.frames += below.frames;
  }
  return total;
}

}  // namespace drm
