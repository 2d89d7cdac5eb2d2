// Time in the decision loop: one round of a one- or two-player game, moved by clocks instead of frames.
//
// A round advances until at least one seat is parked: its next frame is the first in which the player controls a fresh
// capsule. A parked seat decides where the capsule locks and after how many frames. Nothing can change the bottle under
// a falling capsule (garbage arrives only after a lock), so the fall is not simulated: a clock counts its frames. Waits
// for redraws and for the throw are clocks as well. Frames in which more than clocks would move are the engine's own.
//
// Event order with two seats. Seats parked in the same frame decide together, not seeing each other's choice. Inside a
// frame player 1 acts before player 2, as the game has it (docs/rules.md 6): an attack that player 1 completes in a
// frame reaches player 2's attack call of that frame, the reverse only from the next frame on.
#pragma once

#include <string>

#include "events.h"
#include "reach.h"
#include "state.h"

namespace drm {

// What one player is doing between two decisions.
struct Seat {
  i32 action;          // where the capsule in the air will lock
  u32 frames_to_lock;  // and after how many frames, from its first controllable one
  u32 frames_left;     // of those; 0 while the seat settles or is parked
  u32 parked;          // 1: a decision is due
};

struct Round {
  Match match;
  Seat seat[2];
  Events events[2];  // since the seat's last decision
  u32 over;          // 1: cleared or topped out

  int players() const { return match.nb_players; }
};

// The placement query of a player who is about to control a fresh capsule.
ReachQuery query_of(const Match& match, int player);

// From the first sample of play to the first decision, untold.
void begin(Round& round);

// The decision of a parked seat; advance() lets it happen.
void decide(Round& round, int seat, int action, u16 frames_to_lock);

// Until a seat is parked or the round is over.
void advance(Round& round);

// What would come of a decision if the other seat stood still and had sent nothing: the capsule locks and everything
// settles, the next one is not yet thrown (or the round is over). `round` is a copy that advance() may carry on.
void place_and_settle(Round& round, int seat, int action, u16 frames_to_lock);

// A round of a match read from outside, whose seats are parked or settling. Returns why it cannot be, or empty.
std::string seat_players(Round& round);

// Why a round read from outside could not go on, or empty when it can; its match is valid (validate.h).
std::string describe_invalid(const Round& round);

}  // namespace drm
