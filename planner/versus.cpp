#include "versus.h"

#include <algorithm>

#include "match.h"

namespace drm {

static constexpr u8 kNothing[kSides] = {0, 0};
static constexpr int kGrain = 4;

namespace {

// What a frame may change that event columns are counted from.
struct Before {
  u8 next_action, match_flag, combo, attack_size, virus_left;
  int living;
};

bool in_play(const Match& match) { return match.mode == kModePlay && match.mode_step == 0; }

Before look(const Player& p) {
  // Cells only die in the two scans; counting them is not free.
  const bool scan = p.next_action == kResolve && (p.placed_step == kHScan || p.placed_step == kVScan);
  return {p.next_action, p.match_flag, p.combo, p.attack_size, p.virus_left_bcd, scan ? living_cells(p.bottle) : 0};
}

void count_events(const Before& before, const Player& after, u8 opponent_attack, Side& side) {
  if (before.living) {
    const int viruses = bcd_to_int(before.virus_left) - bcd_to_int(after.virus_left_bcd);
    side.viruses_cleared += static_cast<u32>(viruses);
    side.halves_cleared += static_cast<u32>(before.living - living_cells(after.bottle) - viruses);
    side.combos += static_cast<u32>(after.combo - before.combo);
    side.cascade += before.match_flag == 0 && after.match_flag != 0;
  }
  if (before.next_action != kAttack) return;
  if (before.combo >= 2) side.attack_sent += before.combo;
  if (after.next_action == kResolve) side.garbage_received += std::min<u32>(opponent_attack, 4);
}

// Player 2 does not act any more in the frame of player 1's third crown.
bool acted(const Match& match, int side) {
  return side == 0 || match.mode != kModeEnd || match.player[0].victories < 3;
}

void one_frame(Versus::Round& round) {
  Match& match = round.match;
  Before before[kSides];
  for (int s = 0; s < kSides; ++s) {
    if (round.side[s].frames_left) match.player[s].next_action = kIdle;  // its capsule falls by the clock
    before[s] = look(match.player[s]);
  }
  frame(match, kNothing);
  // What each side could receive in this frame: player 2 also sees what player 1 completes in it.
  const u8 for_first = before[1].attack_size;
  const u8 first_sends = before[0].next_action == kAttack && before[0].combo >= 2 ? before[0].combo : u8{0};
  const u8 for_second =
      static_cast<u8>((before[0].next_action == kAttack ? before[0].attack_size + first_sends : before[0].attack_size));
  for (int s = 0; s < kSides; ++s) {
    Side& side = round.side[s];
    Player& p = match.player[s];
    ++side.tau;
    if (!side.frames_left) {
      count_events(before[s], p, s == 0 ? for_first : for_second, side);
      side.waiting = in_play(match) && p.next_action == kFall;
      continue;
    }
    --side.frames_left;
    if (match.mode != kModeFailed) p.next_action = kFall;
    if (side.frames_left || !acted(match, s)) continue;
    // Locks before the frame's end is decided: a cleared stage then redraws, a top-out idles both sides.
    const u8 redraw = p.status;
    lock_capsule(p, match.frame_counter, side.action, static_cast<u16>(side.frames_to_lock));
    if (match.mode_step != 0) p.status = redraw;
    if (match.mode == kModeFailed) p.next_action = kIdle;
  }
}

void decide_winner(Versus::Round& round) {
  const Match& match = round.match;
  bool good[kSides], bad[kSides];
  for (int s = 0; s < kSides; ++s) {
    good[s] = match.player[s].virus_left_bcd == 0;
    bad[s] = match.player[s].fail_flag != 0;
  }
  const bool first = good[0] || (!good[1] && bad[1] && !bad[0]);
  const bool second = good[1] || (!good[0] && bad[0] && !bad[1]);
  round.winner = first == second ? kDraw : first ? kFirstWins : kSecondWins;
}

void advance(Versus::Round& round) {
  Side* side = round.side;
  while (!round.ended && !side[0].waiting && !side[1].waiting) {
    if (side[0].frames_left > 1 && side[1].frames_left > 1) {
      const u32 quiet = std::min(side[0].frames_left, side[1].frames_left) - 1;
      skip_frames(round.match, quiet);
      for (int s = 0; s < kSides; ++s) {
        side[s].frames_left -= quiet;
        side[s].tau += quiet;
      }
    }
    one_frame(round);
    if (!in_play(round.match)) {
      round.ended = 1;
      decide_winner(round);
    }
  }
}

}  // namespace

Versus::Versus(int num_games, PlaneSet set, int threads) : plane_set_(set), pool_(threads) {
  const auto n = static_cast<std::size_t>(num_games);
  rounds.resize(n);
  planes.resize(n * kSides * plane_names(set).size() * kCells);
  scalars.resize(n * kSides * kScalars);
  legal.resize(n * kSides * kActions);
  frames_to_lock.resize(n * kSides * kActions);
  for (auto* column : {&to_act, &viruses_cleared, &halves_cleared, &combos, &cascade, &attack_sent, &garbage_received,
                       &viruses_left}) {
    column->resize(n * kSides);
  }
  tau.resize(n * kSides);
  winner.resize(n);
  ended.resize(n);
  const GameConfig config{{0, 0}, {kLow, kLow}, 0x8988, 0, 2};
  reset(std::vector<GameConfig>(n, config), std::vector<bool>(n, true));
}

void Versus::reset(const std::vector<GameConfig>& configs, const std::vector<bool>& mask) {
  pool_.for_chunks(size(), kGrain, [&](int begin, int end) {
    for (auto n = static_cast<std::size_t>(begin); n < static_cast<std::size_t>(end); ++n) {
      if (!mask[n]) continue;
      Round& round = rounds[n];
      round = {};
      start_at_play(round.match, configs[n]);
      advance(round);
      for (Side& side : round.side) side.tau = 0;
      observe(n);
    }
  });
}

void Versus::step(const i32* actions) {
  pool_.for_chunks(size(), kGrain, [&](int begin, int end) {
    for (auto n = static_cast<std::size_t>(begin); n < static_cast<std::size_t>(end); ++n) {
      Round& round = rounds[n];
      if (round.ended) continue;
      for (std::size_t s = 0; s < kSides; ++s) {
        if (!round.side[s].waiting) continue;
        const i32 action = actions[n * kSides + s];
        const u32 frames = frames_to_lock[(n * kSides + s) * kActions + static_cast<std::size_t>(action)];
        round.side[s] = {};
        round.side[s].action = action;
        round.side[s].frames_left = round.side[s].frames_to_lock = frames;
      }
      advance(round);
      observe(n);
    }
  });
}

void Versus::refresh() {
  pool_.for_chunks(size(), kGrain, [&](int begin, int end) {
    for (auto n = static_cast<std::size_t>(begin); n < static_cast<std::size_t>(end); ++n) observe(n);
  });
}

void Versus::observe(std::size_t n) {
  const Round& round = rounds[n];
  winner[n] = static_cast<u8>(round.winner);
  ended[n] = round.ended != 0;
  for (std::size_t s = 0; s < kSides; ++s) {
    const std::size_t row = n * kSides + s;
    const Side& side = round.side[s];
    const Player& p = round.match.player[s];
    const bool deciding = side.waiting && !round.ended;
    to_act[row] = deciding;
    tau[row] = side.tau;
    viruses_cleared[row] = static_cast<u8>(side.viruses_cleared);
    halves_cleared[row] = static_cast<u8>(side.halves_cleared);
    combos[row] = static_cast<u8>(side.combos);
    cascade[row] = static_cast<u8>(side.cascade);
    attack_sent[row] = static_cast<u8>(side.attack_sent);
    garbage_received[row] = static_cast<u8>(side.garbage_received);
    viruses_left[row] = static_cast<u8>(bcd_to_int(p.virus_left_bcd));
    u16* frames_row = &frames_to_lock[row * kActions];
    if (deciding) {
      reach(query_of(round.match, static_cast<int>(s)), frames_row);
    } else {
      std::fill_n(frames_row, kActions, kUnreachable);
    }
    u8* legal_row = &legal[row * kActions];
    for (int a = 0; a < kActions; ++a) legal_row[a] = frames_row[a] != kUnreachable;
    write_planes(p, plane_set_, reinterpret_cast<const bool*>(legal_row), &planes[row * plane_count() * kCells]);
    write_scalars(round.match, p, &scalars[row * kScalars]);
  }
}

long Versus::first_illegal(const i32* actions) const {
  for (std::size_t row = 0; row < to_act.size(); ++row) {
    if (!to_act[row]) continue;
    if (actions[row] < 0 || actions[row] >= kActions ||
        !legal[row * kActions + static_cast<std::size_t>(actions[row])]) {
      return static_cast<long>(row);
    }
  }
  return -1;
}

}  // namespace drm
