// What happened to a player, told by the engine in the frame and at the place where it happens.
//
// The table is the single source of the struct, of the numpy dtype (`Batch.events`), of the columns of `Decisions` and
// of those of the afterstates. Whoever plays frames adds up: an Events accumulates until somebody sets it to {}.
#pragma once

#include "types.h"

namespace drm {

// X(name, type, count, meaning)
#define DRM_EVENT_FIELDS(X)                                                                        \
  X(tau, u32, 1, "frames of play, the last one included")                                          \
  X(capsules, u16, 1, "capsules locked")                                                           \
  X(viruses_cleared, u16, 1, "viruses cleared")                                                    \
  X(viruses_by_color, u16, kColors, "the same by colour: yellow, red, blue")                       \
  X(halves_cleared, u16, 1, "capsule halves cleared")                                              \
  X(combos, u16, 1, "runs cleared")                                                                \
  X(runs_after_first, u16, 1, "runs beyond the first of a lock (or of a delivery of garbage)")     \
  X(cascade, u16, 1, "match passes that cleared something")                                        \
  X(passes_after_first, u16, 1, "clearing passes beyond the first of a lock (or of a delivery)")   \
  X(attack_sent, u16, 1, "halves added to the attack on the opponent, who gets at most 4 of them") \
  X(garbage_received, u16, 1, "halves of the opponent's attack that fell into this bottle")        \
  X(cleared, bool, 1, "the round ended with no virus of this player left")                         \
  X(top_out, bool, 1, "the round ended with this player's new capsule blocked")                    \
  X(won, bool, 1, "the round ended: cleared alone, or the other topped out alone")

struct Events {
#define DRM_EVENT_FIELD(name, type, count, meaning) FieldOf<type, count> name;
  DRM_EVENT_FIELDS(DRM_EVENT_FIELD)
#undef DRM_EVENT_FIELD
  u8 padding;  // spelled out, so that equal events are equal bytes; always 0
};

static_assert(std::is_trivially_copyable_v<Events> && sizeof(Events) % alignof(u32) == 0);
static_assert(sizeof(Events) == 32, "no hidden padding, half a cache line");

}  // namespace drm
