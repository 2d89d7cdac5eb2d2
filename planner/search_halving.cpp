#include "search_halving.h"

#include <algorithm>
#include <array>

namespace drm {

void Halving::clear() {
  first_.clear();
  followed_.clear();
  results_.clear();
  totals_.clear();
  seen_.clear();
  thirds_.clear();
}

void Halving::add_board(u16 first) {
  followed_.push_back(first_.size());
  first_.push_back(first);
  totals_.push_back(0);
  seen_.push_back(0);
}

void Halving::begin_future(Capsule third) {
  thirds_.push_back(static_cast<u8>(number_of(third)));
  results_.resize(results_.size() + first_.size());
}

void Halving::add(std::size_t board, i32 rank) {
  results_[results_.size() - first_.size() + board] = rank;
  totals_[board] += rank;
  ++seen_[board];
}

// All boards that are followed have seen the same futures.
void Halving::drop_worse_half() {
  std::sort(followed_.begin(), followed_.end(), [&](std::size_t a, std::size_t b) {
    return totals_[a] < totals_[b] || (totals_[a] == totals_[b] && a < b);
  });
  followed_.resize((followed_.size() + 1) / 2);
}

bool Halving::one_first_left() const {
  const auto other = [&](std::size_t board) { return first_[board] != first_[followed_[0]]; };
  return std::none_of(followed_.begin(), followed_.end(), other);
}

Halving::Best Halving::best(i32* judged) const {
  Best best{0, kNotJudged};
  std::array<bool, kActions> done{};
  for (const std::size_t board : followed_) {
    const u16 first = first_[board];
    if (done[first]) continue;
    done[first] = true;
    const i32 mean = mean_of_best_seconds(first);
    if (judged) judged[first] = mean;
    if (mean < best.mean) best = {first, mean};
  }
  if (judged) judge_dropped(best.mean, judged);
  return best;
}

// The second move may depend on the third capsule, which shows by then: for each third capsule the board that is best
// over the futures that begin with it, then the mean over all of them.
i32 Halving::mean_of_best_seconds(u16 first) const {
  std::array<long long, kCapsules> least;
  least.fill(std::numeric_limits<long long>::max());
  for (const std::size_t board : followed_) {
    if (first_[board] != first) continue;
    std::array<long long, kCapsules> sums{};
    for (std::size_t s = 0; s < thirds_.size(); ++s) sums[thirds_[s]] += results_[s * first_.size() + board];
    for (std::size_t third = 0; third < kCapsules; ++third) least[third] = std::min(least[third], sums[third]);
  }
  long long total = 0;
  for (const long long sum : least) total += sum;
  return static_cast<i32>(total / futures());
}

// A first move of which no board is followed any more is worth the best one and how much its best board fell behind,
// over the futures that it saw, the best of those that are left.
void Halving::judge_dropped(i32 best, i32* judged) const {
  std::array<bool, kActions> left{};
  for (const std::size_t board : followed_) left[first_[board]] = true;
  for (std::size_t board = 0; board < first_.size(); ++board) {
    const u16 first = first_[board];
    if (left[first]) continue;
    long long least = std::numeric_limits<long long>::max();
    for (const std::size_t other : followed_) {
      long long total = 0;
      for (int s = 0; s < seen_[board]; ++s) total += results_[static_cast<std::size_t>(s) * first_.size() + other];
      least = std::min(least, total);
    }
    judged[first] = std::min(judged[first], best + static_cast<i32>((totals_[board] - least) / seen_[board]));
  }
}

}  // namespace drm
