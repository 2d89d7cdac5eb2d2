// What a player may know: everything on the screen, and nothing of the capsules to come after the preview.
//
// Policies, environments and search get this and nothing else; who wants to know the reserve (a solver of a given seed)
// must ask for the full state by name.
#pragma once

#include <type_traits>

#include "state.h"

namespace drm {

// X(name, type, count, meaning)
#define DRM_PUBLIC_FIELDS(X)                                                                        \
  X(bottle, u8, 128, "index = row * 8 + col, row 0 on top")                                         \
  X(capsule, u8, 2, "colours of the capsule's first and second half")                               \
  X(preview, u8, 2, "of the next one")                                                              \
  X(level, u8, 1, "0..24")                                                                          \
  X(speed, u8, 1, "0 LOW, 1 MED, 2 HI")                                                             \
  X(speed_ups, u8, 1, "0..49")                                                                      \
  X(viruses_left, u8, 1, "0..99")                                                                   \
  X(capsules_thrown, u16, 1, "the game's counter: 2 at the first decision, one more at each later") \
  X(frame_counter, u8, 1, "in the sample before the first controllable frame")                      \
  X(crowns, u8, 1, "rounds (one-player: stages) won")                                               \
  X(incoming, u8, 1, "halves of the opponent's attack that wait for the next lock to settle")       \
  X(opponent_bottle, u8, 128, "two-player games; zeros otherwise, as all that follows")             \
  X(opponent_capsule, u8, 2, "the one in the air or about to be")                                   \
  X(opponent_preview, u8, 2, "of the next one")                                                     \
  X(opponent_level, u8, 1, "0..24")                                                                 \
  X(opponent_speed, u8, 1, "0 LOW, 1 MED, 2 HI")                                                    \
  X(opponent_viruses_left, u8, 1, "0..99")                                                          \
  X(opponent_crowns, u8, 1, "rounds won")                                                           \
  X(opponent_incoming, u8, 1, "halves of this player's attack that wait for the opponent")

struct PublicState {
#define DRM_PUBLIC_FIELD(name, type, count, meaning) FieldOf<type, count> name;
  DRM_PUBLIC_FIELDS(DRM_PUBLIC_FIELD)
#undef DRM_PUBLIC_FIELD
};

static_assert(std::is_trivially_copyable_v<PublicState>);
static_assert(std::has_unique_object_representations_v<PublicState>, "no hidden padding");

inline PublicState public_state(const Match& match, int player) {
  const auto viruses = [](const Player& p) { return static_cast<u8>(bcd_to_int(p.virus_left_bcd)); };
  const Player& p = match.player[player];
  PublicState s{};
  std::memcpy(s.bottle, p.bottle, kCells);
  s.capsule[0] = p.pill_color_l;
  s.capsule[1] = p.pill_color_r;
  s.preview[0] = p.next_color_l;
  s.preview[1] = p.next_color_r;
  s.level = p.level;
  s.speed = p.speed_setting;
  s.speed_ups = p.speed_ups;
  s.viruses_left = viruses(p);
  s.capsules_thrown = static_cast<u16>(bcd_to_int(p.pill_count_bcd) + 100 * bcd_to_int(p.pill_count_hundreds));
  s.frame_counter = match.frame_counter;
  s.crowns = p.victories;
  if (match.nb_players == 1) return s;
  const Player& o = match.player[1 - player];
  s.incoming = o.attack_size;
  std::memcpy(s.opponent_bottle, o.bottle, kCells);
  s.opponent_capsule[0] = o.pill_color_l;
  s.opponent_capsule[1] = o.pill_color_r;
  s.opponent_preview[0] = o.next_color_l;
  s.opponent_preview[1] = o.next_color_r;
  s.opponent_level = o.level;
  s.opponent_speed = o.speed_setting;
  s.opponent_viruses_left = viruses(o);
  s.opponent_crowns = o.victories;
  s.opponent_incoming = p.attack_size;
  return s;
}

}  // namespace drm
