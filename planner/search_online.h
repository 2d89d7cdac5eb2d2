// Search with what a player may know: the capsule, the preview, and the law of those that follow.
#pragma once

#include <array>
#include <vector>

#include "search_beam.h"
#include "search_control.h"
#include "search_halving.h"
#include "value.h"

namespace drm {

inline constexpr int kMaxWidth = 16;
inline constexpr int kMaxSequences = 1 << 12;

struct OnlineOptions {
  int plies = 1;           // 1: this capsule; 2: and the preview; 3: and capsules after it
  int first = kMaxBoards;  // of the moves of this capsule, how many are followed
  int boards = 40;         // of the boards after the preview, how many are followed
  int screened = 0;        // if more: how many these are chosen from, by the mean over the capsules that may come third
  int depth = 1;           // capsules after the preview
  int width = 1;           // of the beam over them
  int sequences = 0;       // of such capsules, the same for all boards; 0: as many as make the first one's law exact.
                           // Else after every kStages-th part of them only the better half of the boards is followed
  u64 max_nodes = 0;       // boards expanded, 0: no limit. The first sequence is always finished
  double max_ms = 0;       // 0: no limit
};

struct Choice {
  i32 action;
  i32 value;  // expected frames to go, in kFrameUnits
  u32 nodes;  // boards expanded
};

// How often each capsule comes third, by its number.
using Thirds = std::array<int, kCapsules>;

// A search with its memory; for one thread.
template <Value V>
class OnlineSearch {
 public:
  // The same memory, by this value from now on. `control`: where it is told to stop, which ends a look ahead with
  // another future, and tells how far it is.
  OnlineSearch& by(const V& value, SearchControl& control) {
    value_ = &value;
    control_ = &control;
    return *this;
  }

  // The best placement of a capsule that can be placed somewhere. The board must be at rest. `judged`, if given, gets
  // the expected frames to go of every placement that was followed to the end of the search, kNotJudged for others.
  // `futures`, if given, are the capsules after the preview to look at, instead of those of the law:
  // [options.sequences][options.depth].
  Choice choose(const PublicState& root, const OnlineOptions& options, i32* judged = nullptr,
                const Capsule* futures = nullptr);

 private:
  Choice chosen(const PublicState& root, const OnlineOptions& options, i32* judged, const Capsule* futures);
  void tell();
  void expand_and_rank(const Board& board, i32 frames, const Pace& pace, Capsule capsule);
  void follow(const Beam& from, const Pace& pace, Capsule capsule, Beam& to, i32* judged = nullptr);
  void after_third(int board, const Pace& pace, Capsule third, int width);
  void screen(const Pace& pace, const OnlineOptions& options, const Thirds& thirds);
  i32 rollout(int board, Pace pace, const Capsule* capsules, int depth, int width);
  Choice look_ahead(const PublicState& root, const Pace& pace, const OnlineOptions& options, i32* judged,
                    const Capsule* given);

  const V* value_ = nullptr;
  SearchControl* control_ = nullptr;
  int phase_ = 0;  // of the root
  u32 nodes_ = 0;  // boards expanded for this choice,
  u32 told_ = 0;   // and how many of them the control knows of
  Children children_;
  i32 ranks_[kActions];
  Beam first_, second_, beam_[2];
  std::vector<int> followed_;  // of second_, the boards that are followed
  BeamStore thirds_;           // [board of second_, third capsule]
  Halving halving_;
};

// How a game went.
struct Played {
  bool cleared;
  u32 frames;  // to clear, or until the end
  u32 capsules;
  u32 viruses_left;
};

// Plays a parked game to its end, until `max_capsules` were placed, or until it is stopped. The search sees what a
// player sees.
template <Value V>
Played play_out(const Match& parked, OnlineSearch<V>& search, const OnlineOptions& options, u32 max_capsules,
                SearchControl& control);

}  // namespace drm
