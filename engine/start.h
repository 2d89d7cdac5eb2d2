// How a game begins: the level set-up, or the first sample of play after it (docs/rules.md sections 4.1, 4.2, 5).
#pragma once

#include "state.h"

namespace drm {

struct GameConfig {
  u8 level[2];
  u8 speed[2];
  u16 seed;          // RNG word just before the reserve is made
  u8 frame_counter;  // in the sample that the game starts at
  u8 players;
};
// The sample before the level set-up (mode kModeSetup), with the given seed and frame counter.
void start_at_setup(Match& match, const GameConfig& config);

// The same game at the first sample of play (mode kModePlay); `frame_counter` is its value there.
void start_at_play(Match& match, const GameConfig& config);

}  // namespace drm
