#include "afterstate.h"

#include <algorithm>

namespace drm {

Afterstates resolve_all(Decisions& decisions) {
  const std::size_t n_games = decisions.games.size();
  std::vector<std::size_t> first(n_games + 1, 0);
  for (std::size_t n = 0; n < n_games; ++n) {
    const u8* legal = &decisions.legal[n * kActions];
    first[n + 1] = first[n] + static_cast<std::size_t>(std::count(legal, legal + kActions, u8{1}));
  }
  Afterstates out;
  out.rows = first[n_games];
  for (auto* column : {&out.env, &out.action}) column->resize(out.rows);
  for (auto* column :
       {&out.viruses_cleared, &out.halves_cleared, &out.combos, &out.cascade, &out.cleared, &out.top_out}) {
    column->resize(out.rows);
  }
  out.tau.resize(out.rows);
  out.bottle.resize(out.rows * kCells);
  decisions.pool().for_chunks(decisions.size(), 1, [&](int begin, int end) {
    for (auto n = static_cast<std::size_t>(begin); n < static_cast<std::size_t>(end); ++n) {
      std::size_t row = first[n];
      for (std::size_t action = 0; action < kActions; ++action) {
        if (!decisions.legal[n * kActions + action]) continue;
        Match match = decisions.games[n];
        Outcome outcome;
        place_and_settle(match, static_cast<int>(action), decisions.frames_to_lock[n * kActions + action], outcome);
        std::copy_n(match.player[0].bottle, kCells, &out.bottle[row * kCells]);
        if (!outcome.cleared) throw_next(match, outcome);
        out.env[row] = static_cast<i32>(n);
        out.action[row] = static_cast<i32>(action);
        out.viruses_cleared[row] = outcome.viruses_cleared;
        out.halves_cleared[row] = outcome.halves_cleared;
        out.combos[row] = outcome.combos;
        out.cascade[row] = outcome.cascade;
        out.cleared[row] = outcome.cleared;
        out.top_out[row] = outcome.top_out;
        out.tau[row] = outcome.tau;
        ++row;
      }
    }
  });
  return out;
}

}  // namespace drm
