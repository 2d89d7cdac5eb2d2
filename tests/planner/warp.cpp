// The law of the decision loop at scale: random games, every decision played twice, once by the clock and once frame by
// frame with the planner's script; the full states must be equal at the next spawn or end (hor_velocity apart, see
// docs/decisions.md). Usage: warp [decisions] [seed]
#include "warp.h"

#include <cstdlib>

#include "decisions.h"
#include "script.h"

using namespace drm;

namespace {

Match fresh_game(std::mt19937_64& random) {
  GameConfig config{};
  config.players = 1;
  config.level[0] = static_cast<u8>(random() % (kMaxLevel + 1));
  config.speed[0] = static_cast<u8>(random() % kSpeeds);
  config.seed = static_cast<u16>(2 + random() % 65534);
  config.frame_counter = static_cast<u8>(random());
  Match match;
  start_at_play(match, config);
  park(match);
  // Late speeds too, which random play never lives to see.
  if (random() % 2) match.player[0].speed_ups = static_cast<u8>(random() % (kMaxSpeedUps + 1));
  return match;
}

// Plays the script and then nothing until the next parked moment or the end; returns the frames that took.
u32 play_script(Match& match, const u8* buttons, int length) {
  u32 frames = 0;
  do {
    const u8 held[2] = {static_cast<int>(frames) < length ? buttons[frames] : u8{0}, 0};
    frame(match, held);
    ++frames;
  } while (running(match) && (static_cast<int>(frames) < length || match.player[0].next_action != kFall));
  return frames;
}

}  // namespace

int main(int argc, char** argv) {
  const long decisions = argc > 1 ? std::atol(argv[1]) : 10'000;
  std::mt19937_64 random(argc > 2 ? static_cast<u64>(std::atol(argv[2])) : 1u);
  Match match = fresh_game(random);
  long games = 1, clears = 0, frames = 0;
  for (long n = 0; n < decisions; ++n) {
    u16 frames_to_lock[kActions];
    const ReachQuery query = query_of(match, 0);
    reach(query, frames_to_lock);
    const int action = pick_legal(frames_to_lock, random);
    u8 buttons[kMaxScript];
    const int length = script(query, action, buttons, kMaxScript);
    Match played = match;
    const u32 tau = play_script(played, buttons, length);
    Outcome outcome;
    place_and_settle(match, action, frames_to_lock[action], outcome);
    if (!outcome.cleared) throw_next(match, outcome);
    clears += outcome.combos > 0;
    frames += tau;
    played.player[0].hor_velocity = match.player[0].hor_velocity;
    if (!equal_states(match, played) || length != frames_to_lock[action] || outcome.tau != tau) {
      std::printf("decision %ld: action %d, script %d, frames %u and %u: states differ\n", n, action, length, tau,
                  outcome.tau);
      return 1;
    }
    if (!running(match)) {
      match = fresh_game(random);
      ++games;
    }
  }
  std::printf("%ld decisions, %ld games, %ld with clears, %ld frames: equal\n", decisions, games, clears, frames);
  return 0;
}
