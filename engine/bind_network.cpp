#include <algorithm>
#include <array>
#include <memory>
#include <tuple>

#include "bind.h"
#include "first_block.h"
#include "judge.h"
#include "readout.h"

namespace drm {

using Planes = nb::ndarray<const u8, nb::shape<-1, -1, kRows, kCols>, nb::c_contig, nb::device::cpu>;
using Source = nb::ndarray<const int, nb::shape<-1, -1>, nb::c_contig, nb::device::cpu>;
using Array = nb::ndarray<const float, nb::c_contig, nb::device::cpu>;
using Floats = nb::ndarray<nb::numpy, float>;

static std::string shape_of(const Shape& shape) {
  std::string text;
  for (const std::size_t extent : shape) text += (text.empty() ? "(" : ", ") + std::to_string(extent);
  return text + ")";
}

static void require(bool right, const char* name, const std::string& wanted, const std::string& got) {
  if (!right) throw nb::value_error((std::string(name) + " must " + wanted + ", got " + got).c_str());
}

static const float* floats(const Array& array, const char* name, const Shape& wanted) {
  const Shape shape(array.shape_ptr(), array.shape_ptr() + array.ndim());
  require(shape == wanted, name, "have shape " + shape_of(wanted), shape_of(shape));
  return array.data();
}

static PlaneBatch plane_batch(const Planes& planes, const Source& source, std::size_t width) {
  const std::size_t batch = planes.shape(0), each = planes.shape(1);
  require(each <= kMostPlanes, "planes", "be at most " + std::to_string(kMostPlanes), std::to_string(each));
  require(source.shape(0) == batch && source.shape(1) == each, "source", "have shape " + shape_of({batch, each}),
          shape_of({source.shape(0), source.shape(1)}));
  const auto [least, most] = std::minmax_element(source.data(), source.data() + batch * each);
  const bool inside = batch * each == 0 || (*least >= 0 && *most < static_cast<int>(each));
  require(inside, "source", "hold planes 0 to " + std::to_string(each - 1),
          inside ? "" : std::to_string(*least < 0 ? *least : *most));
  const PlaneBatch of{planes.data(), source.data(), static_cast<int>(batch), static_cast<int>(each),
                      static_cast<int>(width)};
  require(holds_bits(of), "planes", "hold 0 and 1", "other values");
  return of;
}

static std::size_t product(const Shape& shape) {
  std::size_t size = 1;
  for (const std::size_t extent : shape) size *= extent;
  return size;
}

// An array to be written.
static Floats fresh(const Shape& shape) { return take(new float[product(shape) + 1], shape); }

// How many numbers are left of a cell: none for a network that squeezes later cells.
static std::size_t squeezed_of(const Array& squeeze, std::size_t width) {
  require(squeeze.ndim() == 2 && (squeeze.shape(0) == 0 || squeeze.shape(0) == kSqueezed) && squeeze.shape(1) == width,
          "squeeze", "have shape " + shape_of({kSqueezed, width}) + " or " + shape_of({0, width}),
          shape_of(Shape(squeeze.shape_ptr(), squeeze.shape_ptr() + squeeze.ndim())));
  return squeeze.shape(0);
}

static const float* unless_empty(const Array& array) { return array.size() ? array.data() : nullptr; }

// A first block's outputs for some planes, with what its gradient needs.
class FirstBlock {
 public:
  FirstBlock(Planes planes, Source source, Array column, Array row, Array position, Array shift, Array mix, Array bias,
             Array squeeze, Array squeezing_bias)
      : planes_(planes),
        source_(source),
        mix_(mix),
        squeeze_(squeeze),
        of_(plane_batch(planes, source, bias.size())),
        left_(squeezed_of(squeeze, bias.size())) {
    const std::size_t batch = of_.batch, each = of_.planes_each, width = of_.width;
    floats(squeezing_bias, "squeezing_bias", {left_});
    const BlockWeights<const float> weights{floats(column, "column", {kColumnOffsets, each, width}),
                                            floats(row, "row", {kRowOffsets, each, width}),
                                            floats(position, "position", {kRows, kCols, width}),
                                            floats(shift, "shift", {batch, width}),
                                            floats(mix, "mix", {width, width}),
                                            floats(bias, "bias", {width}),
                                            unless_empty(squeeze),
                                            unless_empty(squeezing_bias)};
    seen_ = std::make_unique_for_overwrite<float[]>(batch * seen_size(of_.width));
    cells_ = fresh({batch, kRows, kCols, width});
    squeezed_ = fresh({batch, kCells * left_});
    const WithoutGil release;
    first_block(of_, weights, {seen_.get(), cells_.data(), squeezed_.data()});
  }

  Floats cells() const { return cells_; }
  Floats squeezed() const { return squeezed_; }

  std::tuple<Floats, Floats, Floats, Floats, Floats, Floats, Floats, Floats> gradient(const Array& of_cells,
                                                                                      const Array& of_squeezed) const {
    const std::size_t batch = of_.batch, each = of_.planes_each, width = of_.width;
    const float* cells_gradient = floats(of_cells, "of_cells", {batch, kRows, kCols, width});
    const float* squeezed_gradient = floats(of_squeezed, "of_squeezed", {batch, kCells * left_});
    const Floats column = fresh({kColumnOffsets, each, width});
    const Floats row = fresh({kRowOffsets, each, width});
    const Floats position = fresh({kRows, kCols, width});
    const Floats shift = fresh({batch, width});
    const Floats mix = fresh({width, width});
    const Floats bias = fresh({width});
    const Floats squeeze = fresh({left_, width});
    const Floats squeezing_bias = fresh({left_});
    {
      const WithoutGil release;
      first_block_gradient(of_, mix_.data(), unless_empty(squeeze_), {seen_.get(), cells_.data(), squeezed_.data()},
                           cells_gradient, squeezed_gradient,
                           {column.data(), row.data(), position.data(), shift.data(), mix.data(), bias.data(),
                            squeeze.data(), squeezing_bias.data()});
    }
    return {column, row, position, shift, mix, bias, squeeze, squeezing_bias};
  }

 private:
  Planes planes_;  // these four kept alive
  Source source_;
  Array mix_, squeeze_;
  PlaneBatch of_;
  std::size_t left_;
  std::unique_ptr<float[]> seen_;
  Floats cells_, squeezed_;
};

using Indices = nb::ndarray<const int, nb::shape<-1>, nb::c_contig, nb::device::cpu>;

static Placements placements_of(const Indices& decision, const Indices& action, const Array& facts,
                                std::size_t facts_each, std::size_t batch) {
  const std::size_t rows = decision.size();
  require(action.size() == rows, "action", "have shape " + shape_of({rows}), shape_of({action.size()}));
  const Placements placements{decision.data(), action.data(), floats(facts, "facts", {rows, facts_each}),
                              static_cast<int>(rows), static_cast<int>(facts_each)};
  require(are_placements(placements, static_cast<int>(batch)), "decision and action",
          "ascend from 0 to " + std::to_string(batch) + " and hold 0 to 511", "other values");
  return placements;
}

static void require_axes(const Array& array, const char* name, std::size_t axes) {
  require(array.ndim() == axes, name, "have " + std::to_string(axes) + " axes", std::to_string(array.ndim()));
}

// What a head says of some placements that scores the cells they fill, with what its gradient needs.
class Scored {
 public:
  Scored(Array cells, Indices decision, Indices action, Array facts, Array halves, Array orientation, Array gain)
      : arrays_{cells, facts, halves, orientation, gain}, decision_(decision), action_(action) {
    require_axes(cells, "cells", 4);
    const std::size_t batch = cells.shape(0), width = cells.shape(3), each = gain.size();
    of_ = {static_cast<int>(batch),
           static_cast<int>(width),
           floats(cells, "cells", {batch, kRows, kCols, width}),
           placements_of(decision, action, facts, each, batch),
           {floats(halves, "halves", {batch, kMaps, width}), floats(orientation, "orientation", {kOrientations}),
            floats(gain, "gain", {each})}};
    log_probs_ = fresh({decision.size()});
    const WithoutGil release;
    read_out(of_, log_probs_.data());
  }

  Floats log_probs() const { return log_probs_; }

  std::tuple<Floats, Floats, Floats, Floats> gradient(const Array& of_log_probs) const {
    const std::size_t batch = of_.batch, width = of_.width, each = of_.placements.facts_each;
    const float* given = floats(of_log_probs, "of_log_probs", {log_probs_.shape(0)});
    const Floats cells = fresh({batch, kRows, kCols, width});
    const Floats halves = fresh({batch, kMaps, width});
    const Floats orientation = fresh({kOrientations});
    const Floats gain = fresh({each});
    {
      const WithoutGil release;
      read_out_gradient(of_, log_probs_.data(), given, cells.data(), {halves.data(), orientation.data(), gain.data()});
    }
    return {cells, halves, orientation, gain};
  }

 private:
  std::array<Array, 5> arrays_;  // kept alive
  Indices decision_, action_;
  Readout of_;
  Floats log_probs_;
};

// What the features head says of some placements, with what its gradient needs.
class Judged {
 public:
  Judged(Array cells, Array shift, Indices decision, Indices action, Array facts, Array halves, Array told,
         Array orientation, Array mix, Array bias, Array score)
      : arrays_{cells, shift, facts, halves, told, orientation, mix, bias, score},
        decision_(decision),
        action_(action) {
    require_axes(cells, "cells", 4);
    require_axes(facts, "facts", 2);
    const std::size_t batch = cells.shape(0), width = cells.shape(3), each = facts.shape(1), hidden = bias.size();
    of_ = {static_cast<int>(batch),
           static_cast<int>(width),
           static_cast<int>(hidden),
           floats(cells, "cells", {batch, kRows, kCols, width}),
           floats(shift, "shift", {batch, hidden}),
           placements_of(decision, action, facts, each, batch),
           {floats(halves, "halves", {2 * hidden, width}), floats(told, "told", {hidden, each}),
            floats(orientation, "orientation", {kOrientations, hidden}), floats(mix, "mix", {hidden, hidden}),
            floats(bias, "bias", {hidden}), floats(score, "score", {hidden})}};
    const std::size_t size = decision.size() * judged_size(of_.hidden);
    first_ = std::make_unique_for_overwrite<float[]>(size);
    mixed_ = std::make_unique_for_overwrite<float[]>(size);
    log_probs_ = fresh({decision.size()});
    const WithoutGil release;
    judge(of_, first_.get(), mixed_.get(), log_probs_.data());
  }

  Floats log_probs() const { return log_probs_; }

  std::tuple<Floats, Floats, Floats, Floats, Floats, Floats, Floats, Floats> gradient(const Array& of_log_probs) const {
    const std::size_t batch = of_.batch, width = of_.width, hidden = of_.hidden, each = of_.placements.facts_each;
    const float* given = floats(of_log_probs, "of_log_probs", {log_probs_.shape(0)});
    const Floats cells = fresh({batch, kRows, kCols, width});
    const Floats shift = fresh({batch, hidden});
    const Floats halves = fresh({2 * hidden, width});
    const Floats told = fresh({hidden, each});
    const Floats orientation = fresh({kOrientations, hidden});
    const Floats mix = fresh({hidden, hidden});
    const Floats bias = fresh({hidden});
    const Floats score = fresh({hidden});
    {
      const WithoutGil release;
      judge_gradient(of_, first_.get(), mixed_.get(), log_probs_.data(), given, cells.data(), shift.data(),
                     {halves.data(), told.data(), orientation.data(), mix.data(), bias.data(), score.data()});
    }
    return {cells, shift, halves, told, orientation, mix, bias, score};
  }

 private:
  std::array<Array, 9> arrays_;  // kept alive
  Indices decision_, action_;
  Judge of_;
  std::unique_ptr<float[]> first_, mixed_;
  Floats log_probs_;
};

void bind_network(nb::module_& m) {
  nb::class_<FirstBlock>(
      m, "FirstBlock",
      "The first block of the axial encoder (nets/encoder.py) on 0/1 planes u8[B, C, 16, 8], and its gradient.\n\n"
      "Plane c of a decision is planes[source[c]], source i32[B, C], C at most 32. cells f32[B, 16, 8, K] =\n"
      "relu(mix f32[K, K] (to, from) x + bias f32[K]), where x = relu(convolutions along whole columns and rows +\n"
      "position f32[16, 8, K] + shift f32[B, K]); squeezed f32[B, 1024] = relu(squeeze f32[8, K] of every cell +\n"
      "squeezing_bias f32[8]), or f32[B, 0] for weights of no rows. column f32[31, C, K] and row f32[15, C, K] hold\n"
      "weights by offset: where to, less where from, plus 15 or 7. ValueError for other shapes or values. Nobody may\n"
      "write to the arrays meanwhile.")
      .def(nb::init<Planes, Source, Array, Array, Array, Array, Array, Array, Array, Array>(), "planes"_a.noconvert(),
           "source"_a.noconvert(), "column"_a, "row"_a, "position"_a, "shift"_a, "mix"_a, "bias"_a, "squeeze"_a,
           "squeezing_bias"_a)
      .def_prop_ro("cells", &FirstBlock::cells, nb::rv_policy::automatic, "f32[B, 16, 8, K].")
      .def_prop_ro("squeezed", &FirstBlock::squeezed, nb::rv_policy::automatic, "f32[B, 1024 or 0].")
      .def("gradient", &FirstBlock::gradient, "of_cells"_a, "of_squeezed"_a,
           "The gradients of column, row, position, shift, mix, bias, squeeze and squeezing_bias, for those of cells\n"
           "and squeezed.");
  nb::class_<Scored>(
      m, "Scored",
      "What a head says of M placements that scores the cells f32[B, 16, 8, K] they fill, and its gradient.\n\n"
      "A placement's score is its first half's cell times halves[b, orientation], plus its second half's (0 above the\n"
      "bottle) times halves[b, 4 + orientation] of f32[B, 8, K], plus orientation f32[4] at its own, plus facts\n"
      "f32[M, F] times gain f32[F]. Rows of decision i32[M] ascend; those of decision B are padding. action i32[M].\n"
      "ValueError for other shapes or values. Nobody may write to the arrays meanwhile.")
      .def(nb::init<Array, Indices, Indices, Array, Array, Array, Array>(), "cells"_a, "decision"_a.noconvert(),
           "action"_a.noconvert(), "facts"_a, "halves"_a, "orientation"_a, "gain"_a)
      .def_prop_ro("log_probs", &Scored::log_probs, nb::rv_policy::automatic,
                   "f32[M]: log-softmax of the scores over the rows of each decision, 0 for padding.")
      .def("gradient", &Scored::gradient, "of_log_probs"_a,
           "The gradients of cells, halves, orientation and gain, for that of log_probs.");
  nb::class_<Judged>(m, "Judged",
                     "What the features head says of M placements (nets/features.py), and its gradient.\n\n"
                     "cells f32[B, 16, 8, K] are what the halves read; shift f32[B, H] is added to every placement of\n"
                     "a decision; facts f32[M, F] and orientation f32[4, H] are its own. With x = relu(shift +\n"
                     "orientation + told f32[H, F] facts + halves f32[2 H, K] (H for the first half's cell, H for the\n"
                     "second's), 0 above the bottle), its score is score f32[H] (x + relu(mix f32[H, H] x + bias\n"
                     "f32[H])). Rows of decision B are padding. ValueError for other shapes or values. Nobody may\n"
                     "write to the arrays meanwhile.")
      .def(nb::init<Array, Array, Indices, Indices, Array, Array, Array, Array, Array, Array, Array>(), "cells"_a,
           "shift"_a, "decision"_a.noconvert(), "action"_a.noconvert(), "facts"_a, "halves"_a, "told"_a,
           "orientation"_a, "mix"_a, "bias"_a, "score"_a)
      .def_prop_ro("log_probs", &Judged::log_probs, nb::rv_policy::automatic,
                   "f32[M]: log-softmax of the scores over the rows of each decision, 0 for padding.")
      .def("gradient", &Judged::gradient, "of_log_probs"_a,
           "The gradients of cells, shift, halves, told, orientation, mix, bias and score, for that of log_probs.");
}

}  // namespace drm
