#include "reach.h"

#include "literal.h"
#include "placement.h"
#include "reach_search.h"

namespace drm {

template <int R>
static void reach_as(const ReachQuery& query, u16* out) {
  Search<R>& search = search_of_thread<R>();
  const Verdict verdict = search.solve(query);
  if (verdict == Verdict::kBlockedSpawn) return;
  if (verdict == Verdict::kUndecided) {
    const LiteralSearch literal(query);
    for (int action = 0; action < kActions; ++action) out[action] = literal.frames(action);
    return;
  }
  for (int row = 0; row < kRows; ++row) {
    const auto& lock = search.lock[row];
    for (u8 x = 0; x < kCols; ++x) {
      const auto y = static_cast<u8>(kRows - 1 - row);
      if (x < kCols - 1) {
        out[action_of({x, y, 0})] = lock[0][x];
        if (R == 2) out[action_of({x, y, 2})] = lock[1][x];
      }
      if (R == 2 || row == 0) out[action_of({x, y, 1})] = lock[R][x];
      if (row > 0) out[action_of({x, y, 3})] = lock[R][x];
    }
  }
}

void reach(const ReachQuery& query, u16 frames_to_lock[kActions]) {
  std::fill_n(frames_to_lock, kActions, kUnreachable);
  if (query.colors[0] == query.colors[1]) {
    reach_as<1>(query, frames_to_lock);
  } else {
    reach_as<2>(query, frames_to_lock);
  }
}

}  // namespace drm
