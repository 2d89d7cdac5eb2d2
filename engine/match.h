// One video frame of a game: pads, play, intro, pause and end flows (docs/rules.md sections 6, 7, 12, 13, 15, 16).
#pragma once

#include "events.h"
#include "state.h"

namespace drm {

// Advances the game by one frame; held[i] = buttons held by player i (held[1] is ignored in one-player games). What
// happens to player i is added to events[i], for which one-player games need no second.
void frame(Match& match, const u8 held[2], Events events[]);

// The same, untold.
inline void frame(Match& match, const u8 held[2]) {
  Events untold[2] = {};
  frame(match, held, untold);
}

// mode_step of kModeIntro.
enum IntroStep : u8 { kIntroBlank = 0, kIntroFirstVirus, kIntroViruses, kIntroRedraw, kIntroWait };

inline constexpr int kVictories = 3;  // that a match of two players is played for

}  // namespace drm
