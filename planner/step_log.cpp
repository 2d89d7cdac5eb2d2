#include "step_log.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <utility>

namespace drm {

static constexpr std::size_t kSpares = 4;
static constexpr float kNotKnown = std::numeric_limits<float>::quiet_NaN();

static DecisionRow blank_row() {
  DecisionRow row{};
  row.log_prob = row.value = kNotKnown;
  std::fill_n(row.value_band, 2, kNotKnown);
  std::fill_n(row.top_log_prob, kTopActions, kNotKnown);
  std::fill_n(row.top_action, kTopActions, i16{-1});
  return row;
}

static const DecisionRow kBlank = blank_row();

// Which placements are legal, eight at a time, the first one lowest.
static void pack_legal(const u16* frames_to_lock, u8* bits) {
  u8 legal[kActions];
  write_legal(frames_to_lock, legal);
  for (int j = 0; j < kActions / 8; ++j) {
    u64 eight;
    std::memcpy(&eight, legal + 8 * j, 8);
    if constexpr (std::endian::native == std::endian::big) eight = __builtin_bswap64(eight);
    bits[j] = static_cast<u8>(gathered(eight));
  }
}

// What the player sees before the decision.
static void show(const Decisions& games, std::size_t n, int s, DecisionRow& row) {
  const Match& match = games.games[n].round.match;
  const Player& p = match.player[s];
  row.player = static_cast<u8>(s);
  std::memcpy(row.bottle, p.bottle, kCells);
  row.capsule[0] = p.pill_color_l;
  row.capsule[1] = p.pill_color_r;
  row.preview[0] = p.next_color_l;
  row.preview[1] = p.next_color_r;
  row.frame_counter = match.frame_counter;
  row.speed_ups = p.speed_ups;
  const std::size_t seat = n * static_cast<std::size_t>(games.players()) + static_cast<std::size_t>(s);
  pack_legal(&games.seen.frames_to_lock.now()[seat * kActions], row.legal);
}

// What came of it.
static void tell_row(DecisionRow& row, const Events& told) {
  row.tau = told.tau;
  row.viruses_cleared = static_cast<u8>(told.viruses_cleared);
  for (int c = 0; c < kColors; ++c) row.viruses_by_color[c] = static_cast<u8>(told.viruses_by_color[c]);
  row.halves_cleared = static_cast<u8>(told.halves_cleared);
  row.combos = static_cast<u8>(told.combos);
  row.runs_after_first = static_cast<u8>(told.runs_after_first);
  row.cascade = static_cast<u8>(told.cascade);
  row.passes_after_first = static_cast<u8>(told.passes_after_first);
  row.attack_sent = static_cast<u8>(told.attack_sent);
  row.garbage_received = static_cast<u8>(told.garbage_received);
}

// How a game ended, from what its players' last events say.
static Outcome outcome_of(const Events* told, std::size_t players) {
  bool cleared = false, top_out = false;
  for (std::size_t s = 0; s < players; ++s) {
    cleared |= told[s].cleared;
    top_out |= told[s].top_out;
  }
  return cleared ? Outcome::kCleared : top_out ? Outcome::kTopOut : Outcome::kTruncated;
}

StepLog::StepLog(Decisions& games, std::size_t block_rows, double block_seconds, std::size_t file_rows)
    : games_(games),
      block_rows_(block_rows),
      file_rows_(file_rows),
      patience_(std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(block_seconds))),
      block_(new_block()),
      game_(games.games.size()),
      digest_(games.games.size()),
      known_(games.games.size()),
      fate_(games.games.size()),
      found_(games.games.size()),
      left_(games.games.size()),
      open_(games.rows(), kNoRow) {}

LogBlock::LogBlock(std::shared_ptr<SpareRows> spares, std::size_t room) : spares_(std::move(spares)) {
  std::lock_guard turn(spares_->lock);
  if (!spares_->rows.empty()) {
    rows = std::move(spares_->rows.back());
    spares_->rows.pop_back();
  }
  rows.reserve(room);
  seats.reserve(room);
}

LogBlock::~LogBlock() {
  rows.clear();
  std::lock_guard turn(spares_->lock);
  if (spares_->rows.size() < kSpares) spares_->rows.push_back(std::move(rows));
}

std::unique_ptr<LogBlock> StepLog::new_block() const {
  auto block = std::make_unique<LogBlock>(spares_, block_rows_ + games_.rows());
  block->players = games_.players();
  block->first_step = block->end_step = step_;
  return block;
}

void StepLog::discard() {
  block_->rows.resize(rows_);
  block_->seats.resize(rows_);
  block_->starts.resize(starts_);
  begun_ = false;
}

void StepLog::before(const i32* actions) {
  discard();
  if (step_ == block_->first_step) since_ = Clock::now();
  const auto players = static_cast<std::size_t>(games_.players());
  u64 next = next_game_;
  for (std::size_t n = 0; n < game_.size(); ++n) {
    const std::size_t first = n * players;
    found_[n] = games_.moves[n];
    const Round& round = games_.games[n].round;
    const bool acts = games_.to_act[first] || games_.to_act[first + players - 1];
    const bool is_known = known_[n] && games_.moves[n] == left_[n];
    const bool waits = std::all_of(actions + first, actions + first + players, [](i32 action) { return action < 0; });
    const bool goes_on = acts && !waits && is_known;
    const bool begins = acts && !waits && !goes_on && !round.seat[0].frames_left && !round.seat[1].frames_left;
    const bool runs = goes_on || begins;
    fate_[n] = static_cast<u8>(runs * kRuns | begins * kBegins | (known_[n] && !(acts && is_known)) * kWasLeft);
    if (!runs) continue;
    const u64 number = begins ? next++ : game_[n];
    if (begins) block_->starts.push_back({number, round.match});
    const u64 hash = begins ? digest(round.match) : digest_[n];
    for (int s = 0; s < games_.players(); ++s) {
      const std::size_t seat = first + static_cast<std::size_t>(s);
      if (!games_.to_act[seat]) continue;
      DecisionRow& row = block_->rows.emplace_back(kBlank);
      row.game = number;
      row.digest = hash;
      row.order = step_;
      row.action = static_cast<i16>(actions[seat]);
      show(games_, n, s, row);
      block_->seats.push_back(static_cast<u32>(seat));
    }
  }
  begun_ = true;
}

bool StepLog::after() {
  if (!begun_) return false;
  for (std::size_t n = 0; n < game_.size(); ++n) {
    const bool counts = fate_[n] & kRuns || (known_[n] && !(fate_[n] & kWasLeft));
    if (counts && games_.moves[n] != found_[n] + (fate_[n] & kRuns ? 1 : 0)) {
      discard();
      return false;
    }
  }
  for (std::size_t n = 0; n < game_.size(); ++n) {
    if (fate_[n] & kWasLeft) {
      block_->ends.push_back({game_[n], digest_[n], static_cast<u8>(Outcome::kUnfinished), 0});
      forget(n);
    }
    if (fate_[n] & kBegins) {
      forget(n);
      game_[n] = next_game_++;
      known_[n] = 1;
    }
  }
  for (std::size_t i = rows_; i < block_->rows.size(); ++i) open_[block_->seats[i]] = static_cast<std::ptrdiff_t>(i);
  digests(&games_.games[0].round.match, game_.size(), digest_.data(), sizeof(Game));
  for (std::size_t n = 0; n < game_.size(); ++n) {
    if (fate_[n] & kRuns) settle(n);
  }
  file_used_ += block_->rows.size() - rows_;
  rows_ = block_->rows.size();
  starts_ = block_->starts.size();
  begun_ = false;
  block_->end_step = ++step_;
  const bool fills_file = file_used_ >= file_rows_;
  if (fills_file) file_used_ = 0;
  return (fills_file || rows_ >= block_rows_ || Clock::now() - since_ > patience_) && seal(fills_file);
}

// The game is not on record any more, or not yet.
void StepLog::forget(std::size_t n) {
  const auto players = static_cast<std::size_t>(games_.players());
  known_[n] = 0;
  std::fill_n(&open_[n * players], players, kNoRow);
}

// A game has made its step.
void StepLog::settle(std::size_t n) {
  left_[n] = games_.moves[n];
  const auto players = static_cast<std::size_t>(games_.players());
  const std::size_t first = n * players;
  for (std::size_t seat = first; seat < first + players; ++seat) {
    if (games_.told[seat].tau) tell(seat);
  }
  if (!games_.ended[n]) return;
  const Outcome outcome = outcome_of(&games_.told[first], players);
  const u8 winner = players == 2 ? games_.winner[n] : u8{0};
  block_->ends.push_back({game_[n], digest_[n], static_cast<u8>(outcome), winner});
  forget(n);
}

// What came of the seat's decision; of one that was made before the recording, nothing.
void StepLog::tell(std::size_t seat) {
  const std::ptrdiff_t at = std::exchange(open_[seat], kNoRow);
  if (at >= 0) tell_row(block_->rows[static_cast<std::size_t>(at)], games_.told[seat]);
  if (at == kEarlierBlock) {
    block_->late.push_back(games_.told[seat]);
    block_->late_seats.push_back(static_cast<u32>(seat));
  }
}

bool StepLog::seal(bool fills_file) {
  if (step_ == block_->first_step) return false;
  discard();
  auto next = new_block();
  for (std::ptrdiff_t& row : open_) {
    if (row >= 0) row = kEarlierBlock;
  }
  block_->fills_file = fills_file;
  rows_ = starts_ = 0;
  std::lock_guard turn(lock_);
  full_.push_back(std::move(block_));
  block_ = std::move(next);
  return true;
}

std::unique_ptr<LogBlock> StepLog::take() {
  std::lock_guard turn(lock_);
  if (full_.empty()) return nullptr;
  auto oldest = std::move(full_.front());
  full_.pop_front();
  return oldest;
}

std::size_t StepLog::ready() const {
  std::lock_guard turn(lock_);
  return full_.size();
}

}  // namespace drm
