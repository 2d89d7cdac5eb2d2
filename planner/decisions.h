// The spawn-to-spawn loop: every game is parked before the first controllable frame of a capsule, a decision names the
// placement, and clocks (not frames) carry the game to the next such moment.
#pragma once

#include <string>
#include <vector>

#include "observe.h"
#include "reach.h"
#include "setup.h"
#include "thread_pool.h"

namespace drm {

// What one placement did. Frames count from the first controllable frame of this capsule to that of the next one, or,
// when the game ends, up to and including the frame of the last virus or of the blocked spawn.
struct Outcome {
  u32 tau;
  u8 viruses_cleared;
  u8 halves_cleared;
  u8 combos;   // runs cleared
  u8 cascade;  // match passes that cleared something
  bool cleared;
  bool top_out;
};

// The placement query of a player who is about to control a fresh capsule.
ReachQuery query_of(const Match& match, int player);

// Writes the capsule at the action's pose, as the frame does in which it locks after `frames_to_lock` frames of
// falling; the clock and the redraw countdown already show that frame.
void lock_capsule(Player& player, u8 frame_counter, int action, u16 frames_to_lock);

// Lets `frames` frames pass in which nothing but the clock and the redraw countdowns moves.
void skip_frames(Match& match, u32 frames);

// Cells that are neither free nor marked as part of a run.
int living_cells(const u8* bottle);

// Parked game -> capsule locked at the action's pose after `frames_to_lock` frames -> everything settled, next capsule
// not yet thrown (or the stage cleared). Equal to playing the script frame by frame in every field that rules depend
// on.
void place_and_settle(Match& match, int action, u16 frames_to_lock, Outcome& outcome);

// Settled game -> next parked moment, or a blocked spawn.
void throw_next(Match& match, Outcome& outcome);

// A parked game right after a reset to the first sample of play.
void park(Match& match);

// N one-player games with their long-lived observation buffers; see design.md, "Decision loop contract".
class Decisions {
 public:
  Decisions(int num_games, PlaneSet planes, int threads, u32 max_decisions);

  struct Counters {  // per game, part of the snapshot
    u32 decisions;
    u32 frames;
    u32 ended;  // 0 or 1
  };

  int size() const { return static_cast<int>(games.size()); }
  ThreadPool& pool() { return pool_; }
  PlaneSet plane_set() const { return plane_set_; }
  int plane_count() const { return static_cast<int>(plane_names(plane_set_).size()); }

  // Restarts the games of `mask`; clears every event column.
  void reset(const std::vector<GameConfig>& configs, const std::vector<bool>& mask);

  // One decision for every game that has not ended. Actions of running games must be legal.
  void step(const i32* actions);

  // Replaces the bottles of the games of `mask`, u8[N, 128], and counts their viruses; nothing else of a game changes.
  void set_bottles(const u8* bottles, const std::vector<bool>& mask);

  // Why set_bottles must not be called with these, or empty when it may.
  std::string describe_bad_bottles(const u8* bottles, const std::vector<bool>& mask) const;

  // Recomputes masks and observations from `games` and `counters` (after a load).
  void refresh();

  // A uniformly drawn legal action of every running game (0 for the others): a hash of the seed and the game's digest,
  // so a game is played the same whatever else is in the batch.
  void sample_legal(u64 seed, i32* actions);

  // Index of the first running game whose action is not legal, or -1.
  int first_illegal(const i32* actions) const;

  std::vector<Match> games;
  std::vector<Counters> counters;
  // [N, C, 16, 8], [N, S], [N, 512], [N, 512]
  std::vector<u8> planes;
  std::vector<float> scalars;
  std::vector<u8> legal;
  std::vector<u16> frames_to_lock;
  // Events of the last step, [N] each.
  std::vector<u32> tau;
  std::vector<u8> viruses_cleared, halves_cleared, combos, cascade, viruses_left;
  std::vector<u8> cleared, top_out, truncated, ended;
  std::vector<u32> decisions, frames;

 private:
  void clear_events();
  void step_one(std::size_t n, int action);
  void observe(std::size_t n);

  PlaneSet plane_set_;
  u32 max_decisions_;
  ThreadPool pool_;
};

}  // namespace drm
