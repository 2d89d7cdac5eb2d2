// The object behind dm.Search, whose methods stand in bind_search.cpp (a player's view) and bind_known.cpp.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "bind_planner.h"
#include "search_known.h"
#include "search_online.h"

namespace drm {

using Online = OnlineSearch<LinearValue>;
using Weights = std::span<const i32>;
using Roots = std::vector<PublicState>;

class Search {
 public:
  // Weights of searches of one or two plies, and of those that look further.
  Search(Weights shallow, Weights deep, int threads) : shallow_(shallow), deep_(deep), pool_(threads) {}

  ThreadPool& pool() { return pool_; }
  const LinearValue& known_value() const { return *deep_.value; }
  SearchControl control;

  // Calls use(search, index) for 0..count-1 on all threads, each with a search of its own; stops early on request.
  template <class Use>
  void for_each(int count, int plies, const Use& use) {
    control.begin();
    Shelf& shelf = plies < 3 ? shallow_ : deep_;
    pool_.for_chunks(count, 1, [&](int begin, int end) {
      std::unique_ptr<Online> online = shelf.take();
      for (int i = begin; i < end && !control.stop.load(std::memory_order_relaxed); ++i) {
        use(*online, static_cast<std::size_t>(i));
        control.done.fetch_add(1, std::memory_order_relaxed);
      }
      shelf.give(std::move(online));
    });
    control.stop = false;
  }

 private:
  // A value, and the memory of the searches by it between calls.
  class Shelf {
   public:
    explicit Shelf(Weights weights) : value(std::make_unique<LinearValue>(weights)) {}

    std::unique_ptr<Online> take() {
      const std::lock_guard lock(mutex_);
      if (idle_.empty()) return std::make_unique<Online>(*value);
      std::unique_ptr<Online> online = std::move(idle_.back());
      idle_.pop_back();
      return online;
    }
    void give(std::unique_ptr<Online> online) {
      const std::lock_guard lock(mutex_);
      idle_.push_back(std::move(online));
    }
    const std::unique_ptr<const LinearValue> value;  // is over-aligned

   private:
    std::mutex mutex_;
    std::vector<std::unique_ptr<Online>> idle_;
  };

  Shelf shallow_, deep_;
  ThreadPool pool_;
};

// What N players see, arrays [N, ...] by name, checked.
Roots roots_from(nb::handle bottle, nb::handle capsule, nb::handle preview, nb::handle frame_counter, nb::handle speed,
                 nb::handle speed_ups, nb::handle level, nb::handle viruses_left, nb::handle capsules_thrown);

template <class T>
nb::ndarray<nb::numpy, T> array_of(const std::vector<T>& values) {
  return copied(values, {values.size()});
}

void bind_known(nb::module_& m, nb::class_<Search>& c);

}  // namespace drm
