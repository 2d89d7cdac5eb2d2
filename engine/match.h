// One video frame of a game: pads, play, intro, pause and end flows (rules.md sections 6, 7, 12, 13, 15, 16).
#pragma once

#include "state.h"

namespace drm {

// Advances the game by one frame; held[i] = buttons held by player i (held[1] is ignored in one-player games).
void frame(Match& match, const u8 held[2]);

// Whether nothing but the frame counter and the pads will ever change: the match is over and the program went back to
// its options or title screen, which are outside the engine.
constexpr bool is_over(u8 mode) { return mode == kModeTitle || mode == kModeOptions; }

}  // namespace drm
