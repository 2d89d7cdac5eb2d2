// After a lock: drop, match, clear, repeat; one stage per frame (docs/rules.md section 10), and the score (section 14).
#pragma once

#include "events.h"
#include "state.h"

namespace drm {

// One RESOLVE frame of a player; `events` is that player's.
void resolve(Match& match, Player& player, Events& events);

// Two of the four passes over the bottle. `drop_pass` moves every unsupported piece down one row and returns whether
// any moved.
bool drop_pass(u8 bottle[kCells]);
void tidy_pass(u8 bottle[kCells]);

}  // namespace drm
