#include "start.h"

#include <cstring>

#include "match.h"

namespace drm {

void start_at_setup(Match& match, const GameConfig& config) {
  std::memset(&match, 0, sizeof match);
  match.nb_players = config.players;
  for (int i = 0; i < config.players; ++i) {
    Player& p = match.player[i];
    std::memset(p.bottle, kEmpty, sizeof p.bottle);
    p.status = 255;
    p.level = config.level[i];
    p.speed_setting = config.speed[i];
    p.next_size = p.pill_size = 2;
  }
  match.frame_counter = config.frame_counter;
  match.rng0 = static_cast<u8>(config.seed >> 8);
  match.rng1 = static_cast<u8>(config.seed);
  match.current_player = static_cast<u8>(config.players == 2 ? 5 : 4);
  match.mode = kModeSetup;
}

void start_at_play(Match& match, const GameConfig& config) {
  start_at_setup(match, config);
  const u8 nothing[2] = {0, 0};
  while (match.mode != kModePlay) {
    if (match.wait_frames > 1) {  // nothing happens during the wait but the end of the redraw
      match.wait_frames = 1;
      for (int i = 0; i < config.players; ++i) match.player[i].status = 255;
    }
    frame(match, nothing);
  }
  match.frame_counter = config.frame_counter;
}

}  // namespace drm
