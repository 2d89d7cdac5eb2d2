#include "reach.h"

#include "placement.h"
#include "reach_search.h"

namespace drm {

template <class S>
static void write(const Search<S>& search, u16* out) {
  constexpr int R = Search<S>::R;
  for (int row = 0; row < kRows; ++row) {
    const auto& lock = search.lock[row];
    const auto y = static_cast<u8>(kRows - 1 - row);
    for (u8 x = 0; x < kCols; ++x) {
      if (x < kCols - 1) {
        out[action_of({x, y, 0})] = lock[0][x];
        if (R == 2) out[action_of({x, y, 2})] = lock[1][x];
      }
      if (R == 2 || row == 0) out[action_of({x, y, 1})] = lock[R][x];
      if (row > 0) out[action_of({x, y, 3})] = lock[R][x];
    }
  }
}

template <int R>
static void reach_as(const ReachQuery& query, u16* out) {
  Search<States<R>>& merged = search_of_thread<States<R>>();
  switch (merged.solve(query)) {
    case Verdict::kBlockedSpawn:
      return;
    case Verdict::kExact:
      return write(merged, out);
    case Verdict::kUndecided:
      break;
  }
  Search<DasStates<R>>& exact = search_of_thread<DasStates<R>>();
  exact.solve(query);
  write(exact, out);
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
