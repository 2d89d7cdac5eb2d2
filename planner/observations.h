// What players see of N games, in arrays that Python looks at: rewritten in place, or left to whoever holds them.
#pragma once

#include <algorithm>
#include <atomic>
#include <memory>
#include <utility>
#include <vector>

#include "types.h"

namespace drm {

// An array that is not written again while somebody shares it: another one takes its place, one of before that nobody
// holds any more if there is any, as memory that is new to the process costs more than what is written to it.
template <typename T>
class KeptArray {
 public:
  explicit KeptArray(std::size_t size) : now_(std::make_shared<std::vector<T>>(size)) { before_.reserve(kMost); }

  std::vector<T>& now() { return *now_; }
  const std::vector<T>& now() const { return *now_; }
  std::shared_ptr<std::vector<T>> share() const { return now_; }

  // Has what `renew` may need. Throws std::bad_alloc.
  void prepare() {
    if (fresh_ || unshared(now_) || unused() != before_.end()) return;
    fresh_ = std::make_shared<std::vector<T>>(now_->size());
  }

  // Makes `now` one that nobody shares; returns what it was, which may be the same.
  const std::vector<T>& renew() {
    if (unshared(now_)) return *now_;
    if (const auto other = unused(); other != before_.end()) {
      std::swap(now_, *other);
      std::rotate(other, other + 1, before_.end());
    } else {
      if (before_.size() == kMost) before_.erase(before_.begin());
      before_.push_back(std::exchange(now_, std::move(fresh_)));
    }
    return *before_.back();
  }

 private:
  using Memory = std::shared_ptr<std::vector<T>>;
  static constexpr std::size_t kMost = 4;  // kept: a loop that looks at two observations at a time needs three

  static bool unshared(const Memory& memory) {
    if (memory.use_count() > 1) return false;
    std::atomic_thread_fence(std::memory_order_acquire);  // whoever held it has read it
    return true;
  }
  auto unused() { return std::find_if(before_.begin(), before_.end(), unshared); }

  Memory now_, fresh_;
  std::vector<Memory> before_;  // the last ones, some of which others may hold
};

// One row per seat. Without `copy` all is rewritten in place, whoever looks.
class Observations {
 public:
  Observations(std::size_t rows, std::size_t plane_count, bool copy);

  KeptArray<u8> planes;      // [rows, C, 16, 8]
  KeptArray<float> scalars;  // [rows, S]
  KeptArray<u8> legal;       // [rows, 512]; no action of a seat that does not decide now is legal
  KeptArray<u16> frames_to_lock;

  bool copy() const { return copy_; }

  // Whether somebody may write to all but the frames, from now until they are renewed.
  bool taken() const { return taken_; }
  void take() { taken_ = true; }

  // To be called before rows change. Throws std::bad_alloc, and nothing has changed then.
  struct Renewal {
    const std::vector<u16>& frames_to_lock;  // as they were
    bool all;                                // all rows have to be written: of other arrays, or written to
  };
  Renewal renew();

 private:
  bool copy_;
  bool taken_ = false;
};

// legal[512] of frames_to_lock[512].
inline void write_legal(const u16* frames_to_lock, u8* legal) {
  for (int a = 0; a < kActions; ++a) legal[a] = frames_to_lock[a] != kUnreachable;
}

}  // namespace drm
