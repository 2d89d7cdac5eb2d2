#include "search_known.h"

#include <algorithm>
#include <compare>
#include <limits>

#include "of_this_thread.h"

namespace drm {

KnownGame::KnownGame(const Match& parked)
    : root(public_state(parked, 0)),
      now_{root.capsule[0], root.capsule[1]},
      next_{root.preview[0], root.preview[1]},
      index_(parked.player[0].reserve_index) {
  std::copy_n(parked.reserve, kReserve, reserve_);
}

KnownGame::KnownGame(const PublicState& seen, std::span<const u8, kReserve> to_come)
    : root(seen), now_{seen.capsule[0], seen.capsule[1]}, next_{seen.preview[0], seen.preview[1]}, index_(0) {
  std::copy_n(to_come.data(), kReserve, reserve_);
}

namespace {

constexpr int kGrain = 16;  // boards per chunk of work

struct Node {
  Board board;
  u32 frames;
};

// A child that may become a node; its board is made again if it does.
struct Candidate {
  i32 rank;
  u32 parent;
  u16 action;
  u16 frames_to_lock;

  auto operator<=>(const Candidate&) const = default;  // parent and action are those of no other
};

struct Step {
  u32 parent;
  u16 action;
};

// The earliest clear.
struct Finish {
  u32 frames = std::numeric_limits<u32>::max();
  u32 parent = 0;
  u16 action = 0;

  auto operator<=>(const Finish&) const = default;
};

// Set of 64-bit hashes, emptied in one go.
class HashSet {
 public:
  explicit HashSet(std::size_t capacity) : slots_(std::bit_ceil(2 * capacity + 2), 0) {}

  void clear() { std::fill(slots_.begin(), slots_.end(), 0); }

  bool insert(u64 hash) {
    hash |= hash == 0;
    const std::size_t mask = slots_.size() - 1;
    std::size_t at = hash & mask;
    while (slots_[at] != 0 && slots_[at] != hash) at = (at + 1) & mask;
    const bool fresh = slots_[at] == 0;
    slots_[at] = hash;
    return fresh;
  }

 private:
  std::vector<u64> slots_;
};

template <Value V>
class KnownSearch {
 public:
  KnownSearch(const KnownGame& game, const V& value, const KnownOptions& options, ThreadPool& pool,
              SearchControl& control)
      : game_(game),
        value_(value),
        options_(options),
        pool_(pool),
        control_(control),
        chunks_((static_cast<std::size_t>(options.width) + kGrain - 1) / kGrain),
        seen_(static_cast<std::size_t>(options.width)) {}

  Line run();

 private:
  struct Chunk {
    std::vector<Candidate> candidates;
    Finish finish;
    u64 children;
  };

  void expand_chunk(int begin, int end, Capsule capsule, const Pace& pace, Chunk& chunk) const;
  void expand_layer(Capsule capsule, const Pace& pace);
  void select(Capsule capsule, const Pace& pace);
  Line line() const;

  // What a thread works on; of its own for each kind of value, as one of Python may search by another.
  struct Ranked {
    Children children;
    i32 values[kActions];
  };

  bool stopped() const { return control_.stop.load(std::memory_order_relaxed); }
  int phase(u32 frames) const { return static_cast<int>(game_.root.frame_counter + frames) & 1; }

  const KnownGame& game_;
  const V& value_;
  const KnownOptions& options_;
  ThreadPool& pool_;
  SearchControl& control_;
  std::vector<Chunk> chunks_;
  std::vector<Node> layer_, parents_, made_;
  std::vector<u64> hashes_;
  std::vector<Candidate> candidates_;
  std::vector<std::vector<Step>> history_;  // of each layer but the first
  HashSet seen_;
  Finish finish_;
  std::size_t finish_layer_ = 0;
  u64 nodes_ = 0, children_ = 0;
};

template <Value V>
void KnownSearch<V>::expand_chunk(int begin, int end, Capsule capsule, const Pace& pace, Chunk& chunk) const {
  auto& [children, values] = of_this_thread<Ranked>();
  chunk.candidates.clear();
  chunk.finish = {};
  chunk.children = 0;
  for (int n = begin; n < end; ++n) {
    const Node& node = layer_[static_cast<std::size_t>(n)];
    expand(node.board, phase(node.frames), pace, capsule, children);
    value_.evaluate(children.at, children.size, values);
    chunk.children += static_cast<u64>(children.size);
    for (int i = 0; i < children.size; ++i) {
      const Child& child = children.at[i];
      const u32 frames = node.frames + child.tau;
      if (child.end == End::kCleared) {
        chunk.finish = std::min(chunk.finish, Finish{frames, static_cast<u32>(n), child.action});
      } else if (child.end == End::kNone && frames < finish_.frames) {
        const double rank = frames * kFrameUnits + options_.alpha * values[i];
        chunk.candidates.push_back({static_cast<i32>(rank), static_cast<u32>(n), child.action, child.frames_to_lock});
      }
    }
  }
}

template <Value V>
void KnownSearch<V>::expand_layer(Capsule capsule, const Pace& pace) {
  const int size = static_cast<int>(layer_.size());
  const auto chunks = static_cast<std::size_t>((size + kGrain - 1) / kGrain);
  pool_.for_chunks(static_cast<int>(chunks), 1, [&](int first, int last) {
    for (int c = first; c < last && !stopped(); ++c) {
      expand_chunk(c * kGrain, std::min(size, (c + 1) * kGrain), capsule, pace, chunks_[static_cast<std::size_t>(c)]);
    }
  });
  if (stopped()) return;  // the chunks that were left out hold another layer's
  candidates_.clear();
  Finish earliest = finish_;
  for (std::size_t c = 0; c < chunks; ++c) {
    candidates_.insert(candidates_.end(), chunks_[c].candidates.begin(), chunks_[c].candidates.end());
    earliest = std::min(earliest, chunks_[c].finish);
    children_ += chunks_[c].children;
  }
  if (earliest.frames < finish_.frames) {
    finish_ = earliest;
    finish_layer_ = history_.size();
  }
  nodes_ += static_cast<u64>(size);
  control_.nodes.fetch_add(static_cast<u64>(size), std::memory_order_relaxed);
}

// Makes the best distinct children the next layer: by rank, then parent, then action.
template <Value V>
void KnownSearch<V>::select(Capsule capsule, const Pace& pace) {
  const auto width = static_cast<std::size_t>(options_.width);
  history_.emplace_back();
  std::vector<Step>& steps = history_.back();
  parents_.swap(layer_);
  layer_.clear();
  seen_.clear();
  const std::size_t batch = width + width / 4 + 8;
  for (std::size_t begin = 0; begin < candidates_.size() && layer_.size() < width; begin += batch) {
    const std::size_t end = std::min(begin + batch, candidates_.size());
    const auto from = candidates_.begin();
    using Offset = std::ptrdiff_t;
    if (end < candidates_.size()) {
      std::nth_element(from + static_cast<Offset>(begin), from + static_cast<Offset>(end), candidates_.end());
    }
    std::sort(from + static_cast<Offset>(begin), from + static_cast<Offset>(end));
    made_.resize(end - begin);
    hashes_.resize(end - begin);
    pool_.for_chunks(static_cast<int>(end - begin), 64, [&](int first, int last) {
      for (auto i = static_cast<std::size_t>(first); i < static_cast<std::size_t>(last); ++i) {
        const Candidate& candidate = candidates_[begin + i];
        const Node& parent = parents_[candidate.parent];
        Child child;
        place(parent.board, phase(parent.frames), pace, capsule, candidate.action, candidate.frames_to_lock, child);
        made_[i] = {child.board, parent.frames + child.tau};
        hashes_[i] = hash_of(child.board) ^ static_cast<u64>(phase(made_[i].frames));
      }
    });
    for (std::size_t i = 0; i < end - begin && layer_.size() < width; ++i) {
      if (!seen_.insert(hashes_[i])) continue;
      layer_.push_back(made_[i]);
      steps.push_back({candidates_[begin + i].parent, candidates_[begin + i].action});
    }
  }
}

template <Value V>
Line KnownSearch<V>::line() const {
  Line line;
  line.nodes = nodes_;
  line.children = children_;
  line.cleared = finish_.frames != std::numeric_limits<u32>::max();
  u32 node = 0;
  std::size_t layer = history_.size();
  if (line.cleared) {
    line.frames = finish_.frames;
    line.actions.push_back(finish_.action);
    node = finish_.parent;
    layer = finish_layer_;
  } else if (!layer_.empty()) {
    line.frames = layer_.front().frames;
  } else if (layer > 0) {
    --layer;  // nothing lives on
    line.frames = parents_.front().frames;
  }
  for (; layer > 0; --layer) {
    const Step& step = history_[layer - 1][node];
    line.actions.push_back(step.action);
    node = step.parent;
  }
  std::reverse(line.actions.begin(), line.actions.end());
  return line;
}

template <Value V>
Line KnownSearch<V>::run() {
  layer_.push_back({board_of(game_.root.bottle), 0});
  Pace pace{game_.root.speed, game_.root.speed_ups, game_.root.capsules_thrown};
  for (int n = 0; n < options_.max_capsules && !layer_.empty(); ++n) {
    control_.capsules.store(static_cast<u32>(n), std::memory_order_relaxed);
    expand_layer(game_.capsule(n), pace);
    if (stopped()) break;
    select(game_.capsule(n), pace);
    pace = pace.next();
  }
  return line();
}

}  // namespace

template <Value V>
Line solve_known(const KnownGame& game, const V& value, const KnownOptions& options, ThreadPool& pool,
                 SearchControl& control) {
  return KnownSearch<V>(game, value, options, pool, control).run();
}

template Line solve_known(const KnownGame&, const LinearValue&, const KnownOptions&, ThreadPool&, SearchControl&);
template Line solve_known(const KnownGame&, const ForeignValue&, const KnownOptions&, ThreadPool&, SearchControl&);

}  // namespace drm
