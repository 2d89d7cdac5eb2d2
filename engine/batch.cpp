#include "batch.h"

#include <algorithm>
#include <cstddef>

#include "match.h"

namespace drm {

// Frames of one game are played in blocks, game after game: a block of the [T][N][P] buttons stays in the L1 cache.
static constexpr int kFrameBlock = 256;
static constexpr int kGameGrain = 16;

std::vector<Field> match_fields(int players) {
  std::vector<Field> fields;
#define DRM_P1(name, bytes, max) fields.push_back({"p1_" #name, offsetof(Player, name), bytes, max});
#define DRM_P2(name, bytes, max) fields.push_back({"p2_" #name, sizeof(Player) + offsetof(Player, name), bytes, max});
#define DRM_SHARED(name, bytes, max) fields.push_back({#name, offsetof(Match, name), bytes, max});
  DRM_PLAYER_FIELDS(DRM_P1)
  if (players == 2) {
    DRM_PLAYER_FIELDS(DRM_P2)
  }
  DRM_SHARED_FIELDS(DRM_SHARED)
  DRM_SHARED(reserve, kReserve, 8)
#undef DRM_P1
#undef DRM_P2
#undef DRM_SHARED
  return fields;
}

Batch::Batch(int num_games, int players, int threads)
    : games_(static_cast<std::size_t>(num_games)), players_(players), pool_(threads) {
  const GameConfig config{{0, 0}, {kLow, kLow}, 0x8988, 0, static_cast<u8>(players)};
  Match fresh;
  start_at_play(fresh, config);
  std::fill(games_.begin(), games_.end(), fresh);
}

void Batch::run(const u8* buttons, int frames, std::span<const Field> record, std::span<u8* const> out) {
  const auto n_games = static_cast<std::size_t>(size());
  const auto n_players = static_cast<std::size_t>(players_);
  pool_.for_chunks(size(), kGameGrain, [&](int begin, int end) {
    for (int block = 0; block < frames; block += kFrameBlock) {
      const int block_end = std::min(block + kFrameBlock, frames);
      for (auto n = static_cast<std::size_t>(begin); n < static_cast<std::size_t>(end); ++n) {
        Match& game = games_[n];
        for (auto t = static_cast<std::size_t>(block); t < static_cast<std::size_t>(block_end); ++t) {
          const u8* held = buttons + (t * n_games + n) * n_players;
          const u8 both[2] = {held[0], n_players == 2 ? held[1] : u8{0}};
          frame(game, both);
          for (std::size_t f = 0; f < record.size(); ++f) {
            const Field& field = record[f];
            std::memcpy(out[f] + (t * n_games + n) * field.bytes, reinterpret_cast<const u8*>(&game) + field.offset,
                        field.bytes);
          }
        }
      }
    }
  });
}

static bool is_bottle_byte(Cell cell) {
  if (cell == kEmpty) return true;
  if (color_of(cell) >= kColors) return false;
  switch (kind_of(cell)) {
    case kTop:
    case kBottom:
    case kLeftHalf:
    case kRightHalf:
    case kSingle:
    case kClearing:
    case kVirus:
    case kEmptied:
      return true;
    default:
      return false;
  }
}

std::string describe_invalid_bottle(const u8* bottle, const std::string& cell) {
  for (int i = 0; i < kCells; ++i) {
    const auto sentence = [&](const char* end) {
      return cell + std::to_string(i) + "] is " + std::to_string(bottle[i]) + end;
    };
    if (!is_bottle_byte(bottle[i])) return sentence(", allowed are 255 and 0x40,50,60,70,80,B0,D0,F0 + colour 0..2");
    // The drop pass moves a right half together with the cell at its left.
    if (i % kCols == 0 && kind_of(bottle[i]) == kRightHalf) {
      return sentence(", a right half, which column 0 cannot hold");
    }
  }
  return {};
}

static std::string describe_player(const Player& p, const char* prefix) {
  const std::string name(prefix);
  const std::string problem = describe_invalid_bottle(p.bottle, name + "bottle[");
  if (!problem.empty()) return problem;
  if (!is_vertical(p.pill_rotation) && p.pill_x > kCols - 2) {
    return name + "pill_x is 7 with a horizontal pill_rotation, allowed are 0..6";
  }
  return {};
}

std::string describe_invalid(const Match& match, int players) {
  const auto* bytes = reinterpret_cast<const u8*>(&match);
  for (const Field& field : match_fields(players)) {
    const std::string name(field.name);
    if (name.ends_with("_bottle")) continue;
    for (std::size_t i = 0; i < field.bytes; ++i) {
      const u8 value = bytes[field.offset + i];
      if (value <= field.max) continue;
      const std::string index = field.bytes > 1 ? "[" + std::to_string(i) + "]" : "";
      return name + index + " is " + std::to_string(value) + ", allowed are 0.." + std::to_string(field.max);
    }
  }
  std::string problem = describe_player(match.player[0], "p1_");
  if (problem.empty() && players == 2) problem = describe_player(match.player[1], "p2_");
  if (problem.empty() && match.mode != kModeTitle && match.mode != kModeOptions && match.mode != kModeSetup &&
      match.mode != kModePlay && match.mode != kModeFailed && match.mode != kModeEnd && match.mode != kModeIntro) {
    problem = "mode is " + std::to_string(match.mode) + ", allowed are 0, 1, 3, 4, 5, 7, 8";
  }
  return problem;
}

}  // namespace drm
