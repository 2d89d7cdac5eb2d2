// Rows of the decisions of a batch of games, made while these are played: what traces keep (docs/traces.md).
//
// A game begins wherever somebody else moved or changed it since the last logged step, so whatever is in a log replays;
// of two players as soon as no capsule is in the air, whose placement no state would tell.
// The rows come in blocks, which one thread fills and another one takes.
#pragma once

#include <chrono>
#include <deque>
#include <memory>
#include <mutex>
#include <vector>

#include "decisions.h"

namespace drm {

inline constexpr int kTopActions = 5;

// What a trace keeps of a decision. X(name, type, count); widest types first, so that nothing lies between the fields.
#define DRM_ROW_FIELDS(X)                                                   \
  X(game, u64, 1)       /* number of the game in the recording */           \
  X(digest, u64, 1)     /* of the full state before the decision */         \
  X(order, u32, 1)      /* number of the step in which it was made */       \
  X(tau, u32, 1)        /* the events are those of the decision; 0: open */ \
  X(log_prob, float, 1) /* what the policy says is filled in by others */   \
  X(value, float, 1)                                                        \
  X(value_band, float, 2)                                                   \
  X(top_log_prob, float, kTopActions)                                       \
  X(action, i16, 1)                                                         \
  X(top_action, i16, kTopActions)                                           \
  X(player, u8, 1)                                                          \
  X(bottle, u8, kCells)                                                     \
  X(capsule, u8, 2)                                                         \
  X(preview, u8, 2)                                                         \
  X(frame_counter, u8, 1)                                                   \
  X(speed_ups, u8, 1)                                                       \
  X(legal, u8, kActions / 8) /* bit i of byte j is action 8 * j + i */      \
  X(viruses_cleared, u8, 1)                                                 \
  X(viruses_by_color, u8, kColors)                                          \
  X(halves_cleared, u8, 1)                                                  \
  X(combos, u8, 1)                                                          \
  X(runs_after_first, u8, 1)                                                \
  X(cascade, u8, 1)                                                         \
  X(passes_after_first, u8, 1)                                              \
  X(attack_sent, u8, 1)                                                     \
  X(garbage_received, u8, 1)

struct DecisionRow {
#define DRM_ROW_FIELD(name, type, count) FieldOf<type, count> name;
  DRM_ROW_FIELDS(DRM_ROW_FIELD)
#undef DRM_ROW_FIELD
  u8 padding[6];  // spelled out, so that equal rows are equal bytes; always 0
};

static_assert(std::is_trivially_copyable_v<DecisionRow> && sizeof(DecisionRow) == 288, "no hidden padding");

// Codes of traces/schema.py.
enum class Outcome : u8 { kUnfinished = 0, kCleared = 1, kTopOut = 2, kTruncated = 3 };

struct GameStart {
  u64 game;
  Match state;
};

// X(name, type)
#define DRM_END_FIELDS(X) X(game, u64) X(digest, u64) /* of the last state */ X(outcome, u8) X(winner, u8)

struct GameEnd {
#define DRM_END_FIELD(name, type) type name;
  DRM_END_FIELDS(DRM_END_FIELD)
#undef DRM_END_FIELD
};

// Memory of blocks that nobody reads any more: fresh one would have to be got from the system, page after page.
struct SpareRows {
  std::mutex lock;
  std::vector<std::vector<DecisionRow>> rows;
};

// Consecutive steps.
struct LogBlock {
  LogBlock(std::shared_ptr<SpareRows> spares, std::size_t room);
  ~LogBlock();
  LogBlock(const LogBlock&) = delete;
  LogBlock& operator=(const LogBlock&) = delete;

  int players = 1;
  u32 first_step = 0, end_step = 0;  // numbers, end_step is not in it
  bool fills_file = false;           // a new file begins after it
  std::vector<GameStart> starts;     // games that begin, by number
  std::vector<DecisionRow> rows;     // decisions made, by step and seat
  std::vector<u32> seats;            // of rows: game * players + player
  std::vector<Events> late;          // what came of the last decisions of earlier blocks; two players only
  std::vector<u32> late_seats;
  std::vector<GameEnd> ends;

 private:
  std::shared_ptr<SpareRows> spares_;
};

class StepLog {
 public:
  // A block is full after so many decisions, or after a step when its first is so many seconds old; a file after so
  // many decisions.
  StepLog(Decisions& games, std::size_t block_rows, double block_seconds, std::size_t file_rows);

  // The games are about to make these decisions (-1: the game waits), and have made them. A step counts when `after`
  // has come to its end: `before` alone, or other moves than one of each game between the two, leave nothing behind.
  // `after` returns whether a block became full. The caller holds the lock of the games, and is one thread.
  void before(const i32* actions);
  bool after();

  // Ends a block, if anything is in it.
  bool seal(bool fills_file = false);

  // The oldest full block, null when there is none; another thread may take it.
  std::unique_ptr<LogBlock> take();

  std::size_t ready() const;  // full blocks
  u32 step() const { return step_; }
  Decisions& games() const { return games_; }

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr std::ptrdiff_t kNoRow = -2, kEarlierBlock = -1;
  enum Fate : u8 { kRuns = 1, kBegins = 2, kWasLeft = 4 };

  std::unique_ptr<LogBlock> new_block() const;
  void discard();
  void forget(std::size_t n);
  void settle(std::size_t n);
  void tell(std::size_t seat);

  Decisions& games_;
  const std::size_t block_rows_, file_rows_;
  const Clock::duration patience_;
  std::size_t file_used_ = 0;  // decisions in this file
  u32 step_ = 0;
  u64 next_game_ = 0;

  std::shared_ptr<SpareRows> spares_ = std::make_shared<SpareRows>();
  std::unique_ptr<LogBlock> block_;
  std::size_t rows_ = 0, starts_ = 0;  // of the block: those after them are of a step that is not over
  bool begun_ = false;                 // between `before` and `after`
  Clock::time_point since_;            // the block's first step

  // Per game: its number, whether it goes on, and the hash that the last step left; what becomes of it in this step.
  std::vector<u64> game_, digest_;
  std::vector<u8> known_, fate_;
  std::vector<u32> found_, left_;  // its moves before this step, and after the last
  // Per seat: index in the block of its last decision, as long as that is open.
  std::vector<std::ptrdiff_t> open_;

  mutable std::mutex lock_;  // of what follows
  std::deque<std::unique_ptr<LogBlock>> full_;
};

}  // namespace drm
