#include "decisions.h"

#include <algorithm>
#include <cassert>

#include "batch.h"
#include "falling.h"
#include "match.h"
#include "placement.h"
#include "tables.h"

namespace drm {

static constexpr u8 kNothing[2] = {0, 0};
static constexpr int kGrain = 4;  // games per chunk of work: a planner query takes microseconds

ReachQuery query_of(const Match& match, int player) {
  const Player& p = match.player[player];
  return {p.bottle, {p.pill_color_l, p.pill_color_r}, match.frame_counter, p.speed_setting, p.speed_ups};
}

void skip_frames(Match& match, u32 frames) {
  match.frame_counter = static_cast<u8>(match.frame_counter + frames);
  for (int i = 0; i < match.nb_players; ++i) {
    u8& status = match.player[i].status;
    if (status != 255) status = status >= frames ? static_cast<u8>(status - frames) : u8{255};
  }
}

static void skip(Match& match, u32 frames, Outcome& outcome) {
  skip_frames(match, frames);
  outcome.tau += frames;
}

int living_cells(const u8* bottle) {
  int count = 0;
  for (int i = 0; i < kCells; ++i) count += !is_free(bottle[i]) && kind_of(bottle[i]) != kClearing;
  return count;
}

void lock_capsule(Player& p, u8 frame_counter, int action, u16 frames_to_lock) {
  const Pose pose = pose_of(action);
  p.pill_x = pose.x;
  p.pill_y = pose.y;
  p.pill_rotation = pose.rotation;
  p.speed_counter = 0;
  p.chain_len = 0;
  // A single frame that locks by soft drop is the only way never to count gravity; where gravity would lock it as well
  // (threshold 0) the script holds nothing.
  const bool soft_drop = frames_to_lock == 1 && (frame_counter & 1) && gravity_threshold(p.speed_setting, p.speed_ups);
  if (!soft_drop) p.speed_index = p.speed_ups;
  write_capsule(p);
  p.next_action = kResolve;
}

void place_and_settle(Match& match, int action, u16 frames_to_lock, Outcome& outcome) {
  outcome = {};
  Player& p = match.player[0];
  const int viruses = bcd_to_int(p.virus_left_bcd);
  const int cells = living_cells(p.bottle);
  skip(match, frames_to_lock, outcome);
  lock_capsule(p, match.frame_counter, action, frames_to_lock);
  const int placed = living_cells(p.bottle) - cells;
  while (p.next_action == kResolve && match.mode_step == 0) {
    if (p.placed_step == kDrop && p.status != 255) skip(match, p.status, outcome);
    if (p.placed_step == kTidy && p.match_flag != 0) ++outcome.cascade;
    frame(match, kNothing);
    ++outcome.tau;
  }
  outcome.cleared = match.mode_step != 0;
  if (outcome.cleared) ++outcome.cascade;  // the pass of the last virus never reaches TIDY
  outcome.combos = p.combo;
  outcome.viruses_cleared = static_cast<u8>(viruses - bcd_to_int(p.virus_left_bcd));
  outcome.halves_cleared = static_cast<u8>(cells + placed - living_cells(p.bottle) - outcome.viruses_cleared);
}

// From the first throw call on, jumps to the frame before the spawn (rules.md 7.1).
static void skip_throw(Match& match, Outcome& outcome) {
  const Player& p = match.player[0];
  if (match.pill_thrown_frame != 0) return;
  const bool first_call_counts = (match.frame_counter + 1) & 1;
  const u32 calls = kThrowCalls - 1;
  skip(match, p.speed_setting != kLow ? calls : first_call_counts ? 2 * calls : 2 * calls + 1, outcome);
  match.pill_thrown_frame = 24;
}

void throw_next(Match& match, Outcome& outcome) {
  const Player& p = match.player[0];
  while (p.next_action != kFall && match.mode == kModePlay) {
    if (p.next_action == kThrow) skip_throw(match, outcome);
    frame(match, kNothing);
    ++outcome.tau;
  }
  outcome.top_out = match.mode != kModePlay;
}

void park(Match& match) {
  Outcome ignored{};
  throw_next(match, ignored);
}

Decisions::Decisions(int num_games, PlaneSet set, int threads, u32 max_decisions)
    : plane_set_(set), max_decisions_(max_decisions), pool_(threads) {
  const auto n = static_cast<std::size_t>(num_games);
  games.resize(n);
  counters.resize(n);
  planes.resize(n * plane_names(set).size() * kCells);
  scalars.resize(n * kScalars);
  legal.resize(n * kActions);
  frames_to_lock.resize(n * kActions);
  for (auto* column :
       {&viruses_cleared, &halves_cleared, &combos, &cascade, &viruses_left, &cleared, &top_out, &truncated, &ended}) {
    column->resize(n);
  }
  for (auto* column : {&tau, &decisions, &frames}) column->resize(n);
  const GameConfig config{{0, 0}, {kLow, kLow}, 0x8988, 0, 1};
  reset(std::vector<GameConfig>(n, config), std::vector<bool>(n, true));
}

void Decisions::clear_events() {
  for (auto* column : {&viruses_cleared, &halves_cleared, &combos, &cascade, &cleared, &top_out, &truncated}) {
    std::fill(column->begin(), column->end(), u8{0});
  }
  std::fill(tau.begin(), tau.end(), 0u);
}

void Decisions::reset(const std::vector<GameConfig>& configs, const std::vector<bool>& mask) {
  clear_events();
  pool_.for_chunks(size(), kGrain, [&](int begin, int end) {
    for (auto n = static_cast<std::size_t>(begin); n < static_cast<std::size_t>(end); ++n) {
      if (!mask[n]) continue;
      start_at_play(games[n], configs[n]);
      park(games[n]);
      counters[n] = {0, 0, 0};
      observe(n);
    }
  });
}

void Decisions::step(const i32* actions) {
  clear_events();
  pool_.for_chunks(size(), kGrain, [&](int begin, int end) {
    for (auto n = static_cast<std::size_t>(begin); n < static_cast<std::size_t>(end); ++n) {
      if (!counters[n].ended) step_one(n, actions[n]);
    }
  });
}

void Decisions::step_one(std::size_t n, int action) {
  assert(legal[n * kActions + static_cast<std::size_t>(action)]);
  Outcome outcome;
  place_and_settle(games[n], action, frames_to_lock[n * kActions + static_cast<std::size_t>(action)], outcome);
  if (!outcome.cleared) throw_next(games[n], outcome);
  Counters& counter = counters[n];
  ++counter.decisions;
  counter.frames += outcome.tau;
  const bool over = outcome.cleared || outcome.top_out;
  const bool cut = !over && max_decisions_ != 0 && counter.decisions >= max_decisions_;
  counter.ended = over || cut;
  tau[n] = outcome.tau;
  viruses_cleared[n] = outcome.viruses_cleared;
  halves_cleared[n] = outcome.halves_cleared;
  combos[n] = outcome.combos;
  cascade[n] = outcome.cascade;
  cleared[n] = outcome.cleared;
  top_out[n] = outcome.top_out;
  truncated[n] = cut;
  observe(n);
}

static int count_viruses(const u8* bottle) {
  return static_cast<int>(std::count_if(bottle, bottle + kCells, [](u8 cell) { return kind_of(cell) == kVirus; }));
}

void Decisions::set_bottles(const u8* bottles, const std::vector<bool>& mask) {
  pool_.for_chunks(size(), kGrain, [&](int begin, int end) {
    for (auto n = static_cast<std::size_t>(begin); n < static_cast<std::size_t>(end); ++n) {
      if (!mask[n]) continue;
      Player& p = games[n].player[0];
      std::copy_n(bottles + n * kCells, kCells, p.bottle);
      p.virus_left_bcd = int_to_bcd(count_viruses(p.bottle));
      observe(n);
    }
  });
}

std::string Decisions::describe_bad_bottles(const u8* bottles, const std::vector<bool>& mask) const {
  for (std::size_t n = 0; n < games.size(); ++n) {
    if (!mask[n]) continue;
    const std::string game = std::to_string(n);
    const u8* bottle = bottles + n * kCells;
    if (counters[n].ended) return "mask[" + game + "] is True, allowed are games that have not ended";
    const std::string problem = describe_invalid_bottle(bottle, "bottle[" + game + ", ");
    if (!problem.empty()) return problem;
    for (int cell = kSpawnPose.x; cell <= kSpawnPose.x + 1; ++cell) {
      if (bottle[cell] == kEmpty) continue;
      return "bottle[" + game + ", " + std::to_string(cell) + "] is " + std::to_string(bottle[cell]) +
             ", allowed is 255 where the capsule waits";
    }
    const int viruses = count_viruses(bottle);
    if (viruses == 0 || viruses > 99) {
      return "bottle[" + game + "] has " + std::to_string(viruses) + " viruses, allowed are 1..99";
    }
  }
  return {};
}

void Decisions::refresh() {
  pool_.for_chunks(size(), kGrain, [&](int begin, int end) {
    for (auto n = static_cast<std::size_t>(begin); n < static_cast<std::size_t>(end); ++n) observe(n);
  });
}

void Decisions::observe(std::size_t n) {
  const Match& match = games[n];
  const Counters& counter = counters[n];
  u16* frames_row = &frames_to_lock[n * kActions];
  u8* legal_row = &legal[n * kActions];
  const bool over = match.mode != kModePlay || match.mode_step != 0;
  if (over) {
    std::fill_n(frames_row, kActions, kUnreachable);
  } else {
    reach(query_of(match, 0), frames_row);
  }
  for (int a = 0; a < kActions; ++a) legal_row[a] = frames_row[a] != kUnreachable;
  write_planes(match.player[0], plane_set_, reinterpret_cast<const bool*>(legal_row),
               &planes[n * plane_names(plane_set_).size() * kCells]);
  write_scalars(match, match.player[0], &scalars[n * kScalars]);
  // A truncated game keeps its planes, whose value a learner bootstraps from, but accepts no action.
  if (counter.ended) std::fill_n(legal_row, kActions, u8{0});
  ended[n] = counter.ended != 0;
  decisions[n] = counter.decisions;
  frames[n] = counter.frames;
  viruses_left[n] = static_cast<u8>(bcd_to_int(match.player[0].virus_left_bcd));
}

// splitmix64's output function.
static u64 mix(u64 z) {
  z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9ull;
  z = (z ^ z >> 27) * 0x94D049BB133111EBull;
  return z ^ z >> 31;
}

void Decisions::sample_legal(u64 seed, i32* actions) {
  const u64 key = mix(seed + 0x9E3779B97F4A7C15ull);
  pool_.for_chunks(size(), 256, [&](int begin, int end) {
    for (auto n = static_cast<std::size_t>(begin); n < static_cast<std::size_t>(end); ++n) {
      const u8* row = &legal[n * kActions];
      const auto count = static_cast<u64>(std::count(row, row + kActions, u8{1}));
      // The high half of a 32 x 32 bit product maps a draw to 0..count-1; the bias is below 512 / 2^32.
      u64 skip_legal = (mix(digest(games[n]) ^ key) >> 32) * count >> 32;
      i32 action = 0;
      if (count) {
        while (!row[action] || skip_legal--) ++action;
      }
      actions[n] = action;
    }
  });
}

int Decisions::first_illegal(const i32* actions) const {
  for (std::size_t n = 0; n < games.size(); ++n) {
    if (counters[n].ended) continue;
    if (actions[n] < 0 || actions[n] >= kActions || !legal[n * kActions + static_cast<std::size_t>(actions[n])]) {
      return static_cast<int>(n);
    }
  }
  return -1;
}

}  // namespace drm
