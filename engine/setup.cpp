#include "setup.h"

#include <algorithm>
#include <cassert>

#include "tables.h"

namespace drm {

void generate_reserve(Match& match) {
  Rng rng = rng_of(match);
  u32 k = 0;
  for (int i = kReserve - 1; i >= 0; --i) {
    rng.step();
    k = (k + (rng.hi & 15u)) % 9u;
    match.reserve[i] = static_cast<u8>(k);
  }
  store_rng(match, rng);
}

void advance_pill(Match& match, Player& p) {
  p.pill_color_l = p.next_color_l;
  p.pill_color_r = p.next_color_r;
  p.pill_rotation = kSpawnPose.rotation;
  p.pill_x = kSpawnPose.x;
  p.pill_y = kSpawnPose.y;
  const u8 capsule = match.reserve[p.reserve_index];
  p.next_color_l = capsule / 3;
  p.next_color_r = capsule % 3;
  p.reserve_index = (p.reserve_index + 1) & (kReserve - 1);
  if (p.pill_count_bcd != 0x99) {
    p.pill_count_bcd = bcd_increment(p.pill_count_bcd);
  } else if (p.pill_count_hundreds != 0x99) {
    p.pill_count_bcd = 0;
    p.pill_count_hundreds = bcd_increment(p.pill_count_hundreds);
  }
  if ((p.pill_count_bcd & 0x0F) == 0 && p.speed_ups != kMaxSpeedUps) ++p.speed_ups;
  p.combo = 0;
  p.next_rotation = 0;
  match.pill_thrown_frame = 0;
}

void init_level(Match& match) {
  assert(match.mode == kModeSetup);
  // Both players continue from the record processed last; only its DAS counter matters (docs/rules.md 5.2).
  Player record = match.player[match.record_owner];
  record.speed_counter = record.combo = record.chain_len = record.attack_size = record.placed_step = 0;
  record.next_size = record.pill_size = 2;
  record.fail_flag = record.status = record.pill_count_bcd = record.pill_count_hundreds = record.reserve_index = 0;
  record.speed_ups = record.speed_index = 0;
  record.next_action = kThrow;
  generate_reserve(match);
  advance_pill(match, record);
  advance_pill(match, record);
  record.pill_count_bcd = 1;
  record.combo = 0;
  for (int i = 0; i < match.nb_players; ++i) {
    Player& p = match.player[i];
    const Player old = p;
    p = record;
    std::memcpy(p.bottle, old.bottle, sizeof p.bottle);
    p.held = old.held;
    p.pressed = old.pressed;
    p.level = old.level;
    p.speed_setting = old.speed_setting;
    p.victories = old.victories;
    p.virus_to_add = virus_count(p.level);
  }
  match.who_won = match.who_failed = 0;
  match.current_player = 4;
  match.levels_over_20 = static_cast<u8>(std::max(match.player[0].level - 20, 0));
  match.enable_pause = 255;
  match.mode = kModeIntro;
  match.mode_step = 0;
}

// Looks for a place for one virus from a random position on, to the right and downwards. Returns whether one was
// placed; the bottle above `MAX_HEIGHT` stays free.
static bool place_one(Match& match, Player& p, u8* twin_bottle) {
  if (p.virus_to_add == 0) return false;
  Rng rng = rng_of(match);
  u8 height;
  do {
    rng.step();
    height = rng.hi & 15;
  } while (height > kMaxHeight[p.level]);
  int pos = (15 - height) * kCols + (rng.lo & 7);
  u8 color = p.virus_to_add & 3;
  if (color == 3) {
    rng.step();
    color = kExtraColor[rng.lo & 15];
  }
  store_rng(match, rng);
  for (;; ++pos) {
    if (pos >= kCells) return false;
    if (p.bottle[pos] != kEmpty) continue;
    const int col = pos % kCols;
    u32 seen = 0;  // bit c: colour c at distance exactly two
    const auto look = [&](bool inside, int at) {
      if (inside && p.bottle[at] != kEmpty) seen |= 1u << color_of(p.bottle[at]);
    };
    look(pos >= 16, pos - 16);
    look(pos < kCells - 16, pos + 16);
    look(col >= 2, pos - 2);
    look(col <= 5, pos + 2);
    if (seen == 7) continue;
    while (seen >> color & 1) color = color == 0 ? 2 : color - 1;
    break;
  }
  p.bottle[pos] = kVirus + color;
  if (twin_bottle) twin_bottle[pos] = p.bottle[pos];
  p.virus_left_bcd = bcd_increment(p.virus_left_bcd);
  p.status = static_cast<u8>(pos / kCols);
  --p.virus_to_add;
  return true;
}

void place_viruses(Match& match, bool first_frame) {
  Player& p1 = match.player[0];
  Player& p2 = match.player[1];
  if (first_frame) p1.virus_left_bcd = p2.virus_left_bcd = 0;
  const bool two = match.nb_players == 2;
  const bool twins = two && p1.level == p2.level;
  match.current_player = 4;
  place_one(match, p1, twins ? p2.bottle : nullptr);
  if (twins) {  // the second player becomes a copy of the first
    p2.virus_left_bcd = p1.virus_left_bcd;
    p2.virus_to_add = p1.virus_to_add;
    p2.status = p1.status;
  } else if (two) {
    match.current_player = 5;
    place_one(match, p2, nullptr);
  }
}

}  // namespace drm
