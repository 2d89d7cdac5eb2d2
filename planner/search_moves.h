// What one capsule can do to a board, and how long it takes: the transitions of search. They equal place_and_settle and
// advance (round.h) in bottle, frames and end; tests/planner/search_moves.cpp proves it.
#pragma once

#include <string>

#include "public_state.h"
#include "search_board.h"

namespace drm {

// Why the root cannot be searched, or empty when it can: "is not at rest", and so on.
std::string describe_root(const PublicState& root);

// The clock of a decision, apart from the parity of the frame counter: alike for all nodes of one depth.
struct Pace {
  u8 speed;
  u8 speed_ups;
  u16 capsules;  // the game's counter of those thrown, 2 at the first decision

  Pace next() const;  // of the next capsule (docs/rules.md 7.2)
};

struct Capsule {
  u8 first, second;
};

enum class End : u8 { kNone, kCleared, kTopOut };

// A placement and what it leads to. `tau` as in Events.
struct Child {
  Board board;
  u16 action;
  u16 frames_to_lock;
  u16 tau;
  End end;
};

// Placements of one capsule.
struct Children {
  int size = 0;
  Child at[kActions];

  const Child* begin() const { return at; }
  const Child* end() const { return at + size; }
};

// The result of locking the capsule at `action` after `frames_to_lock` frames. `phase` is the parity of the frame
// counter before the first controllable frame.
void place(const Board& board, int phase, const Pace& pace, Capsule capsule, int action, int frames_to_lock,
           Child& child);

// Every placement that can be reached, in the order of the actions. A board whose spawn is blocked has none.
void expand(const Board& board, int phase, const Pace& pace, Capsule capsule, Children& children);

}  // namespace drm
