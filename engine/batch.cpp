#include "batch.h"

#include <algorithm>

#include "match.h"

namespace drm {

// Frames of one game are played in blocks, game after game: a block of the [T][N][P] buttons stays in the L1 cache.
static constexpr int kFrameBlock = 256;
static constexpr int kGameGrain = 16;

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

void Batch::reset(const std::vector<GameConfig>& configs, const std::vector<bool>& mask, bool at_play) {
  std::fill(events_.begin(), events_.end(), Events{});
  pool_.for_chunks(size(), kGameGrain, [&](int begin, int end) {
    for (auto n = static_cast<std::size_t>(begin); n < static_cast<std::size_t>(end); ++n) {
      if (mask[n]) (at_play ? start_at_play : start_at_setup)(games_[n], configs[n]);
    }
  });
}

void Batch::replace(std::vector<Match> games) {
  std::copy(games.begin(), games.end(), games_.begin());  // in place: Python holds views of this memory
  std::fill(events_.begin(), events_.end(), Events{});
}

void Batch::run_game(std::size_t n, const u8* buttons, std::size_t first, std::size_t last,
                     std::span<const Field> record, std::span<u8* const> out) {
  const auto n_players = static_cast<std::size_t>(players_);
  Match& game = games_[n];
  Events events[2];  // on the stack: most frames tell nothing, and memory is far
  for (std::size_t i = 0; i < n_players; ++i) events[i] = first > 0 ? events_[n * n_players + i] : Events{};
  for (std::size_t t = first; t < last; ++t) {
    const u8* held = buttons + (t * games_.size() + n) * n_players;
    const u8 both[2] = {held[0], n_players == 2 ? held[1] : u8{0}};
    frame(game, both, events);
    for (std::size_t f = 0; f < record.size(); ++f) {
      const Field& field = record[f];
      std::memcpy(out[f] + (t * games_.size() + n) * field.bytes, reinterpret_cast<const u8*>(&game) + field.offset,
                  field.bytes);
    }
  }
  for (std::size_t i = 0; i < n_players; ++i) events_[n * n_players + i] = events[i];
}

void Batch::run(const u8* buttons, int frames, std::span<const Field> record, std::span<u8* const> out) {
  if (frames == 0) std::fill(events_.begin(), events_.end(), Events{});
  pool_.for_chunks(size(), kGameGrain, [&](int begin, int end) {
    for (int block = 0; block < frames; block += kFrameBlock) {
      const int block_end = std::min(block + kFrameBlock, frames);
      for (auto n = static_cast<std::size_t>(begin); n < static_cast<std::size_t>(end); ++n) {
        run_game(n, buttons, static_cast<std::size_t>(block), static_cast<std::size_t>(block_end), record, out);
      }
    }
  });
}

}  // namespace drm
