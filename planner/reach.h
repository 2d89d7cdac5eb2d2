// Reachability: for every placement of one falling capsule, the least number of frames until it locks there. Exact over
// every button sequence of the input model in docs/planner.md.
#pragma once

#include "types.h"

namespace drm {

// A capsule about to become controllable, in the spawn pose, its gravity counter 0 and no button held.
struct ReachQuery {
  const u8* bottle;  // 128 cells, row 0 on top
  u8 colors[2];      // first, second half
  u8 frame_counter;  // of the sample before the first controllable frame, which therefore sees frame_counter + 1
  u8 speed;          // Speed
  u8 speed_ups;      // 0-49
};

// Fills frames_to_lock[action] (placement.h). 1 = it locks in the first controllable frame; kUnreachable = it cannot.
// All unreachable when the spawn pose does not fit.
void reach(const ReachQuery& query, u16 frames_to_lock[kActions]);

}  // namespace drm
