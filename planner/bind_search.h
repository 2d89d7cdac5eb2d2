// The object behind dm.Search, whose methods stand in bind_search.cpp (a player's view) and bind_known.cpp; what makes
// it, in bind_value.cpp.
#pragma once

#include <memory>
#include <vector>

#include "bind_planner.h"
#include "of_this_thread.h"
#include "search_known.h"
#include "search_online.h"

namespace drm {

using Weights = std::span<const i32>;
using Roots = std::vector<PublicState>;

class Search {
 public:
  // By the built-in kind of value, with weights of searches of one or two plies and of those that look further.
  Search(Weights shallow, Weights deep, int threads);
  // By a function of Python, bottles u8[n, 128] to frames to go f32[n], which the calling thread alone asks.
  explicit Search(nb::callable function);

  ThreadPool& pool() { return pool_; }
  SearchControl control;

  // Calls use(search, index) for 0..count-1 on all threads, each with a search of its own; stops early on request.
  template <class Use>
  void for_each(int count, int plies, const Use& use) {
    if (foreign_) return for_each_by(*foreign_, count, use);
    for_each_by(plies < 3 ? *shallow_ : *deep_, count, use);
  }

  // Calls use(index) for 0..count-1 on all threads; stops early on request.
  template <class Use>
  void for_all(int count, const Use& use) {
    const SearchCall call(control);
    pool_.for_chunks(count, 1, [&](int begin, int end) {
      for (int i = begin; i < end && !control.stop.load(std::memory_order_relaxed); ++i) {
        use(static_cast<std::size_t>(i));
        control.done.fetch_add(1, std::memory_order_relaxed);
      }
    });
  }

  // Calls use(value) with the value of known capsules.
  template <class Use>
  void by_known_value(const Use& use) const {
    if (foreign_) return use(*foreign_);
    use(*deep_);
  }

  // Refuses what a function of Python must not do: to wait for the search that waits for it, or to have this thread
  // search by another function meanwhile.
  void require_idle_thread() const;

  // What it was made of, None where nothing was given: also where the garbage collector finds the function.
  nb::object function = nb::none(), weights = nb::none();
  int asked_threads = 0;

 private:
  // Each thread has a memory of its own, which a forked child's have as well.
  template <Value V, class Use>
  void for_each_by(const V& value, int count, const Use& use) {
    for_all(count, [&](std::size_t i) { use(of_this_thread<OnlineSearch<V>>().by(value, control), i); });
  }

  void ask(const Child* children, int n, i32* out);

  std::unique_ptr<const LinearValue> shallow_, deep_;  // over-aligned
  std::unique_ptr<const ForeignValue> foreign_;        // or this one instead
  ThreadPool pool_;
};

// Calls work() while nobody else uses the search.
template <class Work>
void with_search(Search& search, const Work& work) {
  search.require_idle_thread();
  exclusively(search, work);
}

// What N players see, arrays [N, ...] by name, checked.
Roots roots_from(nb::handle bottle, nb::handle capsule, nb::handle preview, nb::handle frame_counter, nb::handle speed,
                 nb::handle speed_ups, nb::handle level, nb::handle viruses_left, nb::handle capsules_thrown);

template <class T>
nb::ndarray<nb::numpy, T> array_of(const std::vector<T>& values) {
  return copied(values, {values.size()});
}

nb::class_<Search> bind_search_class(nb::module_& m);
void bind_known(nb::module_& m, nb::class_<Search>& c);

}  // namespace drm
