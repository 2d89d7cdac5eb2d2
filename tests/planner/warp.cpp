// The law of the decision loop at scale: random games, every decision played twice, once by the clock and once frame by
// frame with the planner's script; the full states must be equal at the next spawn or end (hor_velocity apart, see
// docs/decisions.md). Usage: warp [decisions] [seed]
#include "warp.h"

#include <cstdlib>

#include "round.h"
#include "script.h"
#include "start.h"

using namespace drm;

namespace {

Round fresh_game(std::mt19937_64& random) {
  GameConfig config{};
  config.players = 1;
  config.level[0] = static_cast<u8>(random() % (kMaxLevel + 1));
  config.speed[0] = static_cast<u8>(random() % kSpeeds);
  config.seed = static_cast<u16>(2 + random() % 65534);
  config.frame_counter = static_cast<u8>(random());
  Round round{};
  start_at_play(round.match, config);
  begin(round);
  // Late speeds too, which random play never lives to see.
  if (random() % 2) round.match.player[0].speed_ups = static_cast<u8>(random() % (kMaxSpeedUps + 1));
  return round;
}

// Plays the script and then nothing until the next parked moment or the end; returns what the frames told.
Events play_script(Match& match, const u8* buttons, int length) {
  Events events{};
  int frames = 0;
  do {
    const u8 held[2] = {frames < length ? buttons[frames] : u8{0}, 0};
    frame(match, held, &events);
    ++frames;
  } while (running(match) && (frames < length || match.player[0].next_action != kFall));
  return events;
}

}  // namespace

int main(int argc, char** argv) {
  const long decisions = argc > 1 ? std::atol(argv[1]) : 10'000;
  std::mt19937_64 random(argc > 2 ? static_cast<u64>(std::atol(argv[2])) : 1u);
  Round round = fresh_game(random);
  long games = 1, clears = 0, frames = 0;
  for (long n = 0; n < decisions; ++n) {
    u16 frames_to_lock[kActions];
    const ReachQuery query = query_of(round.match, 0);
    reach(query, frames_to_lock);
    const int action = pick_legal(frames_to_lock, random);
    u8 buttons[kMaxScript];
    const int length = script(query, action, buttons);
    Match played = round.match;
    const Events told = play_script(played, buttons, length);
    round.events[0] = {};
    decide(round, 0, action, frames_to_lock[action]);
    advance(round);
    clears += told.combos > 0;
    frames += told.tau;
    played.player[0].hor_velocity = round.match.player[0].hor_velocity;
    const bool same_events = std::memcmp(&told, &round.events[0], sizeof told) == 0;
    if (!equal_states(round.match, played) || length != frames_to_lock[action] || !same_events) {
      std::printf("decision %ld: action %d, script %d, frames %u and %u: states or events differ\n", n, action, length,
                  told.tau, round.events[0].tau);
      return 1;
    }
    if (round.over) {
      round = fresh_game(random);
      ++games;
    }
  }
  std::printf("%ld decisions, %ld games, %ld with clears, %ld frames: equal\n", decisions, games, clears, frames);
  return 0;
}
