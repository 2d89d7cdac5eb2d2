#include <cmath>

#include "bind_search.h"
#include "value_weights.h"

namespace drm {

namespace {

constexpr float kMostFrames = 1e6f;  // that a function of Python may say

// While one lives, this thread is in a function of Python.
struct Asking {
  Asking() { under_way = true; }
  ~Asking() { under_way = false; }
  Asking(const Asking&) = delete;
  Asking& operator=(const Asking&) = delete;

  static thread_local bool under_way;
};
thread_local bool Asking::under_way = false;

// As given, checked.
std::vector<i32> weights_from(nb::handle weights) {
  auto given = integer_array<i32>(weights, "weights", {feature_count()}, -1'000'000, 1'000'000);
  const std::string problem = LinearValue::problem_with(given.data);
  if (!problem.empty()) throw nb::value_error(problem.c_str());
  return std::move(given.data);
}

constexpr const char* kAnswer = "value must give frames f32[n] for bottles u8[n, 128], got ";

// What a function of Python gave, as an array of floats; ValueError for what is not one of real numbers.
nb::object numbers(const nb::object& answer) {
  const nb::object as_array = nb::module_::import_("numpy").attr("asarray");
  nb::object array;
  try {
    array = called(as_array, answer);
  } catch (nb::python_error& error) {
    const auto type = nb::cast<std::string>(nb::handle(Py_TYPE(answer.ptr())).attr("__name__"));
    nb::raise_from(error, PyExc_ValueError, "%s%s that is no array", kAnswer, type.c_str());
  }
  const auto kind = nb::cast<std::string>(array.attr("dtype").attr("kind"));
  if (std::string_view("fiub").find(kind) == std::string_view::npos) {
    const auto type = nb::cast<std::string>(array.attr("dtype").attr("__str__")());
    throw nb::value_error((std::string(kAnswer) + type).c_str());
  }
  return as_array(array, "float32");
}

// How another one like it is made, for pickle and copy.
nb::typed<nb::tuple, nb::object, nb::ellipsis> made_anew(nb::handle self) {
  const auto& search = nb::cast<const Search&>(self);
  const nb::object partial = nb::module_::import_("functools").attr("partial");
  return nb::make_tuple(partial(self.type(), search.weights, search.asked_threads, "value"_a = search.function),
                        nb::tuple());
}

// The garbage collector's way through a Search: its function may well lead back to it.
int traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  if (!nb::inst_ready(self)) return 0;
  Py_VISIT(nb::inst_ptr<Search>(self)->function.ptr());
  return 0;
}
int clear(PyObject* self) {
  nb::inst_ptr<Search>(self)->function.reset();
  return 0;
}
PyType_Slot kSlots[] = {
    {Py_tp_traverse, reinterpret_cast<void*>(traverse)}, {Py_tp_clear, reinterpret_cast<void*>(clear)}, {0, nullptr}};

}  // namespace

Search::Search(Weights shallow, Weights deep, int threads)
    : shallow_(std::make_unique<const LinearValue>(shallow)),
      deep_(std::make_unique<const LinearValue>(deep)),
      pool_(threads) {}

Search::Search(nb::callable given)
    : function(std::move(given)),
      foreign_(std::make_unique<const ForeignValue>(
          [this](const Child* children, int n, i32* out) { ask(children, n, out); })),
      pool_(1) {}

void Search::require_idle_thread() const {
  if (foreign_ && Asking::under_way) throw nb::value_error("value must not use a Search that has a value of Python");
}

// Throws what the function raises, and ValueError for an answer that is no frames.
void Search::ask(const Child* children, int n, i32* out) {
  std::fill_n(out, n, 0);
  std::vector<u8> bottles;
  std::vector<i32*> answers;
  for (int i = 0; i < n; ++i) {
    if (children[i].end != End::kNone) continue;  // search knows what an end is worth
    bottles.resize(bottles.size() + kCells);
    write_bottle(children[i].board, &bottles[bottles.size() - kCells]);
    answers.push_back(&out[i]);
  }
  const std::size_t count = answers.size();
  if (count == 0) return;
  const WithGil acquire;
  const Asking here;
  const nb::object given = nb::cast(copied(bottles, {count, static_cast<std::size_t>(kCells)}));
  const nb::object said = numbers(called(function, given));
  nb::ndarray<const float, nb::ndim<1>, nb::device::cpu> frames;
  if (!nb::try_cast(said, frames) || frames.shape(0) != count) {
    const auto got = nb::cast<std::string>(said.attr("shape").attr("__str__")());
    throw nb::value_error((std::string(kAnswer) + "shape " + got + " for n = " + std::to_string(count)).c_str());
  }
  for (std::size_t i = 0; i < count; ++i) {
    if (!(std::abs(frames(i)) <= kMostFrames)) {
      throw nb::value_error(
          ("value gave " + std::to_string(frames(i)) + ", allowed are frames in -1000000..1000000").c_str());
    }
    *answers[i] = static_cast<i32>(std::lround(frames(i) * kFrameUnits));
  }
}

nb::class_<Search> bind_search_class(nb::module_& m) {
  nb::class_<Search> c(m, "Search", nb::type_slots(kSlots),
                       "Placements by search (docs/search.md). One call at a time; stop() and the counters may be\n"
                       "used from another thread meanwhile.");
  c.def(
      "__init__",
      [](Search* self, nb::object weights, const Whole& threads, nb::object value) {
        const int count = checked(threads, "threads", 0, 1024);
        if (value.is_none()) {
          if (weights.is_none()) {
            new (self) Search(kShallowWeights, kDeepWeights, count);
          } else {
            const std::vector<i32> given = weights_from(weights);
            new (self) Search(given, given, count);
            self->weights = nb::cast(array_of(given));
          }
          self->asked_threads = count;
          return;
        }
        if (!weights.is_none()) throw nb::value_error("weights must be None when a value is given");
        if (count > 1) {
          throw nb::value_error(
              ("threads is " + std::to_string(count) + ", allowed is 1 when a value is given").c_str());
        }
        if (!PyCallable_Check(value.ptr())) throw nb::type_error("value must be a function of bottles");
        new (self) Search(nb::borrow<nb::callable>(value));
      },
      "weights"_a = nb::none(), "threads"_a.none() = 0, nb::kw_only(), "value"_a = nb::none(),
      nb::sig("def __init__(self, weights: object | None = None, threads: int = 0, *, value: object | None = None) -> "
              "None"),
      "weights: i32[F] in quarters of a frame, in the order of feature_names(); None: the tuned ones, of which\n"
      "plies = 1 and 2 have their own.\n"
      "threads 0: one per core. Results do not depend on them, budgets in milliseconds apart.\n"
      "value: what judges boards instead, a function of bottles u8[n, 128] at rest that gives their frames to go\n"
      "f32[n], such as a network. It is asked once per board expanded, by the calling thread, which is the only\n"
      "one, of what its placements leave, ends apart (a loss costs 60,000 frames). It must not use a Search with\n"
      "such a value. What it raises, the call raises.");
  c.def("__reduce__", &made_anew, "As it was made: pickled with a value, if that can be.");
  return c;
}

}  // namespace drm
