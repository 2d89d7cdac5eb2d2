// Guards the engine against states it could not run on: the one check of `set_state`, snapshots and bottles.
//
// A sentence says what is wrong ("p1_pill_x is 9, allowed are 0..7"), an empty one that all is well. What passes can be
// played without leaving an array and without hanging; it is not proven that a console can get there.
#pragma once

#include <string>

#include "state.h"

namespace drm {

std::string describe_invalid(const Match& match, int players);

// Whether all bytes of a bottle are cells.
bool holds_cells(const u8* bottle);

// Which one is not; `cell` precedes the index in the sentence: "p1_bottle[" gives "p1_bottle[5] is".
std::string describe_invalid_cells(const u8* bottle, const std::string& cell);

// The same, and no right half in column 0, where the drop pass would look for its partner outside.
std::string describe_invalid_bottle(const u8* bottle, const std::string& cell);

}  // namespace drm
