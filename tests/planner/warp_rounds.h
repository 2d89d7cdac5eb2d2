// Two-player starts in which attacks, garbage and simultaneous events are common; random play alone rarely clears.
#pragma once

#include <random>

#include "decisions.h"

namespace drm {

inline u8 below(std::mt19937_64& random, u64 limit) { return static_cast<u8>(random() % limit); }

inline GameConfig random_config(std::mt19937_64& random) {
  GameConfig config{};
  config.players = 2;
  for (int s = 0; s < 2; ++s) {
    config.level[s] = below(random, kMaxLevel + 1);
    config.speed[s] = below(random, kSpeeds);
  }
  config.seed = static_cast<u16>(2 + random() % 65534);
  config.frame_counter = static_cast<u8>(random());
  return config;
}

enum class Bottle { kLayout, kTriples, kRubble, kTowers, kLastVirus, kKinds };

// The cell of a prepared bottle; `color` is the column's.
inline u8 prepared_cell(Bottle kind, int row, int col, u8 color, std::mt19937_64& random) {
  const u8 other = below(random, kColors);
  switch (kind) {
    case Bottle::kTriples:  // on a floor of viruses
      return row == kRows - 1 ? kVirus + other : row >= 12 ? kSingle + color : kEmpty;
    case Bottle::kLastVirus:  // one capsule from the end
      return col == 0 && row == kRows - 1 ? kVirus + color : row >= 13 ? kSingle + color : kEmpty;
    case Bottle::kTowers:  // garbage will fall onto the row above
      if (col == 3 || col == 4) return row >= 11 ? kSingle + other : kEmpty;
      return row < 3 ? kEmpty : (random() % 16 ? kSingle : kVirus) + other;
    default:
      return row < 8 || random() % 8 == 0 ? kEmpty : (random() % 16 ? kSingle : kVirus) + other;
  }
}

inline void prepare_bottle(Player& p, Bottle kind, std::mt19937_64& random) {
  p.virus_left_bcd = 0;
  for (int col = 0; col < kCols; ++col) {
    const u8 color = below(random, kColors);
    for (int row = 0; row < kRows; ++row) {
      u8& cell = p.bottle[row * kCols + col];
      cell = prepared_cell(kind, row, col, color, random);
      if (row == kRows - 1 && col == kCols - 1 && p.virus_left_bcd == 0) cell = kVirus + color;
      if (kind_of(cell) == kVirus) p.virus_left_bcd = bcd_increment(p.virus_left_bcd);
    }
  }
}

// Changes a round in which both sides wait for their first decision. Returns whether both sides are twins, so that the
// same actions make everything happen to both at once.
inline bool prepare_round(Round& round, std::mt19937_64& random) {
  Match& match = round.match;
  for (Player& p : match.player) {
    const auto kind = static_cast<Bottle>(random() % static_cast<u64>(Bottle::kKinds));
    if (kind != Bottle::kLayout) prepare_bottle(p, kind, random);
    if (random() % 2) p.speed_ups = below(random, kMaxSpeedUps + 1);
    if (random() % 4 == 0) {
      p.attack_size = below(random, 7);  // one that waits to be delivered, and its colours
      for (u8* color = &p.attack_color0; color <= &p.attack_color3; ++color) *color = below(random, kColors);
    }
    if (random() % 2) p.victories = below(random, 3);
  }
  const bool twins = random() % 4 == 0;
  if (twins) match.player[1] = match.player[0];
  return twins;
}

// A legal action: mostly any, often the one of a few that clears most runs, so that attacks are made.
inline int pick_action(const Match& match, int side, const u16* frames_to_lock, std::mt19937_64& random) {
  int legal[kActions], count = 0;
  for (int action = 0; action < kActions; ++action) {
    if (frames_to_lock[action] != kUnreachable) legal[count++] = action;
  }
  const auto any = [&] { return legal[random() % static_cast<u64>(count)]; };
  int best = any();
  u32 most = 0;
  if (random() % 2) return best;
  const bool last = random() % 2;  // half of the time the round shall go on
  Round parked{};
  parked.match = match;
  parked.seat[side].parked = 1;
  for (int tries = 0; tries < 24; ++tries) {
    const int action = any();
    Round copy = parked;
    place_and_settle(copy, side, action, frames_to_lock[action]);
    const Events& events = copy.events[side];
    if (events.cleared && !last) continue;
    if (events.combos > most) best = action, most = events.combos;
  }
  return best;
}

}  // namespace drm
