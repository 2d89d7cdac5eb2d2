// libFuzzer target: the bytes are a game's state and then the buttons of two pads, frame by frame. States that
// describe_invalid refuses are skipped; everything it lets through must run without a memory error.
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "fields.h"
#include "match.h"
#include "validate.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace drm;
  if (size < sizeof(Match) + 2) return 0;
  Match match;
  std::memcpy(&match, data, sizeof match);
  match.nb_players = match.nb_players & 1 ? 1 : 2;
  if (match.nb_players == 1) std::memset(&match.player[1], 0, sizeof(Player));
  std::memset(match.padding, 0, sizeof match.padding);
  match.pause_audio_flag = match.pause_audio_flag & 1 ? 5 : 0;
  for (Player& p : match.player) {
    for (u8* digits : {&p.virus_left_bcd, &p.pill_count_bcd, &p.pill_count_hundreds})
      *digits = int_to_bcd(*digits % 100);
  }
  if (!describe_invalid(match, match.nb_players).empty()) return 0;
  for (std::size_t at = sizeof match; at + 1 < size; at += 2) frame(match, data + at);
  return 0;
}

// Mutated bytes are almost never a valid game, so a mutation is repaired field by field before it runs.
extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);
extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size, unsigned) {
  using namespace drm;
  size = LLVMFuzzerMutate(data, size, max_size);
  if (size < sizeof(Match)) {
    if (max_size < sizeof(Match) + 256) return size;
    std::memset(data + size, 0xFF, sizeof(Match) + 256 - size);
    size = sizeof(Match) + 256;
  }
  static constexpr u8 kKinds[] = {0xFF,      0xFF,       kVirus,  kTop,      kBottom,
                                  kLeftHalf, kRightHalf, kSingle, kClearing, kEmptied};
  for (const Field& field : match_fields(2)) {
    const bool bottle = std::strstr(field.name, "bottle") != nullptr;
    for (std::size_t i = 0; i < field.bytes; ++i) {
      u8& byte = data[field.offset + i];
      if (!bottle) {
        if (byte > field.max) byte = static_cast<u8>(byte % (field.max + 1));
        continue;
      }
      const u8 kind = kKinds[byte / 3 % sizeof kKinds];
      byte = kind == 0xFF || (kind == kRightHalf && i % kCols == 0) ? kEmpty : static_cast<u8>(kind + byte % 3);
    }
  }
  return size;
}
