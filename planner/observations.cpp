#include "observations.h"

#include <algorithm>
#include <atomic>

namespace drm {

static constexpr std::size_t kMost = 4;  // kept: a loop that looks at two observations at a time needs three

static bool unshared(const std::shared_ptr<Observations>& memory) {
  if (memory.use_count() > 1) return false;
  std::atomic_thread_fence(std::memory_order_acquire);  // whoever held it has read it
  return true;
}

std::shared_ptr<Observations> ObservationMemory::take() {
  taken_ = true;
  return now_;
}

ObservationMemory::Renewal ObservationMemory::renew() {
  const bool written = taken_;
  taken_ = false;
  if (!copy_ || unshared(now_)) return {*now_, written};
  const auto unused = std::find_if(before_.begin(), before_.end(), unshared);
  if (unused != before_.end()) {
    std::swap(now_, *unused);
    std::rotate(unused, unused + 1, before_.end());
    return {*before_.back(), true};
  }
  if (before_.size() == kMost) before_.erase(before_.begin());
  before_.push_back(now_);
  now_ = std::make_shared<Observations>();
  const Observations& last = *before_.back();
  now_->planes.resize(last.planes.size());
  now_->scalars.resize(last.scalars.size());
  now_->legal.resize(last.legal.size());
  now_->frames_to_lock.resize(last.frames_to_lock.size());
  return {last, true};
}

}  // namespace drm
