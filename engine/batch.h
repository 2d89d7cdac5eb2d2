// Many games stepped together, frame by frame.
#pragma once

#include <span>
#include <vector>

#include "events.h"
#include "fields.h"
#include "start.h"
#include "state.h"
#include "thread_pool.h"

namespace drm {

class Batch {
 public:
  Batch(int num_games, int players, int threads);

  int size() const { return static_cast<int>(games_.size()); }
  int players() const { return players_; }
  ThreadPool& pool() { return pool_; }
  std::vector<Match>& games() { return games_; }
  const std::vector<Match>& games() const { return games_; }
  const std::vector<Events>& events() const { return events_; }  // [N][P]: of the last run or step

  // Starts the games of `mask` at the first sample of play, or at the sample before the level set-up.
  void reset(const std::vector<GameConfig>& configs, const GameMask& mask, bool at_play);

  // Replaces all games; nothing has happened in them yet.
  void replace(const std::vector<Match>& games);

  // Plays frames [T][N][P] of held buttons. Each recorded field f receives its value after every frame at
  // out[f] + ((t * N) + n) * bytes. Runs every game through many frames before the next, which keeps it in cache.
  void run(const u8* buttons, std::size_t frames, std::span<const Field> record, std::span<u8* const> out);

 private:
  std::vector<Match> games_;
  std::vector<Events> events_;
  int players_;
  ThreadPool pool_;
};

}  // namespace drm
