// Every legal placement of every row whose decision is due, resolved without moving the games.
#pragma once

#include <vector>

#include "decisions.h"

namespace drm {

// Rows sorted by (env, player, action). `bottle` is the settled board before the next capsule is thrown (of a cleared
// game: the board in which the last run was marked).
struct Afterstates {
  std::vector<i32> env;
  std::vector<i32> player;
  std::vector<i32> action;
  std::vector<u8> bottle;  // [M, 128]
  std::vector<Events> events;
};

Afterstates resolve_all(Decisions& decisions);

}  // namespace drm
