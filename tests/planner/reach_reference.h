// The slow, obvious planner. Tests only.
#pragma once

#include "reach.h"

namespace drm {

// Breadth-first search over complete states (literal.h); the same answer as reach().
void reach_reference(const ReachQuery& query, u16 frames_to_lock[kActions]);

}  // namespace drm
