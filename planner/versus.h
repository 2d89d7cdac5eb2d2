// The decision loop of two-player games: each side decides at its own spawns while the other may still be falling.
//
// Event order. A round advances until at least one side is parked before the first controllable frame of a fresh
// capsule; both can be, in the same frame. Sides that are parked decide (together, not seeing each other's choice); the
// others keep what they decided. Inside a frame player 1 acts before player 2, as the game has it (rules.md 6): an
// attack that player 1 completes in a frame reaches player 2's attack call of that frame, the reverse only from the
// next frame on. A falling capsule is not simulated: nothing can change the bottle under it (attacks are delivered only
// after a lock), so its lock frame is known when it is decided.
#pragma once

#include <vector>

#include "decisions.h"

namespace drm {

inline constexpr int kSides = 2;

enum Winner : u8 { kNobody = 0, kFirstWins = 1, kSecondWins = 2, kDraw = 3 };

// What one side is doing between two decisions, and what happened to it since its last one.
struct Side {
  u32 frames_left;  // until its capsule locks; 0 while it settles or waits
  i32 action;
  u32 frames_to_lock;
  u32 waiting;  // 1: parked, a decision is due
  u32 tau;
  u32 viruses_cleared, halves_cleared, combos, cascade, attack_sent, garbage_received;
};

class Versus {
 public:
  Versus(int num_games, PlaneSet planes, int threads);

  struct Round {
    Match match;
    Side side[kSides];
    u32 winner;  // Winner
    u32 ended;
  };

  int size() const { return static_cast<int>(rounds.size()); }
  ThreadPool& pool() { return pool_; }
  PlaneSet plane_set() const { return plane_set_; }
  std::size_t plane_count() const { return plane_names(plane_set_).size(); }

  void reset(const std::vector<GameConfig>& configs, const std::vector<bool>& mask);

  // actions[N][2]: used where to_act; those must be legal.
  void step(const i32* actions);
  void refresh();
  // Index n * 2 + side of the first waiting side whose action is not legal, or -1.
  long first_illegal(const i32* actions) const;

  std::vector<Round> rounds;
  // [N, 2, C, 16, 8], [N, 2, S], [N, 2, 512], [N, 2, 512]; sides that do not decide now have no legal action.
  std::vector<u8> planes;
  std::vector<float> scalars;
  std::vector<u8> legal;
  std::vector<u16> frames_to_lock;
  // [N, 2]: whose decision is due, and what happened to a side since its last decision.
  std::vector<u8> to_act, viruses_cleared, halves_cleared, combos, cascade, attack_sent, garbage_received, viruses_left;
  std::vector<u32> tau;
  std::vector<u8> winner, ended;  // [N]

 private:
  void observe(std::size_t n);

  PlaneSet plane_set_;
  ThreadPool pool_;
};

}  // namespace drm
