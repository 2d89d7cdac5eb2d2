// The program's level set-up: reserve, virus layout, player records (docs/rules.md sections 4.1, 4.2, 5).
#pragma once

#include "state.h"

namespace drm {

// Fills the 128-capsule reserve; 128 RNG steps.
void generate_reserve(Match& match);

// The program's own record clean-up at the start of a level. Needs mode kModeSetup; leaves kModeIntro.
void init_level(Match& match);

// One frame of virus placement: at most one virus per unfinished player.
void place_viruses(Match& match, bool first_frame);

// Draws the next capsule of a player: preview -> falling, reserve -> preview (docs/rules.md 7.2).
void advance_pill(Match& match, Player& player);

}  // namespace drm
