#include "batch.h"

#include <algorithm>

#include "match.h"

namespace drm {

// Frames of one game are played in blocks, game after game: a block of the [T][N][P] buttons stays in the L1 cache.
static constexpr std::size_t kFrameBlock = 256;
static constexpr int kGameGrain = 16;

// Asks for what every frame of a game reads, while the games before it are played: with thousands of games a single
// frame costs less than the way to memory.
static void prefetch(const Match& game, const Events* events) {
  __builtin_prefetch(&game.player[0].held, 1);
  __builtin_prefetch(&game.player[0].score_multiplier, 1);
  __builtin_prefetch(&game.frame_counter, 1);
  __builtin_prefetch(events, 1);
}
static constexpr std::size_t kGamesAhead = 12;

Batch::Batch(int num_games, int players, int threads)
    : games_(static_cast<std::size_t>(num_games)),
      events_(games_.size() * static_cast<std::size_t>(players)),
      players_(players),
      pool_(threads) {
  const GameConfig config{{0, 0}, {kLow, kLow}, 0x8988, 0, static_cast<u8>(players)};
  Match fresh;
  start_at_play(fresh, config);
  std::fill(games_.begin(), games_.end(), fresh);
}

void Batch::reset(const std::vector<GameConfig>& configs, const GameMask& mask, bool at_play) {
  std::fill(events_.begin(), events_.end(), Events{});
  pool_.for_chunks(size(), kGameGrain, [&](int begin, int end) {
    for (auto n = static_cast<std::size_t>(begin); n < static_cast<std::size_t>(end); ++n) {
      if (mask[n]) (at_play ? start_at_play : start_at_setup)(games_[n], configs[n]);
    }
  });
}

void Batch::replace(const std::vector<Match>& games) {
  std::copy(games.begin(), games.end(), games_.begin());  // in place: Python holds views of this memory
  std::fill(events_.begin(), events_.end(), Events{});
}

// Writes the recorded fields of a game after a frame; row = t * N + n.
static void keep(const Match& game, std::size_t row, std::span<const Field> record, std::span<u8* const> out) {
  for (std::size_t f = 0; f < record.size(); ++f) {
    const Field& field = record[f];
    std::memcpy(out[f] + row * field.bytes, reinterpret_cast<const u8*>(&game) + field.offset, field.bytes);
  }
}

void Batch::run(const u8* buttons, std::size_t frames, std::span<const Field> record, std::span<u8* const> out) {
  std::fill(events_.begin(), events_.end(), Events{});
  const auto n_games = static_cast<std::size_t>(size());
  const auto n_players = static_cast<std::size_t>(players_);
  pool_.for_chunks(size(), kGameGrain, [=, games = games_.data(), all_events = events_.data()](int begin, int end) {
    for (std::size_t block = 0; block < frames; block += kFrameBlock) {
      const std::size_t block_end = std::min(block + kFrameBlock, frames);
      for (auto n = static_cast<std::size_t>(begin); n < static_cast<std::size_t>(end); ++n) {
        const std::size_t next = std::min(n + kGamesAhead, n_games - 1);
        prefetch(games[next], &all_events[next * n_players]);
        Events* events = &all_events[n * n_players];
        for (std::size_t row = block * n_games + n; row < block_end * n_games; row += n_games) {
          const u8* held = buttons + row * n_players;
          const u8 both[2] = {held[0], n_players == 2 ? held[1] : u8{0}};
          frame(games[n], both, events);
          keep(games[n], row, record, out);
        }
      }
    }
  });
}

}  // namespace drm
