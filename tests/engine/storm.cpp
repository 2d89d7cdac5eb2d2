// A long random button storm, meant for a sanitizer build: any byte on both pads, every level, speed and number of
// players, restarts when a match is over. Usage: storm [frames] [seed]
#include <cstdio>
#include <cstdlib>
#include <random>

#include "match.h"
#include "start.h"
#include "validate.h"

using namespace drm;

static Match fresh_game(std::mt19937& random) {
  GameConfig config{};
  config.players = static_cast<u8>(1 + random() % 2);
  for (int i = 0; i < 2; ++i) {
    config.level[i] = static_cast<u8>(random() % (config.players == 2 ? 21 : kMaxLevel + 1));
    config.speed[i] = static_cast<u8>(random() % kSpeeds);
  }
  config.seed = static_cast<u16>(2 + random() % 65534);
  config.frame_counter = static_cast<u8>(random());
  Match match;
  (random() % 2 ? start_at_play : start_at_setup)(match, config);
  return match;
}

int main(int argc, char** argv) {
  const long frames = argc > 1 ? std::atol(argv[1]) : 1'000'000;
  std::mt19937 random(argc > 2 ? static_cast<unsigned>(std::atol(argv[2])) : 1u);
  Match match = fresh_game(random);
  long games = 1;
  u8 held[2] = {0, 0};
  for (long t = 0; t < frames; ++t) {
    // Half of the storm is noise, half holds buttons for a while, so that capsules travel and bottles fill.
    for (u8& pad : held) {
      const auto roll = random();
      if (roll % 2) {
        pad = static_cast<u8>(roll >> 8);
      } else if (roll % 16 == 0) {
        pad = static_cast<u8>(1u << (roll >> 8) % 3 | (roll >> 16) % 4 << 6);
      }
    }
    frame(match, held);
    if (t % 64 == 0) {
      const std::string problem =
          match.mode == kModePlay && match.mode_step == 0 ? describe_invalid(match, match.nb_players) : std::string();
      if (!problem.empty()) {
        std::printf("frame %ld: impossible state: %s\n", t, problem.c_str());
        return 1;
      }
    }
    // The program went back to its title or options, which are outside the engine: nothing will ever change.
    const bool over = match.mode == kModeTitle || match.mode == kModeOptions;
    if (over || random() % 20000 == 0) {
      match = fresh_game(random);
      ++games;
    }
  }
  std::printf("%ld frames, %ld games, last digest %016llx\n", frames, games,
              static_cast<unsigned long long>(digest(match)));
  return 0;
}
