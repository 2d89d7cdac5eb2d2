#include "reach.h"

#include "drop_search.h"
#include "gravity_search.h"
#include "of_this_thread.h"
#include "placement.h"

namespace drm {

// A lock of the base pose (h[0..R-1], then v) in a cell, under the names that the mask shows.
template <int R>
static void write(int i, int cell, u16 frames, u16* out) {
  if (i < R) {
    out[i == 0 ? cell : 2 * kCells + cell + 1] = frames;
    return;
  }
  if (R == 2 || cell < kCols) out[3 * kCells + cell] = frames;
  if (cell >= kCols) out[kCells + cell - kCols] = frames;
}

template <class S>
static bool reach_with_gravity(const Situation& situation, u16* out) {
  constexpr int R = Rotations<S>::value;
  auto& search = of_this_thread<GravitySearch<S>>();
  if (!search.solve(situation)) return false;
  for (int cell = 0; cell < kCells; ++cell) {
    for (int i = 0; i <= R; ++i) {
      const u16 frames = search.lock[cell / kCols][i][cell % kCols];
      if (frames != kUnreachable) write<R>(i, cell, frames, out);
    }
  }
  return true;
}

template <int R>
static void reach_as(const ReachQuery& query, u16* out) {
  const Situation situation(query);
  if (!situation.spawn_fits()) return;
  const auto write_drop = [out](int i, int cell, int frame) { write<R>(i, cell, static_cast<u16>(frame), out); };
  if (of_this_thread<DropSearch<R>>().solve(situation, write_drop)) return;
  if (!reach_with_gravity<States<R>>(situation, out)) reach_with_gravity<DasStates<R>>(situation, out);
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
