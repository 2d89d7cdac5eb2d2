// The complete state of a game, as trivially copyable bytes: snapshot = memcpy, equality = memcmp, digest = hash.
//
// Field names, values and sampling point are those of the golden recordings (docs/golden.md); the field
// tables below are the single source of the struct layouts and of the numpy dtype.
#pragma once

#include <cstring>
#include <type_traits>

#include "rng.h"
#include "types.h"

namespace drm {

// One player. X(name, bytes, greatest value accepted from outside)
#define DRM_PLAYER_FIELDS(X)                                                             \
  X(bottle, 128, 255)   /* index = row * 8 + col */                                      \
  X(held, 1, 255)       /* buttons held in this frame */                                 \
  X(pressed, 1, 255)    /* held now and not in the frame before */                       \
  X(status, 1, 255)     /* redraw countdown, 255 = idle; drops wait for 255 */           \
  X(pill_color_l, 1, 2) /* first colour of the falling capsule */                        \
  X(pill_color_r, 1, 2) /* second colour */                                              \
  X(pill_x, 1, 7)       /* left or only column */                                        \
  X(pill_y, 1, 15)      /* height of the lower half, 15 = top row */                     \
  X(placed_step, 1, 8)  /* Stage, while next_action is kResolve */                       \
  X(fail_flag, 1, 1)    /* topped out */                                                 \
  X(speed_ups, 1, kMaxSpeedUps)                                                          \
  X(speed_setting, 1, kHi)                                                               \
  X(chain_len0, 1, 255)          /* length - 1 of the last run; not used by the rules */ \
  X(combo, 1, 255)               /* runs cleared since the spawn */                      \
  X(pill_count_bcd, 1, 255)      /* capsules thrown, two low BCD digits */               \
  X(pill_count_hundreds, 1, 255) /* two high BCD digits */                               \
  X(speed_counter, 1, 255)       /* frames since the last step down */                   \
  X(hor_velocity, 1, 255)        /* horizontal auto-repeat (DAS) */                      \
  X(match_flag, 1, 255)          /* runs found in the current check */                   \
  X(chain_start_row, 1, 255)     /* row of the last run; not used by the rules */        \
  X(level, 1, kMaxLevel)                                                                 \
  X(next_action, 1, 6)   /* Phase */                                                     \
  X(attack_size, 1, 255) /* attack stored by this player for the other */                \
  X(next_color_l, 1, 2)  /* preview */                                                   \
  X(next_color_r, 1, 2)                                                                  \
  X(victories, 1, 255)   /* rounds won; also counts one-player stages */                 \
  X(speed_index, 1, 255) /* copy of speed_ups; not used by the rules */                  \
  X(chain_len, 1, 255)   /* cells in all runs since the last falling frame */            \
  X(next_rotation, 1, 3) /* of the thrown capsule; picture only */                       \
  X(next_size, 1, 2)     /* always 2 */                                                  \
  X(virus_left_bcd, 1, 0x99)                                                             \
  X(pill_rotation, 1, 3)                                                                 \
  X(pill_size, 1, 2)       /* always 2 */                                                \
  X(reserve_index, 1, 127) /* reserve entry that becomes the next preview */             \
  X(virus_to_add, 1, 84)   /* during the intro */                                        \
  X(attack_color0, 1, 2)   /* colours of the stored attack */                            \
  X(attack_color1, 1, 2)                                                                 \
  X(attack_color2, 1, 2)                                                                 \
  X(attack_color3, 1, 2)                                                                 \
  X(score_multiplier, 1, 255) /* viruses destroyed in this resolution, one-player only */

// What both players share.
#define DRM_SHARED_FIELDS(X)                                                           \
  X(frame_counter, 1, 255)                                                             \
  X(mode, 1, 8)           /* Mode */                                                   \
  X(nmi_flag, 1, 1)       /* always 0: no overruns are modelled */                     \
  X(wait_frames, 1, 255)  /* countdown of the intro and of the end flows */            \
  X(rng0, 1, 255)         /* RNG, high byte */                                         \
  X(rng1, 1, 255)         /* RNG, low byte */                                          \
  X(enable_pause, 1, 255) /* 255: START may pause */                                   \
  X(who_won, 1, 2)                                                                     \
  X(who_failed, 1, 2)                                                                  \
  X(pill_thrown_frame, 1, 24) /* throw animation, paces one-player spawns */           \
  X(current_player, 1, 5)     /* 4 or 5: the player record processed last */           \
  X(pause_audio_flag, 1, 5)   /* 5 while paused */                                     \
  X(nb_players, 1, 2)                                                                  \
  X(levels_over_20, 1, 4)                                                              \
  X(score0, 1, 9) /* six decimal digits, lowest first, times 10 */                     \
  X(score1, 1, 9)                                                                      \
  X(score2, 1, 9)                                                                      \
  X(score3, 1, 9)                                                                      \
  X(score4, 1, 9)                                                                      \
  X(score5, 1, 9)                                                                      \
  X(mode_step, 1, 6)       /* ours: position inside a mode's flow, 0 on entering it */ \
  X(record_owner, 1, 1)    /* ours: whose record a level set-up hands to both */       \
  X(many_virus_flag, 1, 1) /* ours: a 14th virus died in one resolution; the console overruns there */

enum Phase : u8 { kFall = 0, kResolve = 1, kAttack = 2, kHandover = 3, kIdle = 4, kGap = 5, kThrow = 6 };

enum Stage : u8 {
  kBegin = 0,
  kPadA = 1,
  kPadB = 2,
  kDrop = 3,
  kArm = 4,
  kHScan = 5,
  kVScan = 6,
  kTidy = 7,
  kFinish = 8
};

enum Mode : u8 {
  kModeTitle = 0,
  kModeOptions = 1,
  kModeSetup = 3,
  kModePlay = 4,
  kModeFailed = 5,
  kModeEnd = 7,
  kModeIntro = 8
};

#define DRM_FIELD(name, bytes, max) DRM_FIELD_##bytes(name)
#define DRM_FIELD_1(name) u8 name;
#define DRM_FIELD_128(name) u8 name[128];

struct Player {
  DRM_PLAYER_FIELDS(DRM_FIELD)
};

struct Match {
  Player player[2];
  DRM_SHARED_FIELDS(DRM_FIELD)
  u8 reserve[kReserve];  // entry = 3 * first colour + second colour
  u8 padding[3];         // keeps sizeof a multiple of 8 for the digest; always 0
};

static_assert(std::is_trivially_copyable_v<Match> && sizeof(Match) % 8 == 0);
static_assert(alignof(Match) == 1, "all bytes: no hidden padding");

// Fields that stand for the entries of an array.
inline constexpr u8 Player::* kAttackColors[] = {&Player::attack_color0, &Player::attack_color1, &Player::attack_color2,
                                                 &Player::attack_color3};
inline constexpr u8 Match::* kScoreDigits[] = {&Match::score0, &Match::score1, &Match::score2,
                                               &Match::score3, &Match::score4, &Match::score5};

constexpr int bcd_to_int(u8 bcd) { return (bcd >> 4) * 10 + (bcd & 0x0F); }
constexpr u8 int_to_bcd(int value) { return static_cast<u8>(value / 10 * 16 + value % 10); }  // 0..99
constexpr u8 bcd_increment(u8 bcd) { return static_cast<u8>((bcd & 0x0F) == 9 ? bcd + 7 : bcd + 1); }
constexpr u8 bcd_decrement(u8 bcd) { return static_cast<u8>((bcd & 0x0F) == 0 ? bcd - 7 : bcd - 1); }

inline Rng rng_of(const Match& match) { return {match.rng0, match.rng1}; }
inline void store_rng(Match& match, Rng rng) {
  match.rng0 = rng.hi;
  match.rng1 = rng.lo;
}

// 64-bit hash of the full state.
u64 digest(const Match& match);

// The same of n matches, `stride` bytes from one to the next.
void digests(const Match* matches, std::size_t n, u64* hashes, std::size_t stride = sizeof(Match));

}  // namespace drm
