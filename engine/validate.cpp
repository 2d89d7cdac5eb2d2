#include "validate.h"

#include <algorithm>
#include <array>

#include "fields.h"
#include "match.h"

namespace drm {

static constexpr bool is_bottle_byte(Cell cell) {
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

static constexpr std::array<bool, 256> list_cells() {
  std::array<bool, 256> is{};
  for (int byte = 0; byte < 256; ++byte) is[byte] = is_bottle_byte(static_cast<u8>(byte));
  return is;
}
static constexpr auto kIsCell = list_cells();

bool holds_cells(const u8* bottle) {
  bool all = true;
  for (int i = 0; i < kCells; ++i) all &= kIsCell[bottle[i]];
  return all;
}

std::string describe_invalid_cells(const u8* bottle, const std::string& cell) {
  for (int i = 0; i < kCells; ++i) {
    if (kIsCell[bottle[i]]) continue;
    return cell + std::to_string(i) + "] is " + std::to_string(bottle[i]) +
           ", allowed are 255 and 0x40,50,60,70,80,B0,D0,F0 + colour 0..2";
  }
  return {};
}

std::string describe_invalid_bottle(const u8* bottle, const std::string& cell) {
  std::string problem = describe_invalid_cells(bottle, cell);
  for (int i = 0; i < kCells && problem.empty(); i += kCols) {
    if (kind_of(bottle[i]) != kRightHalf) continue;
    problem =
        cell + std::to_string(i) + "] is " + std::to_string(bottle[i]) + ", a right half, which column 0 cannot hold";
  }
  return problem;
}

static bool is_bcd(u8 value) { return value >> 4 <= 9 && (value & 0x0F) <= 9; }

static std::string describe_player(const Player& p, const std::string& prefix) {
  std::string problem = describe_invalid_bottle(p.bottle, prefix + "bottle[");
  if (!problem.empty()) return problem;
  if (!is_vertical(p.pill_rotation) && p.pill_x > kCols - 2) {
    return prefix + "pill_x is 7 with a horizontal pill_rotation, allowed are 0..6";
  }
  const struct {
    const char* name;
    u8 value;
  } decimals[] = {{"virus_left_bcd", p.virus_left_bcd},
                  {"pill_count_bcd", p.pill_count_bcd},
                  {"pill_count_hundreds", p.pill_count_hundreds}};
  for (const auto& [name, value] : decimals) {
    if (!is_bcd(value)) return prefix + name + " is " + std::to_string(value) + ", allowed are two decimal digits";
  }
  return {};
}

static std::string describe_fields(const Match& match, int players) {
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
  return {};
}

static bool all_zero(const void* data, std::size_t size) {
  const auto* bytes = static_cast<const u8*>(data);
  return std::all_of(bytes, bytes + size, [](u8 byte) { return byte == 0; });
}

static std::string describe_match(const Match& match, int players) {
  constexpr u8 kModes[] = {kModeTitle, kModeOptions, kModeSetup, kModePlay, kModeFailed, kModeEnd, kModeIntro};
  if (match.nb_players != players) {
    return "nb_players is " + std::to_string(match.nb_players) + ", allowed is " + std::to_string(players);
  }
  if (std::find(std::begin(kModes), std::end(kModes), match.mode) == std::end(kModes)) {
    return "mode is " + std::to_string(match.mode) + ", allowed are 0, 1, 3, 4, 5, 7, 8";
  }
  if (match.pause_audio_flag != 0 && match.pause_audio_flag != 5) {
    return "pause_audio_flag is " + std::to_string(match.pause_audio_flag) + ", allowed are 0 and 5";
  }
  if (players == 1 && !all_zero(&match.player[1], sizeof(Player))) {
    return "the second player's record is in use, allowed are zeros in a one-player game";
  }
  if (!all_zero(match.padding, sizeof match.padding)) return "padding is in use, allowed are zeros";
  return {};
}

// The intro counts up to here in two decimal digits.
static constexpr int kMostViruses = 99;

static std::string describe_intro(const Match& match, int players) {
  if (match.mode != kModeIntro) return {};
  for (int i = 0; i < players; ++i) {
    const Player& p = match.player[i];
    const bool counts = match.mode_step > kIntroFirstVirus;  // until then the last round's, of two players, are there
    const int viruses = (counts ? bcd_to_int(p.virus_left_bcd) : 0) + p.virus_to_add;
    if (viruses <= kMostViruses) continue;
    return "p" + std::to_string(i + 1) + "_virus_left_bcd and virus_to_add come to " + std::to_string(viruses) +
           " viruses, allowed are 0.." + std::to_string(kMostViruses);
  }
  return {};
}

std::string describe_invalid(const Match& match, int players) {
  std::string problem = describe_match(match, players);
  if (problem.empty()) problem = describe_fields(match, players);
  if (problem.empty()) problem = describe_player(match.player[0], "p1_");
  if (problem.empty() && players == 2) problem = describe_player(match.player[1], "p2_");
  if (problem.empty()) problem = describe_intro(match, players);
  return problem;
}

}  // namespace drm
