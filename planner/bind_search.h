// The object behind dm.Search, whose methods stand in bind_search.cpp (a player's view) and bind_known.cpp; what makes
// it, in bind_value.cpp.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <vector>

#include "bind_planner.h"
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
    if (foreign_) return use(*foreign_->value);
    use(*deep_->value);
  }

  // Refuses what a function of Python must not do: to wait for the search that waits for it, or to have this thread
  // search by another function meanwhile.
  void require_idle_thread() const;

  // What it was made of, None where nothing was given: also where the garbage collector finds the function.
  nb::object function = nb::none(), weights = nb::none();
  int asked_threads = 0;

 private:
  // A value, and the memory of the searches by it between calls, one for every thread. Without a lock, which a forked
  // child would find held for ever by a thread that it does not have.
  template <Value V>
  class Shelf {
   public:
    Shelf(std::unique_ptr<const V> of, SearchControl& to_obey, int threads)
        : value(std::move(of)), control_(to_obey), places_(static_cast<std::size_t>(threads)) {}
    ~Shelf() {
      for (Place& place : places_) delete place.load();
    }
    Shelf(const Shelf&) = delete;
    Shelf& operator=(const Shelf&) = delete;

    // Before the threads take any: the first time, and where a fork left some with the parent's threads.
    void fill() {
      for (Place& place : places_) {
        if (!place.load()) place = new OnlineSearch<V>(*value, control_);
      }
    }
    OnlineSearch<V>* take() {
      for (;;) {
        for (Place& place : places_) {
          if (OnlineSearch<V>* online = place.exchange(nullptr)) return online;
        }
      }
    }
    void give(OnlineSearch<V>* online) {
      for (Place& place : places_) {
        OnlineSearch<V>* nobody = nullptr;
        if (place.compare_exchange_strong(nobody, online)) return;
      }
    }

    const std::unique_ptr<const V> value;  // linear ones are over-aligned

   private:
    using Place = std::atomic<OnlineSearch<V>*>;

    SearchControl& control_;
    std::vector<Place> places_;
  };

  // A search taken from a shelf, and given back whatever happens.
  template <Value V>
  struct Loan {
    explicit Loan(Shelf<V>& from) : shelf(from), online(from.take()) {}
    ~Loan() { shelf.give(online); }
    Loan(const Loan&) = delete;
    Loan& operator=(const Loan&) = delete;

    Shelf<V>& shelf;
    OnlineSearch<V>* online;
  };

  template <Value V, class Use>
  void for_each_by(Shelf<V>& shelf, int count, const Use& use) {
    shelf.fill();
    for_all(count, [&](std::size_t i) {
      const Loan<V> loan(shelf);
      use(*loan.online, i);
    });
  }

  void ask(const Child* children, int n, i32* out);

  std::optional<Shelf<LinearValue>> shallow_, deep_;
  std::optional<Shelf<ForeignValue>> foreign_;  // or this one instead
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
