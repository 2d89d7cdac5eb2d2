#include "judge.h"

#include <algorithm>
#include <array>
#include <vector>

#include "clones.h"
#include "rows.h"

namespace drm {

namespace {

// Placements that are multiplied at once, in whole decisions: all weights are read for so many (docs/LOG.md).
constexpr int kRowsAtOnce = 128;

// The cells that halves of one kind lie on, each once.
struct Reads {
  std::vector<int> cells;             // entries of [B * 128]
  std::vector<int> places;            // of every placement: which of the cells, -1 outside of the bottle
  std::array<int, kCells> of_cell{};  // of the last decision
  Rows values;                        // [cells][K]

  explicit Reads(int width) : values(width) {}

  void clear() {
    cells.clear();
    places.clear();
  }
  void begin_decision() { of_cell.fill(-1); }
  void add(int decision, int cell) {
    if (cell >= 0 && of_cell[cell] < 0) {
      of_cell[cell] = static_cast<int>(cells.size());
      cells.push_back(decision * kCells + cell);
    }
    places.push_back(cell < 0 ? -1 : of_cell[cell]);
  }
  int count() const { return static_cast<int>(cells.size()); }
};

// The placements of some decisions, and what they read.
struct Piece {
  const Judge& of;
  int begin = 0, end = 0;              // placements
  int first_decision = 0, beyond = 0;  // decisions
  Reads reads[2] = {Reads(of.width), Reads(of.width)};
  Rows facts{of.placements.facts_each};

  explicit Piece(const Judge& all) : of(all) {}

  int rows() const { return end - begin; }

  // Goes on to the next decisions: as many whole ones as fit, one at least. False when there are no more.
  bool next() {
    const Placements& placements = of.placements;
    begin = end;
    first_decision = beyond;
    for (Reads& read : reads) read.clear();
    for (; beyond < of.batch; ++beyond) {
      const int until = placements.end_of(beyond, end);
      if (until - begin > kRowsAtOnce && beyond > first_decision) break;
      for (Reads& read : reads) read.begin_decision();
      for (; end < until; ++end) {
        const Halves at(placements.action[end]);
        reads[0].add(beyond, at.first);
        reads[1].add(beyond, at.second);
      }
    }
    facts.resize(rows());
    facts.take(placements.facts + std::size_t(begin) * facts.width, rows());
    for (Reads& read : reads) {
      read.values.resize(read.count());
      for (int i = 0; i < read.count(); ++i) {
        std::copy_n(of.cells + std::size_t(read.cells[i]) * of.width, of.width, read.values.row(i));
      }
    }
    return beyond > first_decision;
  }

  int decision(int i) const { return of.placements.decision[begin + i]; }
  int orientation(int i) const { return of.placements.action[begin + i] / kCells; }
};

float sum_of(FloatLanes parts) {
  float total = 0.0f;
  for (int i = 0; i < kFloatLanes; ++i) total += parts[i];
  return total;
}

}  // namespace

int judged_size(int hidden) { return padded(hidden); }

DRM_CLONES void judge(const Judge& of, float* first, float* mixed, float* log_probs) {
  const int hidden = of.hidden, step = padded(hidden), facts_each = of.placements.facts_each;
  const auto& weights = of.weights;
  const Rows halves[2] = {columns_of(weights.halves, hidden, of.width),
                          columns_of(weights.halves + std::size_t(hidden) * of.width, hidden, of.width)};
  const Rows told = columns_of(weights.told, hidden, facts_each), mix = columns_of(weights.mix, hidden, hidden);
  const Rows orientation = copied(weights.orientation, kOrientations, hidden),
             shift = copied(of.shift, of.batch, hidden);
  const Rows bias = copied(weights.bias, 1, hidden), score = copied(weights.score, 1, hidden), zeros(hidden, 1);
  Rows under[2] = {Rows(hidden), Rows(hidden)}, x(hidden), y(hidden);
  Piece piece(of);
  while (piece.next()) {
    for (int half = 0; half < 2; ++half) {
      const Reads& read = piece.reads[half];
      under[half].resize(read.count());
      multiply(read.values.matrix(), whole_tiles(read.count()), of.width, halves[half].row(0), zeros.row(0), 0, step,
               under[half].row(0));
    }
    const int rows = piece.rows();
    x.resize(rows);
    y.resize(rows);
    for (int i = 0; i < rows; ++i) {
      std::copy_n(shift.row(piece.decision(i)), step, x.row(i));
      add(x.row(i), orientation.row(piece.orientation(i)), step);
      for (int half = 0; half < 2; ++half) {
        const int place = piece.reads[half].places[i];
        if (place >= 0) add(x.row(i), under[half].row(place), step);
      }
    }
    multiply(piece.facts.matrix(), whole_tiles(rows), facts_each, told.row(0), x.row(0), step, step, x.row(0));
    for (int i = 0; i < rows * step; i += kFloatLanes) lanes(x.row(0) + i) = positive(lanes(x.row(0) + i));
    multiply(x.matrix(), whole_tiles(rows), hidden, mix.row(0), bias.row(0), 0, step, y.row(0));
    for (int i = 0; i < rows; ++i) {
      FloatLanes total{};
      for (int k = 0; k < step; k += kFloatLanes) {
        lanes(y.row(i) + k) = positive(lanes(y.row(i) + k));
        total += lanes(score.row(0) + k) * (lanes(x.row(i) + k) + lanes(y.row(i) + k));
      }
      log_probs[piece.begin + i] = sum_of(total);
    }
    std::copy_n(x.row(0), rows * step, first + std::size_t(piece.begin) * step);
    std::copy_n(y.row(0), rows * step, mixed + std::size_t(piece.begin) * step);
  }
  for (int n = 0, row = 0; n < of.batch; ++n) {
    const int until = of.placements.end_of(n, row);
    log_softmax(log_probs + row, until - row);
    row = until;
  }
  std::fill(log_probs + piece.end, log_probs + of.placements.rows, 0.0f);
}

namespace {

// The gradients of all weights while they are added up, and the weights that they go back through.
struct Backward {
  const Judge& of;
  int width = of.width, hidden = of.hidden, facts_each = of.placements.facts_each, step = padded(hidden);
  Rows halves[2] = {copied(of.weights.halves, hidden, width),
                    copied(of.weights.halves + std::size_t(hidden) * width, hidden, width)};
  Rows mix = copied(of.weights.mix, hidden, hidden), score = copied(of.weights.score, 1, hidden);
  Rows of_halves[2] = {Rows(width, step), Rows(width, step)};
  Rows of_told{facts_each, step}, of_orientation{hidden, kOrientations};
  Rows of_mix{hidden, step}, of_bias{hidden, 1}, of_score{hidden, 1};
  Rows back{hidden}, through{hidden}, of_shift{hidden, 1}, of_under{hidden}, of_values{width};
  Rows zeros{std::max(width, hidden), 1};
  std::vector<float> of_scores;

  explicit Backward(const Judge& all) : of(all), of_scores(all.placements.rows) {}

  // `back` and `through` of the scores' gradient: of what comes out of the first layer and of what goes into mixing.
  void through_score(const Piece& piece, const float* first, const float* mixed) {
    const int rows = piece.rows();
    back.resize(rows);
    through.resize(rows);
    for (int i = 0; i < rows; ++i) {
      const float pull = of_scores[piece.begin + i];
      for (int k = 0; k < step; k += kFloatLanes) {
        const FloatLanes out = lanes(mixed + i * step + k), straight = pull * lanes(score.row(0) + k);
        lanes(of_score.row(0) + k) += pull * (lanes(first + i * step + k) + out);
        lanes(back.row(i) + k) = straight;
        lanes(through.row(i) + k) = where_positive(out, straight);
        lanes(of_bias.row(0) + k) += lanes(through.row(i) + k);
      }
    }
  }

  // `back` of what comes out of the first layer becomes that of what goes into it.
  void through_mix(const Piece& piece, const float* first) {
    const int rows = piece.rows();
    multiply(through.turned(), step, rows, first, of_mix.row(0), step, step, of_mix.row(0));
    multiply(through.matrix(), whole_tiles(rows), hidden, mix.row(0), back.row(0), step, step, back.row(0));
    for (int i = 0; i < rows; ++i) {
      for (int k = 0; k < step; k += kFloatLanes) {
        lanes(back.row(i) + k) = where_positive(lanes(first + i * step + k), lanes(back.row(i) + k));
      }
    }
  }

  // What all placements of a decision, and of an orientation, have in common.
  void into_shift(const Piece& piece, float* to) {
    for (int n = piece.first_decision, i = 0; n < piece.beyond; ++n) {
      std::fill_n(of_shift.row(0), step, 0.0f);
      for (; i < piece.rows() && piece.decision(i) == n; ++i) {
        add(of_shift.row(0), back.row(i), step);
        add(of_orientation.row(piece.orientation(i)), back.row(i), step);
      }
      std::copy_n(of_shift.row(0), hidden, to + std::size_t(n) * hidden);
    }
    multiply(back.turned(), step, piece.rows(), piece.facts.row(0), of_told.row(0), of_told.step, of_told.step,
             of_told.row(0));
  }

  void into_cells(const Piece& piece, int half, float* of_cells) {
    const Reads& read = piece.reads[half];
    of_under.resize(read.count());
    std::fill_n(of_under.row(0), read.count() * step, 0.0f);
    for (int i = 0; i < piece.rows(); ++i) {
      if (read.places[i] >= 0) add(of_under.row(read.places[i]), back.row(i), step);
    }
    const int cell = read.values.step;
    Rows& sums = of_halves[half];
    multiply(of_under.turned(), step, read.count(), read.values.row(0), sums.row(0), cell, cell, sums.row(0));
    of_values.resize(read.count());
    multiply(of_under.matrix(), whole_tiles(read.count()), hidden, halves[half].row(0), zeros.row(0), 0, cell,
             of_values.row(0));
    for (int i = 0; i < read.count(); ++i) {
      float* to = of_cells + std::size_t(read.cells[i]) * width;
      for (int k = 0; k < width; ++k) to[k] += of_values.row(i)[k];
    }
  }

  void give(const JudgeWeights<float>& gradients) const {
    of_halves[0].give(gradients.halves, hidden);
    of_halves[1].give(gradients.halves + std::size_t(hidden) * width, hidden);
    of_told.give(gradients.told, hidden);
    of_orientation.give(gradients.orientation, kOrientations);
    of_mix.give(gradients.mix, hidden);
    of_bias.give(gradients.bias, 1);
    of_score.give(gradients.score, 1);
  }
};

}  // namespace

DRM_CLONES void judge_gradient(const Judge& of, const float* first, const float* mixed, const float* log_probs,
                               const float* of_log_probs, float* of_cells, float* of_shift,
                               const JudgeWeights<float>& gradients) {
  Backward backward(of);
  for (int n = 0, row = 0; n < of.batch; ++n) {
    const int until = of.placements.end_of(n, row);
    log_softmax_gradient(log_probs + row, of_log_probs + row, until - row, backward.of_scores.data() + row);
    row = until;
  }
  Piece piece(of);
  while (piece.next()) {
    const std::size_t here = std::size_t(piece.begin) * backward.step;
    const std::size_t cells = std::size_t(kCells) * of.width;
    std::fill(of_cells + piece.first_decision * cells, of_cells + piece.beyond * cells, 0.0f);
    backward.through_score(piece, first + here, mixed + here);
    backward.through_mix(piece, first + here);
    backward.into_shift(piece, of_shift);
    for (int half = 0; half < 2; ++half) backward.into_cells(piece, half, of_cells);
  }
  backward.give(gradients);
}

}  // namespace drm
