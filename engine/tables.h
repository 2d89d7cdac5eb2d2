// Constant tables of the game; source: docs/rules.md section 18 (checked against the retail program).
#pragma once

#include "types.h"

namespace drm {

// A capsule steps down when its gravity counter exceeds kFallFrames[kSpeedBase[speed] + speed_ups].
inline constexpr u8 kSpeedBase[kSpeeds] = {15, 25, 31};
inline constexpr u8 kFallFrames[81] = {
    69, 67, 65, 63, 61, 59, 57, 55, 53, 51, 49, 47, 45, 43, 41, 39, 37, 35, 33, 31, 29, 27, 25, 23, 21, 19, 18,
    17, 16, 15, 14, 13, 12, 11, 10, 9,  9,  8,  8,  7,  7,  6,  6,  5,  5,  5,  5,  5,  5,  5,  5,  5,  5,  5,
    5,  4,  4,  4,  4,  4,  3,  3,  3,  3,  3,  2,  2,  2,  2,  2,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  0};

constexpr u8 gravity_threshold(u8 speed, u8 speed_ups) { return kFallFrames[kSpeedBase[speed] + speed_ups]; }

// Greatest virus height (0 = floor) by level.
inline constexpr u8 kMaxHeight[kMaxLevel + 1] = {9, 9, 9,  9,  9,  9,  9,  9,  9,  9,  9,  9, 9,
                                                 9, 9, 10, 10, 11, 11, 12, 12, 12, 12, 12, 12};

constexpr u8 virus_count(u8 level) { return static_cast<u8>(4 * ((level < 20 ? level : 20) + 1)); }

// Colour of every fourth virus, by the low nibble of the RNG's low byte.
inline constexpr u8 kExtraColor[16] = {0, 1, 2, 2, 1, 0, 0, 1, 2, 2, 1, 0, 0, 1, 2, 1};

// Score multiplier by viruses already destroyed in this resolution. The table ends at index 10; the next two values are
// the data that happen to follow; from the 14th virus on we use 32 (docs/rules.md 17.2).
inline constexpr u8 kScoreMultiplier[14] = {1, 2, 4, 8, 16, 32, 32, 32, 32, 32, 32, 10, 3, 32};

inline constexpr u8 kDasFirst = 16;    // frames from a press to the first repeat
inline constexpr u8 kDasReload = 10;   // counter after a repeat: the next comes 6 frames later
inline constexpr u8 kDasBlocked = 15;  // counter after a move blocked by a cell: retried every frame
inline constexpr u8 kThrowCalls = 22;  // counted throw calls until a one-player spawn

// Frames between the one before a one-player spawn's first throw call, whose counter is given, and that of the last: at
// LOW calls count at odd counters alone (docs/rules.md 7.1).
constexpr int frames_to_throw(u8 speed, int frame_counter) {
  constexpr int calls = kThrowCalls - 1;
  return speed != kLow ? calls : 2 * calls + (frame_counter & 1);
}

}  // namespace drm
