#include "decisions.h"

#include <algorithm>
#include <atomic>
#include <cassert>
#include <cstring>

#include "splitmix.h"
#include "validate.h"

namespace drm {

Decisions::Decisions(int num_games, int players, PlaneSet set, int threads, u32 max_decisions, bool copy)
    : games(static_cast<std::size_t>(num_games)),
      seen(games.size() * static_cast<std::size_t>(players), plane_names(set).size(), copy),
      players_(players),
      plane_set_(set),
      max_decisions_(max_decisions),
      pool_(threads) {
  const std::size_t n = games.size();
  visible.resize(rows());
  told.resize(rows());
  for (auto* column : {&to_act, &viruses_left}) column->resize(rows());
  for (auto* column : {&decisions, &frames}) column->resize(rows());
  for (auto* column : {&truncated, &ended, &winner}) column->resize(n);
  moves.resize(n);
  const GameConfig config{{0, 0}, {kLow, kLow}, 0x8988, 0, static_cast<u8>(players)};
  reset(std::vector<GameConfig>(n, config), GameMask(n, 1));
}

std::string describe_invalid(const Game& game) {
  if (game.winner > kDraw) return "winner must be 0..3";
  if (game.truncated > 1 || game.round.over > 1) return "truncated and over must be 0 or 1";
  return describe_invalid(game.round);
}

void Decisions::forget(std::size_t n) {
  std::fill_n(&told[n * static_cast<std::size_t>(players_)], players_, Events{});
}

template <typename Move>
void Decisions::change(const GameMask& mask, News news, const Move& move) {
  const bool forgets = news == News::kForgotten;
  if (forgets) std::fill(truncated.begin(), truncated.end(), u8{0});
  if (std::none_of(mask.begin(), mask.end(), [](u8 meant) { return meant; }) && !seen.taken()) {
    for (std::size_t n = 0; forgets && n < games.size(); ++n) forget(n);
    return;
  }
  const Observations::Renewal renewal = seen.renew();
  // Chunks of at most 16 games (with 2, four thousand took a tenth longer), and some for every thread: games differ.
  // All games are shared out, the same way in every call, so that each stays in the cache of one thread.
  pool_.for_chunks(size(), std::clamp(size() / (4 * pool_.threads()), 1, 16), [&](int begin, int end) {
    const auto first = static_cast<std::size_t>(begin), last = static_cast<std::size_t>(end);
    for (std::size_t n = first; n < last; ++n) {
      if (forgets) forget(n);
      if (mask[n]) {
        move(n, renewal.frames_to_lock);
        observe(n);
      } else if (renewal.all) {
        show(n, renewal.frames_to_lock);
      }
    }
    for (std::size_t n = first; n < last; ++n) {
      if (mask[n]) list(n);
    }
  });
}

void Decisions::reset(const std::vector<GameConfig>& configs, const GameMask& mask) {
  change(mask, News::kForgotten, [&](std::size_t n, const auto&) {
    games[n] = {};
    start_at_play(games[n].round.match, configs[n]);
    begin(games[n].round);
  });
}

void Decisions::replace(const std::vector<Game>& others) {
  // One by one: Python holds views of this memory.
  change(GameMask(games.size(), 1), News::kForgotten, [&](std::size_t n, const auto&) { games[n] = others[n]; });
  std::fill(truncated.begin(), truncated.end(), u8{0});
}

void Decisions::step(const i32* actions, const GameMask& mask) {
  GameMask playing = mask;
  for (std::size_t n = 0; n < games.size(); ++n) playing[n] = playing[n] && !ended[n];
  change(playing, News::kForgotten,
         [&](std::size_t n, const std::vector<u16>& before) { step_game(n, actions, before); });
}

// From what the engine told of the end of a round.
static Winner winner_of(const Events* events, int players) {
  if (events[0].won) return kFirstWins;
  if (players == 1) return kNobody;
  return events[1].won ? kSecondWins : kDraw;
}

void Decisions::step_game(std::size_t n, const i32* actions, const std::vector<u16>& before) {
  Game& game = games[n];
  Round& round = game.round;
  const std::size_t first = n * static_cast<std::size_t>(players_);
  for (int s = 0; s < players_; ++s) {
    if (!round.seat[s].parked) continue;
    const std::size_t row = first + static_cast<std::size_t>(s);
    const u16 frames_to_lock = before[row * kActions + static_cast<std::size_t>(actions[row])];
    assert(frames_to_lock != kUnreachable);
    decide(round, s, actions[row], frames_to_lock);
    ++game.decisions[s];
  }
  advance(round);
  for (int s = 0; s < players_; ++s) {
    if (!round.seat[s].parked && !round.over) continue;  // its decision is not over: told later
    told[first + static_cast<std::size_t>(s)] = round.events[s];
    game.frames[s] += round.events[s].tau;
    round.events[s] = {};
  }
  if (round.over) game.winner = winner_of(&told[first], players_);
  const u32 most = *std::max_element(game.decisions, game.decisions + players_);
  game.truncated = !round.over && max_decisions_ != 0 && most >= max_decisions_;
}

static int count_viruses(const u8* bottle) {
  return static_cast<int>(std::count_if(bottle, bottle + kCells, [](u8 cell) { return kind_of(cell) == kVirus; }));
}

void Decisions::set_bottles(const u8* bottles, const GameMask& mask) {
  change(mask, News::kTold, [&](std::size_t n, const auto&) {
    for (int s = 0; s < players_; ++s) {
      Player& p = games[n].round.match.player[s];
      std::copy_n(bottles + (n * static_cast<std::size_t>(players_) + static_cast<std::size_t>(s)) * kCells, kCells,
                  p.bottle);
      p.virus_left_bcd = int_to_bcd(count_viruses(p.bottle));
    }
  });
}

// `name` is "bottle[3" or "bottle[3, 1": what precedes the cell.
static std::string describe_bad_bottle(const u8* bottle, const std::string& name) {
  const std::string cell = name + ", ";
  std::string problem = describe_invalid_bottle(bottle, cell);
  for (int i = kSpawnPose.x; i <= kSpawnPose.x + 1 && problem.empty(); ++i) {
    if (bottle[i] == kEmpty) continue;
    problem =
        cell + std::to_string(i) + "] is " + std::to_string(bottle[i]) + ", allowed is 255 where the capsule waits";
  }
  const int viruses = count_viruses(bottle);
  if (problem.empty() && (viruses == 0 || viruses > 99)) {
    problem = name + "] has " + std::to_string(viruses) + " viruses, allowed are 1..99";
  }
  return problem;
}

std::string describe_bad_bottles(const Decisions& d, const u8* bottles, const GameMask& mask) {
  for (std::size_t n = 0; n < d.games.size(); ++n) {
    if (!mask[n]) continue;
    const std::string game = std::to_string(n);
    if (d.games[n].ended()) return "mask[" + game + "] is True, allowed are games that have not ended";
    for (int s = 0; s < d.players(); ++s) {
      if (!d.games[n].round.seat[s].parked) {
        return "mask[" + game + "] is True, allowed are games in which every player is before a decision";
      }
      const std::string seat = d.players() == 2 ? ", " + std::to_string(s) : "";
      const u8* bottle = bottles + (n * static_cast<std::size_t>(d.players()) + static_cast<std::size_t>(s)) * kCells;
      const std::string problem = describe_bad_bottle(bottle, "bottle[" + game + seat);
      if (!problem.empty()) return problem;
    }
  }
  return {};
}

// What a seat sees, of which the frames are there.
static void show_seat(Decisions& d, std::size_t n, int s) {
  const Game& game = d.games[n];
  const Match& match = game.round.match;
  const Player& p = match.player[s];
  const std::size_t row = n * static_cast<std::size_t>(d.players()) + static_cast<std::size_t>(s);
  u8* legal_row = &d.seen.legal.now()[row * kActions];
  write_legal(&d.seen.frames_to_lock.now()[row * kActions], legal_row);
  write_planes(p, d.plane_set(), reinterpret_cast<const bool*>(legal_row),
               &d.seen.planes.now()[row * d.plane_count() * kCells]);
  write_scalars(match, p, &d.seen.scalars.now()[row * kScalars]);
  // A truncated game keeps its planes, whose value a learner bootstraps from, but accepts no action.
  if (game.truncated) std::fill_n(legal_row, kActions, u8{0});
  d.visible[row] = public_state(match, s);
}

void Decisions::observe(std::size_t n) {
  const Game& game = games[n];
  for (int s = 0; s < players_; ++s) {
    const std::size_t row = n * static_cast<std::size_t>(players_) + static_cast<std::size_t>(s);
    u16* frames_row = &seen.frames_to_lock.now()[row * kActions];
    if (game.decides(s)) {
      reach(query_of(game.round.match, s), frames_row);
    } else {
      std::fill_n(frames_row, kActions, kUnreachable);
    }
    show_seat(*this, n, s);
  }
}

void Decisions::list(std::size_t n) {
  const Game& game = games[n];
  for (int s = 0; s < players_; ++s) {
    const std::size_t row = n * static_cast<std::size_t>(players_) + static_cast<std::size_t>(s);
    to_act[row] = game.decides(s) && !game.truncated;
    viruses_left[row] = static_cast<u8>(bcd_to_int(game.round.match.player[s].virus_left_bcd));
    decisions[row] = game.decisions[s];
    frames[row] = game.frames[s];
  }
  truncated[n] = game.truncated != 0;
  ended[n] = game.ended();
  winner[n] = static_cast<u8>(game.winner);
  ++moves[n];
}

void Decisions::show(std::size_t n, const std::vector<u16>& before) {
  std::vector<u16>& now = seen.frames_to_lock.now();
  const std::size_t size = static_cast<std::size_t>(players_) * kActions;
  if (&before != &now) std::copy_n(&before[n * size], size, &now[n * size]);
  for (int s = 0; s < players_; ++s) show_seat(*this, n, s);
}

long first_illegal(Decisions& d, const i32* actions, const GameMask& mask) {
  constexpr int kBlock = 256;  // games whose rows are looked up by a thread: fewer take less time than calling it
  const auto players = static_cast<std::size_t>(d.players()), none = d.rows();
  std::atomic<std::size_t> first{none};
  d.pool().for_chunks(d.size(), kBlock, [&](int begin, int end) {
    for (auto row = static_cast<std::size_t>(begin) * players; row < static_cast<std::size_t>(end) * players; ++row) {
      if (!mask[row / players] || !d.to_act[row] || d.is_legal(row, actions[row])) continue;
      std::size_t known = first;
      while (row < known && !first.compare_exchange_weak(known, row)) {
      }
      return;
    }
  });
  return first == none ? -1 : static_cast<long>(first);
}

// The action of the legal row that `draw` out of 2^32 picks, or 0 if there is none.
static i32 drawn(const u8* legal, u64 draw) {
  constexpr u64 kOnes = 0x0101010101010101u;
  constexpr int kWord = sizeof(u64);
  u8 counts[kActions / kWord];
  u64 count = 0;
  for (int i = 0; i < kActions / kWord; ++i) {
    u64 word;
    std::memcpy(&word, legal + i * kWord, kWord);
    counts[i] = static_cast<u8>(word * kOnes >> 56);  // of bytes that are 1
    count += counts[i];
  }
  if (count == 0) return 0;
  u64 skip = draw * count >> 32;  // a 32 x 32 bit product maps a draw to 0..count-1; the bias is below 512 / 2^32
  i32 action = 0;
  for (int i = 0; skip >= counts[i]; ++i, action += kWord) skip -= counts[i];
  while (!legal[action] || skip--) ++action;
  return action;
}

void draw_legal(Decisions& d, u64 seed, i32* actions) {
  constexpr int kBlock = 32;  // games that are hashed together
  const u64 key = mix(seed + kGolden);
  const auto players = static_cast<std::size_t>(d.players());
  d.pool().for_chunks(d.size(), kBlock, [&](int begin, int end) {
    u64 hashes[kBlock];
    u8 own[kActions];  // where callers may write to the masks that they share
    for (int first = begin; first < end; first += kBlock) {
      const int last = std::min(first + kBlock, end);
      digests(&d.games[static_cast<std::size_t>(first)].round.match, static_cast<std::size_t>(last - first), hashes,
              sizeof(Game));
      for (auto row = static_cast<std::size_t>(first) * players; row < static_cast<std::size_t>(last) * players;
           ++row) {
        const u64 hash = hashes[row / players - static_cast<std::size_t>(first)];
        const u64 draw = mix((hash ^ key) + row % players * kGolden) >> 32;
        if (d.seen.copy() && d.to_act[row]) write_legal(&d.seen.frames_to_lock.now()[row * kActions], own);
        actions[row] = d.to_act[row] ? drawn(d.seen.copy() ? own : &d.seen.legal.now()[row * kActions], draw) : 0;
      }
    }
  });
}

}  // namespace drm
