// Fuzz target: bytes -> a snapshot's round, damaged. What describe_invalid lets through must be playable: a hundred
// decisions without a memory error or a hang, after each of which the round is one that a snapshot may hold.
//
// Raw bytes are hardly ever a round, so the first eight say which round a game is played to, and every three after them
// overwrite one of its bytes (offset, low byte first, and value).
//
// libFuzzer links it (`make fuzz`); run_rounds.cpp plays inputs without libFuzzer. Returns -1 for what was no round, as
// libFuzzer has it: such an input does not join the corpus.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "round.h"
#include "start.h"
#include "validate.h"

namespace drm {
namespace {

constexpr std::size_t kRecipe = 8;

void fail(const Round& round, const char* why) {
  std::fprintf(stderr, "%s; %d players, digest %016llx\n", why, round.players(),
               static_cast<unsigned long long>(digest(round.match)));
  std::abort();
}

// Every parked seat decides; false when one has nowhere to go.
bool decide_parked(Round& round, u64& random) {
  for (int seat = 0; seat < round.players(); ++seat) {
    if (!round.seat[seat].parked) continue;
    u16 frames_to_lock[kActions];
    reach(query_of(round.match, seat), frames_to_lock);
    int legal[kActions], count = 0;
    for (int action = 0; action < kActions; ++action) {
      if (frames_to_lock[action] != kUnreachable) legal[count++] = action;
    }
    if (count == 0) return false;
    random = random * 6364136223846793005u + 1442695040888963407u;
    const int action = legal[(random >> 33) % static_cast<u64>(count)];
    decide(round, seat, action, frames_to_lock[action]);
  }
  return true;
}

// Time goes on, and what happened is told, as in Decisions::step_game.
void go_on(Round& round) {
  advance(round);
  for (int seat = 0; seat < 2; ++seat) {
    if (round.over || round.seat[seat].parked) round.events[seat] = {};
  }
}

Round played(const std::uint8_t* recipe, u64& random) {
  GameConfig config{};
  config.players = recipe[0] % 2 ? 1 : 2;
  for (int i = 0; i < 2; ++i) {
    config.level[i] = static_cast<u8>(recipe[1 + i] % (config.players == 2 ? 21 : kMaxLevel + 1));
    config.speed[i] = static_cast<u8>((i ? recipe[3] / 3 : recipe[3]) % kSpeeds);
  }
  config.seed = static_cast<u16>(2 + (recipe[4] | recipe[5] << 8) % 65534);
  config.frame_counter = recipe[6];
  Round round{};
  start_at_play(round.match, config);
  begin(round);
  for (int i = recipe[7] % 64; i > 0 && !round.over; --i) {
    if (!decide_parked(round, random)) fail(round, "no placement in an undamaged round");
    go_on(round);
  }
  return round;
}

bool valid(const Round& round) {
  return describe_invalid(round.match, round.players()).empty() && describe_invalid(round).empty();
}

}  // namespace
}  // namespace drm

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace drm;
  if (size < kRecipe) return -1;
  u64 random = size;
  for (std::size_t i = 0; i < size; ++i) random = (random ^ data[i]) * 1099511628211u;
  Round round = played(data, random);
  const int players = round.players();
  for (std::size_t at = kRecipe; at + 2 < size; at += 3) {
    const std::size_t offset = static_cast<std::size_t>(data[at] | data[at + 1] << 8) % sizeof(Round);
    reinterpret_cast<u8*>(&round)[offset] = data[at + 2];
  }
  if (!describe_invalid(round.match, players).empty() || !valid(round)) return -1;
  for (int i = 0; i < 100 && !round.over; ++i) {
    if (!decide_parked(round, random)) fail(round, "a parked capsule has nowhere to go");
    go_on(round);
    if (!valid(round)) fail(round, (describe_invalid(round.match, players) + describe_invalid(round)).c_str());
  }
  return 0;
}
