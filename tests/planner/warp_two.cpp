// The law of the two-player decision loop at scale: drm::Decisions against frame-by-frame play of both seats' scripts,
// with attacks and garbage. After every step the full states must be equal (what may differ is in `forget`), and so
// must the events of every decision that ended, which are counted here from the states, not by the engine; nothing is
// told of the others. Usage: warp_two [decisions] [seed]
#include <algorithm>
#include <cstdlib>

#include "decisions.h"
#include "script.h"
#include "warp.h"
#include "warp_rounds.h"

using namespace drm;

namespace {

constexpr int kSides = 2;

struct Tally {
  long decisions = 0, rounds = 0, frames = 0, both_due = 0, attacks = 0, big_attacks = 0, same_frame_attacks = 0;
  long delivered[5] = {}, capped = 0, garbage_runs = 0;
  long clears = 0, top_outs = 0, clear_draws = 0, top_out_draws = 0, third_crowns = 0;
};

bool any_marked(const u8* bottle) {
  return std::any_of(bottle, bottle + kCells, [](u8 cell) { return kind_of(cell) == kClearing; });
}

// One round played frame by frame.
class Console {
 public:
  Match match;
  Events events[kSides];
  bool locked_now[kSides];  // in the last frame

  void start(const Match& parked) {
    match = parked;
    for (int s = 0; s < kSides; ++s) {
      events[s] = {};
      locked_now[s] = false;
      length_[s] = at_[s] = 0;
      by_garbage_[s] = false;
      runs_of_lock_[s] = 0;
    }
  }

  // Returns the length of the script.
  int decide(int side, int action) {
    events[side] = {};
    runs_of_lock_[side] = 0;
    by_garbage_[side] = false;
    at_[side] = 0;
    return length_[side] = script(query_of(match, side), action, buttons_[side]);
  }

  bool waiting(int side) const { return at_[side] == length_[side] && match.player[side].next_action == kFall; }

  // Until a side waits for a decision or the round is over.
  void play(Tally& tally) {
    do {
      const Match before = match;
      u8 held[kSides];
      for (int s = 0; s < kSides; ++s) {
        locked_now[s] = at_[s] + 1 == length_[s];
        held[s] = at_[s] < length_[s] ? buttons_[s][at_[s]++] : u8{0};
      }
      frame(match, held);
      ++tally.frames;
      count(before, tally);
    } while (running(match) && !waiting(0) && !waiting(1));
  }

 private:
  void count(const Match& before, Tally& tally) {
    int attackers = 0;
    for (int s = 0; s < kSides; ++s) {
      const Player& was = before.player[s];
      const Player& is = match.player[s];
      ++events[s].tau;
      // Nothing but its lock changes the bottle under a falling capsule.
      if (was.next_action == kFall) events[s].capsules += std::memcmp(was.bottle, is.bottle, kCells) != 0;
      if (is.combo > was.combo) count_marked(was, is, s, tally);
      if (was.next_action != kAttack) continue;
      const Player& rival = before.player[1 - s];
      u32 pending = rival.attack_size;
      if (s == 1 && rival.next_action == kAttack && rival.combo >= 2) pending += rival.combo;  // player 1 acts first
      if (was.combo >= 2) {
        events[s].attack_sent += was.combo;
        ++attackers;
        ++tally.attacks;
        tally.big_attacks += was.combo > 4;
      }
      if (pending < 2 || is.next_action == kAttack)
        continue;  // too little, or it did not act (third crown of the rival)
      const u32 size = std::min<u32>(pending, 4);
      events[s].garbage_received += size;
      runs_of_lock_[s] = 0;
      ++tally.delivered[size];
      tally.capped += pending > 4;
      by_garbage_[s] = true;
    }
    tally.same_frame_attacks += attackers == kSides;
  }

  void count_marked(const Player& was, const Player& is, int s, Tally& tally) {
    const u32 runs = is.combo - was.combo;
    const bool new_pass = !any_marked(was.bottle);
    events[s].combos += runs;
    events[s].cascade += new_pass;
    events[s].passes_after_first += new_pass && runs_of_lock_[s] != 0;
    events[s].runs_after_first += runs - (runs_of_lock_[s] == 0);
    runs_of_lock_[s] += runs;
    for (int i = 0; i < kCells; ++i) {
      if (kind_of(is.bottle[i]) != kClearing || kind_of(was.bottle[i]) == kClearing) continue;
      if (kind_of(was.bottle[i]) != kVirus) {
        ++events[s].halves_cleared;
        continue;
      }
      ++events[s].viruses_cleared;
      ++events[s].viruses_by_color[color_of(was.bottle[i])];
    }
    if (by_garbage_[s]) tally.garbage_runs += is.combo - was.combo;
  }

  u8 buttons_[kSides][kMaxScript];
  int length_[kSides], at_[kSides];
  bool by_garbage_[kSides];
  u32 runs_of_lock_[kSides];  // or of the delivery of garbage since
};

// Takes over into `ours` what the clock need not know: DAS (docs/decisions.md), the capsule in the air, and the pads in
// the frame of a lock; after a lock the pose is left over until the next spawn.
void forget(Player& ours, const Player& theirs, const Seat& seat, bool locked_now) {
  ours.hor_velocity = theirs.hor_velocity;
  if (seat.parked) return;
  const bool in_the_air = seat.frames_left != 0 || theirs.next_action == kFall;
  if (in_the_air || (theirs.next_action != kHandover && !theirs.fail_flag)) {
    ours.pill_x = theirs.pill_x;
    ours.pill_rotation = theirs.pill_rotation;
  }
  if (in_the_air || locked_now) {
    ours.held = theirs.held;
    ours.pressed = theirs.pressed;
  }
  if (!in_the_air) return;
  ours.pill_y = theirs.pill_y;
  ours.speed_counter = theirs.speed_counter;
  ours.speed_index = theirs.speed_index;
  ours.chain_len = theirs.chain_len;
}

// What the game itself says some frames after the end of a round.
u32 verdict(Match match) {
  if (match.player[0].virus_left_bcd == 0 && match.player[1].virus_left_bcd == 0) return kDraw;
  const u8 nothing[kSides] = {0, 0};
  for (int wait = 0; wait < 200 && !match.who_won && !match.who_failed; ++wait) frame(match, nothing);
  if (match.who_won) return match.who_won;
  return match.who_failed ? 3u - match.who_failed : u32{kDraw};
}

bool equal_columns(const Decisions& games, std::size_t n, const Console& console) {
  bool equal = true;
  const bool over = !running(console.match);
  const u32 winner = over ? verdict(console.match) : u32{kNobody};
  for (std::size_t s = 0; s < kSides; ++s) {
    const std::size_t row = n * kSides + s;
    const bool due = !over && console.waiting(static_cast<int>(s));
    Events expected = due || over ? console.events[s] : Events{};
    if (over) {
      expected.cleared = console.match.player[s].virus_left_bcd == 0;
      expected.top_out = console.match.player[s].fail_flag != 0;
      expected.won = winner == s + 1;
    }
    if (games.to_act[row] != due) {
      std::printf("player %zu: to_act %d\n", s + 1, games.to_act[row]);
      equal = false;
    }
#define DRM_COMPARE(name, type, count, meaning)                                        \
  if (std::memcmp(&games.told[row].name, &expected.name, sizeof expected.name) != 0) { \
    std::printf("player %zu: " #name " differs from what the frames say\n", s + 1);    \
    equal = false;                                                                     \
  }
    DRM_EVENT_FIELDS(DRM_COMPARE)
#undef DRM_COMPARE
  }
  if (games.winner[n] != winner || games.ended[n] != over) {
    std::printf("ended %d, winner %d, frames say %u\n", games.ended[n], games.winner[n], winner);
    equal = false;
  }
  return equal;
}

bool equal(const Decisions& games, std::size_t n, const Console& console) {
  const Round& round = games.games[n].round;
  Match ours = round.match;
  for (int s = 0; s < kSides; ++s)
    forget(ours.player[s], console.match.player[s], round.seat[s], console.locked_now[s]);
  const bool same_state = equal_states(ours, console.match);
  return equal_columns(games, n, console) && same_state;
}

void count_end(const Match& match, u32 winner, Tally& tally) {
  const bool by_clear = match.player[0].virus_left_bcd == 0 || match.player[1].virus_left_bcd == 0;
  ++(by_clear ? tally.clears : tally.top_outs);
  if (winner == kDraw) ++(by_clear ? tally.clear_draws : tally.top_out_draws);
  tally.third_crowns += match.mode == kModeEnd;
}

// A few rounds side by side, each with its console.
class Arena {
 public:
  explicit Arena(u64 seed) : decisions_(kRounds, 2, PlaneSet::kBitplane, 1, 0), random_(seed) {
    for (std::size_t n = 0; n < kRounds; ++n) begin(n);
  }

  // One decision of every side that is due; false at the first difference.
  bool step(Tally& tally) {
    i32 actions[kRounds * kSides] = {};
    for (std::size_t n = 0; n < kRounds; ++n) {
      if (!decide(n, &actions[n * kSides], tally)) return false;
    }
    decisions_.step(actions, GameMask(decisions_.games.size(), 1));
    for (std::size_t n = 0; n < kRounds; ++n) {
      consoles_[n].play(tally);
      if (!equal(decisions_, n, consoles_[n])) {
        std::printf("decision %ld, round %zu, actions %d %d: differ\n", tally.decisions, n, actions[n * kSides],
                    actions[n * kSides + 1]);
        return false;
      }
    }
    for (std::size_t n = 0; n < kRounds; ++n) {  // a restart clears what was told of all games
      if (!decisions_.ended[n]) continue;
      count_end(consoles_[n].match, decisions_.winner[n], tally);
      ++tally.rounds;
      begin(n);
    }
    return true;
  }

 private:
  static constexpr std::size_t kRounds = 3;

  void begin(std::size_t n) {
    GameMask mask(kRounds, 0);
    mask[n] = 1;
    decisions_.reset(std::vector<GameConfig>(kRounds, random_config(random_)), mask);
    std::vector<Game> games = decisions_.games;
    twins_[n] = prepare_round(games[n].round, random_);
    decisions_.replace(games);
    consoles_[n].start(decisions_.games[n].round.match);
  }

  bool decide(std::size_t n, i32* actions, Tally& tally) {
    const u8* due = &decisions_.to_act[n * kSides];
    tally.both_due += due[0] && due[1];
    for (std::size_t s = 0; s < kSides; ++s) {
      if (!due[s]) continue;
      const u16* frames_to_lock = &decisions_.seen.frames_to_lock.now()[(n * kSides + s) * kActions];
      const int side = static_cast<int>(s);
      const bool follow =
          s == 1 && due[0] && twins_[n] && random_() % 32 != 0 && frames_to_lock[actions[0]] != kUnreachable;
      actions[s] = follow ? actions[0] : pick_action(consoles_[n].match, side, frames_to_lock, random_);
      const int length = consoles_[n].decide(side, actions[s]);
      ++tally.decisions;
      if (length == frames_to_lock[actions[s]]) continue;
      std::printf("decision %ld: action %d, script %d, frames_to_lock %d\n", tally.decisions, actions[s], length,
                  frames_to_lock[actions[s]]);
      return false;
    }
    return true;
  }

  Decisions decisions_;
  std::mt19937_64 random_;
  Console consoles_[kRounds];
  bool twins_[kRounds];
};

}  // namespace

int main(int argc, char** argv) {
  const long decisions = argc > 1 ? std::atol(argv[1]) : 10'000;
  Arena arena(argc > 2 ? static_cast<u64>(std::atol(argv[2])) : 1u);
  Tally tally;
  while (tally.decisions < decisions) {
    if (!arena.step(tally)) return 1;
  }
  std::printf("attacks %ld, of more than four runs %ld, by both in one frame %ld\n", tally.attacks, tally.big_attacks,
              tally.same_frame_attacks);
  std::printf("garbage of 2, 3, 4 halves %ld %ld %ld, of more than four pending %ld, runs it made %ld\n",
              tally.delivered[2], tally.delivered[3], tally.delivered[4], tally.capped, tally.garbage_runs);
  std::printf("rounds %ld: cleared %ld (both at once %ld), topped out %ld (both at once %ld), third crowns %ld\n",
              tally.rounds, tally.clears, tally.clear_draws, tally.top_outs, tally.top_out_draws, tally.third_crowns);
  std::printf("%ld decisions, both due %ld times, %ld frames: equal\n", tally.decisions, tally.both_due, tally.frames);
  return 0;
}
