// Scripts: the buttons, frame by frame, that make a capsule lock at a given placement as early as possible.
#pragma once

#include "reach.h"

namespace drm {

// Gravity moves a capsule at least once in every T + 1 <= 40 frames, and 16 steps down end in a lock.
inline constexpr int kMaxScript = 16 * 40;

// Writes the held-button byte of each frame, kMaxScript at most, and returns their number, which is
// frames_to_lock[action]; 0 when the action is unreachable (or not the canonical name for equal colours).
int script(const ReachQuery& query, int action, u8* buttons);

}  // namespace drm
