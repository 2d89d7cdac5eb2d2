// Many games stepped together, frame by frame.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "setup.h"
#include "state.h"
#include "thread_pool.h"

namespace drm {

// A field of Match: where its bytes lie.
struct Field {
  const char* name;  // golden name, "p1_..." and "p2_..." for the players
  std::size_t offset;
  std::size_t bytes;
  u8 max;  // greatest value accepted from outside
};

// All fields of a game with `players` players, in dtype order.
std::vector<Field> match_fields(int players);

class Batch {
 public:
  Batch(int num_games, int players, int threads);

  int size() const { return static_cast<int>(games_.size()); }
  int players() const { return players_; }
  int threads() const { return pool_.threads(); }
  Match* games() { return games_.data(); }
  const Match* games() const { return games_.data(); }
  ThreadPool& pool() { return pool_; }

  // Plays frames [T][N][P] of held buttons. Each recorded field f receives its value after every frame at
  // out[f] + ((t * N) + n) * bytes. Runs every game through all frames before the next, which keeps it in cache.
  void run(const u8* buttons, int frames, std::span<const Field> record, std::span<u8* const> out);

 private:
  std::vector<Match> games_;
  int players_;
  ThreadPool pool_;
};

// Why the bytes of a game are not a possible state ("p1_pill_x is 9, allowed are 0..7"), or empty when they are fine.
// Guards the engine against indices out of range; it does not prove that a console can get there.
std::string describe_invalid(const Match& match, int players);

// The same for a bottle alone; `cell` is what precedes the index in the sentence: "p1_bottle[" gives "p1_bottle[5] is".
std::string describe_invalid_bottle(const u8* bottle, const std::string& cell);

}  // namespace drm
