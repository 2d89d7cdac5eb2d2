// Shared by the programs that play every decision twice: by the clock and frame by frame.
#pragma once

#include <cstdio>
#include <cstring>
#include <random>

#include "fields.h"
#include "match.h"
#include "state.h"

namespace drm {

inline bool running(const Match& match) { return match.mode == kModePlay && match.mode_step == 0; }

// A uniformly drawn action that can be reached, or -1.
inline int pick_legal(const u16* frames_to_lock, std::mt19937_64& random) {
  int chosen = -1, seen = 0;
  for (int action = 0; action < kActions; ++action) {
    if (frames_to_lock[action] != kUnreachable && random() % static_cast<u64>(++seen) == 0) chosen = action;
  }
  return chosen;
}

// Whether two states are equal in every byte; prints the fields that are not.
inline bool equal_states(const Match& clock, const Match& played) {
  if (std::memcmp(&clock, &played, sizeof(Match)) == 0) return true;
  const auto* ours = reinterpret_cast<const u8*>(&clock);
  const auto* theirs = reinterpret_cast<const u8*>(&played);
  for (const Field& field : match_fields(2)) {
    for (std::size_t i = field.offset; i < field.offset + field.bytes; ++i) {
      if (ours[i] != theirs[i])
        std::printf("%s[%zu]: clock %d, frames %d\n", field.name, i - field.offset, ours[i], theirs[i]);
    }
  }
  return false;
}

}  // namespace drm
