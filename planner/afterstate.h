// Every legal placement of every running game, resolved without moving the games.
#pragma once

#include <vector>

#include "decisions.h"

namespace drm {

// Rows sorted by (env, action). `bottle` is the settled board before the next capsule is thrown (of a cleared game: the
// board in which the last run was marked).
struct Afterstates {
  std::size_t rows = 0;
  std::vector<i32> env;
  std::vector<i32> action;
  std::vector<u8> bottle;  // [M, 128]
  std::vector<u8> viruses_cleared, halves_cleared, combos, cascade, cleared, top_out;
  std::vector<u32> tau;
};

Afterstates resolve_all(Decisions& decisions);

}  // namespace drm
