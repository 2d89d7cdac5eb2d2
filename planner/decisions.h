// The spawn-to-spawn loop: N games with their long-lived observation buffers. docs/decisions.md is its page.
#pragma once

#include <string>
#include <vector>

#include "observations.h"
#include "observe.h"
#include "public_state.h"
#include "round.h"
#include "start.h"
#include "thread_pool.h"

namespace drm {

enum Winner : u8 { kNobody = 0, kFirstWins = 1, kSecondWins = 2, kDraw = 3 };

// A game, its bookkeeping included: what a snapshot holds.
struct Game {
  Round round;
  u32 decisions[2];  // made by each seat
  u32 frames[2];     // of those that are over
  u32 truncated;     // 1: reached max_decisions
  u32 winner;        // Winner; a one-player game is won when it is cleared

  bool ended() const { return round.over || truncated; }
  // A decision of that seat is due; if truncated, it is seen but not made.
  bool decides(int seat) const { return round.seat[seat].parked && !round.over; }
};

// Why a game read from outside could not go on, or empty when it can; its match is valid (validate.h).
std::string describe_invalid(const Game& game);

class Decisions {
 public:
  // copy: observations that somebody shares stay as they are, see KeptArray.
  Decisions(int num_games, int players, PlaneSet planes, int threads, u32 max_decisions, bool copy = false);

  int size() const { return static_cast<int>(games.size()); }
  int players() const { return players_; }
  std::size_t rows() const { return games.size() * static_cast<std::size_t>(players_); }
  u32 max_decisions() const { return max_decisions_; }
  ThreadPool& pool() { return pool_; }
  const ThreadPool& pool() const { return pool_; }
  PlaneSet plane_set() const { return plane_set_; }
  std::size_t plane_count() const { return plane_names(plane_set_).size(); }

  // Restarts the games of `mask`. Nothing has been told after it, in no game.
  void reset(const std::vector<GameConfig>& configs, const GameMask& mask);

  // One decision of every parked seat of the games of `mask` that have not ended; those actions must be legal.
  void step(const i32* actions, const GameMask& mask);

  // By the frames to lock: callers may write to the masks that they share.
  bool is_legal(std::size_t row, long action) const {
    if (action < 0 || action >= kActions) return false;
    return to_act[row] && seen.frames_to_lock.now()[row * kActions + static_cast<std::size_t>(action)] != kUnreachable;
  }

  // Replaces the bottles of the games of `mask`, u8[rows, 128], and counts their viruses; nothing else of a game
  // changes.
  void set_bottles(const u8* bottles, const GameMask& mask);

  // Replaces all games by valid ones (see `round.h`). Nothing has been told after it.
  void replace(const std::vector<Game>& others);

  std::vector<Game> games;
  // One row per seat: row = game * players + seat.
  Observations seen;
  std::vector<PublicState> visible;
  std::vector<u8> to_act, viruses_left;
  std::vector<u32> decisions, frames;
  std::vector<Events> told;  // of the decision that ended in the last step; all zero where none did
  // One row per game.
  std::vector<u8> truncated;  // by the last step
  std::vector<u8> ended, winner;
  std::vector<u32> moves;  // how often the game was moved, replaced or changed, modulo 2^32

 private:
  // What the last step told, in all games, when some of them change.
  enum class News : u8 { kForgotten, kTold };
  void forget(std::size_t n);
  // Calls move(n, before) for the games of `mask`, `before` being the frames to lock until then, and looks at them.
  template <typename Move>
  void change(const GameMask& mask, News news, const Move& move);
  void step_game(std::size_t n, const i32* actions, const std::vector<u16>& before);
  // Plans what can be reached, and shows it.
  void observe(std::size_t n);
  // Writes the columns that hold few bytes of a game. Threads would take the lines of their caches from one another if
  // they did so after each.
  void list(std::size_t n);
  // Shows a game that did not change, of which `before` has the frames.
  void show(std::size_t n, const std::vector<u16>& before);

  int players_;
  PlaneSet plane_set_;
  u32 max_decisions_;
  ThreadPool pool_;
};

// Index of the first row of a game of `mask` whose decision is due and whose action is not legal, or -1.
long first_illegal(Decisions& decisions, const i32* actions, const GameMask& mask);

// A uniformly drawn legal action of every row whose decision is due (0 for the others): a hash of the seed, the game's
// digest and the seat, so a game is played the same whatever else is in the batch.
void draw_legal(Decisions& decisions, u64 seed, i32* actions);

// Why Decisions::set_bottles must not be called with these, or empty when it may.
std::string describe_bad_bottles(const Decisions& decisions, const u8* bottles, const GameMask& mask);

}  // namespace drm
