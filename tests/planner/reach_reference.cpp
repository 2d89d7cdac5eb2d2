#include "reach_reference.h"

#include "literal.h"

namespace drm {

void reach_reference(const ReachQuery& query, u16 frames_to_lock[kActions]) {
  const LiteralSearch search(query);
  for (int action = 0; action < kActions; ++action) frames_to_lock[action] = search.frames(action);
}

}  // namespace drm
