#include <nanobind/stl/unique_ptr.h>

#include "bind_planner.h"
#include "lzf.h"
#include "step_log.h"

namespace drm {

template <typename T>
static const char* format_of() {
  if (std::is_same_v<T, float>) return "f4";
  if (std::is_same_v<T, i16>) return "i2";
  return sizeof(T) == 8 ? "u8" : sizeof(T) == 4 ? "u4" : "u1";
}

static nb::handle row_dtype() {
  static nb::handle dtype;
  if (dtype) return dtype;
  std::vector<RecordField> fields;
#define DRM_ROW_RECORD(name, type, count) \
  fields.push_back({#name, format_of<type>(), offsetof(DecisionRow, name), count});
  DRM_ROW_FIELDS(DRM_ROW_RECORD)
#undef DRM_ROW_RECORD
  return dtype = record_dtype(fields, sizeof(DecisionRow)).release();
}

static nb::handle end_dtype() {
  static nb::handle dtype;
  if (dtype) return dtype;
  std::vector<RecordField> fields;
#define DRM_END_RECORD(name, type) fields.push_back({#name, format_of<type>(), offsetof(GameEnd, name), 1});
  DRM_END_FIELDS(DRM_END_RECORD)
#undef DRM_END_RECORD
  return dtype = record_dtype(fields, sizeof(GameEnd)).release();
}

// Unlike other views one that can be written to: what a policy says is filled in later.
static nb::object rows_of(nb::handle_t<LogBlock> self) {
  auto& rows = nb::cast<LogBlock&>(self).rows;
  return nb::cast(view(reinterpret_cast<u8*>(rows.data()), {rows.size() * sizeof(DecisionRow)}, self))
      .attr("view")(row_dtype());
}

static nb::object states_of(nb::handle_t<LogBlock> self) {
  const auto& block = nb::cast<const LogBlock&>(self);
  const Match* first = block.starts.empty() ? nullptr : &block.starts[0].state;
  return state_view(first, block.starts.size(), block.players, self, sizeof(GameStart));
}

static nb::object ends_of(nb::handle_t<LogBlock> self) {
  const auto& ends = nb::cast<const LogBlock&>(self).ends;
  return record_view(ends.data(), end_dtype(), sizeof(GameEnd), {ends.size()}, self);
}

static nb::object late_of(nb::handle_t<LogBlock> self) {
  const auto& late = nb::cast<const LogBlock&>(self).late;
  return record_view(late.data(), event_dtype(), sizeof(Events), {late.size()}, self);
}

template <auto Column>
static nb::ndarray<nb::numpy, const u32> seats_of(nb::handle_t<LogBlock> self) {
  const auto& seats = nb::cast<const LogBlock&>(self).*Column;
  return view(seats.data(), {seats.size()}, self);
}

#define DRM_RECORDS(name) nb::for_getter(nb::sig("def " name "(self) -> numpy.typing.NDArray[numpy.void]"))

static void before(StepLog& log, nb::handle action) {
  const Decisions& games = log.games();
  std::vector<long> shape{games.size()};
  if (games.players() == 2) shape.push_back(2);
  const auto actions = integer_array<i32>(action, "action", shape, INT32_MIN, INT32_MAX);
  exclusively(log.games(), [&] { log.before(actions.data.data()); });
}

static nb::object compressed_chunk(nb::ndarray<const u8, nb::ndim<2>, nb::c_contig, nb::device::cpu> rows,
                                   std::size_t width) {
  const std::size_t row = rows.shape(1);
  if (width < 1 || row < 1 || row % width) {
    throw std::invalid_argument("width is " + std::to_string(width) + ", rows have " + std::to_string(row) +
                                " bytes; it must divide that");
  }
  std::vector<u8> bytes(rows.data(), rows.data() + rows.size()), out;
  bool shorter = false;
  {
    const WithoutGil release;
    if (width > 1) {
      shuffle(bytes.data(), bytes.size(), width, out);
      bytes.swap(out);
    }
    shorter = Lzf().compress(bytes.data(), bytes.size(), row / width, out);
  }
  return shorter ? nb::object(nb::bytes(out.data(), out.size())) : nb::none();
}

static void bind_block(nb::module_& m) {
  nb::class_<LogBlock>(m, "LogBlock", "Consecutive steps of a `StepLog`; the arrays are views of it.")
      .def_ro("first_step", &LogBlock::first_step, "number of its first step")
      .def_ro("end_step", &LogBlock::end_step, "number of the step after its last")
      .def_ro("fills_file", &LogBlock::fills_file, "whether a new file begins after it")
      .def_prop_ro("states", &states_of, DRM_RECORDS("states"),
                   "Structured [G], as Batch.state: first states of the games that begin; they are numbered on.")
      .def_prop_ro("rows", &rows_of, DRM_RECORDS("rows"),
                   "Structured [M], dtype decision_row_dtype(), can be written to: decisions by step and seat.")
      .def_prop_ro("seats", &seats_of<&LogBlock::seats>, "u32[M] of the rows: game * players + player")
      .def_prop_ro("late", &late_of, DRM_RECORDS("late"),
                   "Structured [L], as Decisions.events: what came of the last decisions of earlier blocks.")
      .def_prop_ro("late_seats", &seats_of<&LogBlock::late_seats>, "u32[L]: whose they were")
      .def_prop_ro("ends", &ends_of, DRM_RECORDS("ends"),
                   "Structured [E]: game, digest of its last state, outcome and winner as in traces.");
}

void bind_step_log(nb::module_& m) {
  bind_block(m);
  m.def("decision_row_dtype", &row_dtype, nb::sig("def decision_row_dtype() -> numpy.dtype[numpy.void]"),
        "Of LogBlock.rows: columns of a trace's decisions, beside the numbers of game and step.");
  m.def("compressed_chunk", &compressed_chunk, "rows"_a.noconvert(), "width"_a = 1,
        nb::sig("def compressed_chunk(rows: numpy.typing.NDArray[numpy.uint8], width: int = 1) -> bytes | None"),
        "The bytes u8[N, B] of a chunk's rows as HDF5's filters shuffle (elements of width bytes; 1: none) and lzf\n"
        "store them, None when that would not be shorter.");
  nb::class_<StepLog>(m, "StepLog",
                      "Rows of the decisions of a batch of games, made while these are played, in blocks.\n"
                      "A game begins wherever somebody else moved or changed it since the last logged step.")
      .def(
          "__init__",
          [](StepLog* self, Decisions& games, std::size_t block_rows, const Real& block_seconds,
             std::size_t file_rows) {
            new (self) StepLog(games, block_rows, checked(block_seconds, "block_seconds", 0.0, 1e9), file_rows);
          },
          "games"_a, "block_rows"_a, "block_seconds"_a, "file_rows"_a, nb::keep_alive<1, 2>(),
          "A block is full after block_rows decisions, or after a step when its first is block_seconds old; a file\n"
          "is after file_rows decisions.")
      .def("before", &before, "action"_a,
           "The games are about to make these decisions, as `Decisions.step` takes them, -1 in those that wait by its\n"
           "mask; until `after` nothing else may move them.")
      .def(
          "after", [](StepLog& log) { return exclusively(log.games(), [&] { return log.after(); }); },
          "They have made them: whether a block became full. Without `before`, or with other moves since then than "
          "one\n"
          "of every game that does not wait, nothing is logged.")
      .def(
          "seal", [](StepLog& log) { return exclusively(log.games(), [&] { return log.seal(); }); },
          "End a block if anything is in it; whether it was.")
      .def(
          "take", [](StepLog& log) { return log.take(); }, nb::sig("def take(self) -> LogBlock | None"),
          "The oldest full block, None when there is none; any thread may take it.")
      .def_prop_ro("ready", &StepLog::ready, "number of full blocks")
      .def_prop_ro(
          "step", [](StepLog& log) { return exclusively(log.games(), [&] { return log.step(); }); },
          "number of the next step");
}

}  // namespace drm
