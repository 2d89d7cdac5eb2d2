// What a search under way shows to other threads, and how it is stopped.
#pragma once

#include <atomic>

#include "types.h"

namespace drm {

struct SearchControl {
  std::atomic<bool> stop{false};
  std::atomic<u64> nodes{0};     // boards expanded
  std::atomic<u32> done{0};      // games
  std::atomic<u32> capsules{0};  // of the game begun last
};

// While it lives a call is under way: it counts from 0, and a wish to stop is for this call alone, however it ends.
class SearchCall {
 public:
  explicit SearchCall(SearchControl& control) : control_(control) {
    control.nodes = 0, control.done = 0, control.capsules = 0;
  }
  ~SearchCall() { control_.stop = false; }
  SearchCall(const SearchCall&) = delete;
  SearchCall& operator=(const SearchCall&) = delete;

 private:
  SearchControl& control_;
};

}  // namespace drm
