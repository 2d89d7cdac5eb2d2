// From a seed to a playable level: reserve, virus layout, player records (rules.md sections 4.1, 4.2, 5).
#pragma once

#include "state.h"

namespace drm {

// Fills the 128-capsule reserve; 128 RNG steps.
void generate_reserve(Match& match);

// The program's own record clean-up at the start of a level. Needs mode kModeSetup; leaves kModeIntro.
void init_level(Match& match);

// One frame of virus placement: at most one virus per unfinished player.
void place_viruses(Match& match, bool first_frame);

// Draws the next capsule of a player: preview -> falling, reserve -> preview (rules.md 7.2).
void advance_pill(Match& match, Player& player);

// The sample before the level set-up (mode kModeSetup), with the given seed and frame counter.
struct GameConfig {
  u8 level[2];
  u8 speed[2];
  u16 seed;
  u8 frame_counter;
  u8 players;
};
void start_at_setup(Match& match, const GameConfig& config);

// The same game at the first sample of play (mode kModePlay); `frame_counter` is its value there.
void start_at_play(Match& match, const GameConfig& config);

}  // namespace drm
