#include "afterstate.h"

#include <algorithm>

namespace drm {

// Resolves the legal placements of one row into the rows from `at` on.
static void resolve_row(const Decisions& d, std::size_t row, std::size_t at, Afterstates& out) {
  const std::size_t n = row / static_cast<std::size_t>(d.players());
  const int seat = static_cast<int>(row % static_cast<std::size_t>(d.players()));
  for (std::size_t action = 0; action < kActions; ++action) {
    if (!d.is_legal(row, action)) continue;
    Round round = d.games[n].round;
    place_and_settle(round, seat, static_cast<int>(action), d.seen.frames_to_lock.now()[row * kActions + action]);
    std::copy_n(round.match.player[seat].bottle, kCells, &out.bottle[at * kCells]);
    advance(round);
    out.env[at] = static_cast<i32>(n);
    out.player[at] = seat;
    out.action[at] = static_cast<i32>(action);
    out.events[at] = round.events[seat];
    ++at;
  }
}

Afterstates resolve_all(Decisions& d) {
  std::vector<std::size_t> first(d.rows() + 1, 0);
  for (std::size_t row = 0; row < d.rows(); ++row) {
    const u16* frames = &d.seen.frames_to_lock.now()[row * kActions];
    const auto unreachable = std::count(frames, frames + kActions, kUnreachable);
    first[row + 1] = first[row] + (d.to_act[row] ? kActions - static_cast<std::size_t>(unreachable) : 0);
  }
  Afterstates out;
  for (auto* column : {&out.env, &out.player, &out.action}) column->resize(first.back());
  out.bottle.resize(first.back() * kCells);
  out.events.resize(first.back());
  d.pool().for_chunks(static_cast<int>(d.rows()), 1, [&](int begin, int end) {
    for (auto row = static_cast<std::size_t>(begin); row < static_cast<std::size_t>(end); ++row) {
      resolve_row(d, row, first[row], out);
    }
  });
  return out;
}

}  // namespace drm
