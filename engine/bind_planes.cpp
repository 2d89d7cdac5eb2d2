#include <algorithm>

#include "bind.h"
#include "plane_sums.h"

namespace drm {

using Planes = nb::ndarray<const u8, nb::shape<-1, -1, kRows, kCols>, nb::c_contig, nb::device::cpu>;
using Source = nb::ndarray<const int, nb::shape<-1, -1>, nb::c_contig, nb::device::cpu>;
using Kernel = nb::ndarray<const float, nb::shape<-1, -1, -1>, nb::c_contig, nb::device::cpu>;
using Cellwise = nb::ndarray<const float, nb::shape<-1, kRows, kCols, -1>, nb::c_contig, nb::device::cpu>;
using Floats = nb::ndarray<nb::numpy, float>;

static std::string shape_of(std::initializer_list<std::size_t> shape) {
  std::string text;
  for (const std::size_t extent : shape) text += (text.empty() ? "(" : ", ") + std::to_string(extent);
  return text + ")";
}

static void require(bool right, const char* name, const std::string& wanted, const std::string& got) {
  if (!right) throw nb::value_error((std::string(name) + " must " + wanted + ", got " + got).c_str());
}

static PlaneBatch plane_batch(const Planes& planes, const Source& source, std::size_t width) {
  const std::size_t batch = planes.shape(0), each = planes.shape(1);
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

static Floats sums(const Planes& planes, const Source& source, const Kernel& column, const Kernel& row) {
  const std::size_t each = planes.shape(1), width = column.shape(2);
  const auto check = [&](const char* name, const Kernel& kernel, int offsets) {
    const std::size_t wanted[] = {static_cast<std::size_t>(offsets), each, width};
    require(std::equal(wanted, wanted + 3, kernel.shape_ptr()), name,
            "have shape " + shape_of({wanted[0], each, width}),
            shape_of({kernel.shape(0), kernel.shape(1), kernel.shape(2)}));
  };
  check("column", column, kColumnOffsets);
  check("row", row, kRowOffsets);
  const PlaneBatch of = plane_batch(planes, source, width);
  auto* data = new float[planes.shape(0) * kCells * width + 1];
  auto out = take(data, {planes.shape(0), kRows, kCols, width});
  nb::gil_scoped_release release;
  plane_sums(of, column.data(), row.data(), data);
  return out;
}

static std::pair<Floats, Floats> gradients(const Planes& planes, const Source& source, const Cellwise& gradient) {
  const std::size_t each = planes.shape(1), width = gradient.shape(3);
  require(gradient.shape(0) == planes.shape(0), "gradient", "be of " + std::to_string(planes.shape(0)) + " decisions",
          std::to_string(gradient.shape(0)));
  const PlaneBatch of = plane_batch(planes, source, width);
  auto* column = new float[kColumnOffsets * each * width + 1];
  auto* row = new float[kRowOffsets * each * width + 1];
  const auto out = std::pair(take(column, {kColumnOffsets, each, width}), take(row, {kRowOffsets, each, width}));
  nb::gil_scoped_release release;
  plane_sums_gradient(of, gradient.data(), column, row);
  return out;
}

void bind_planes(nb::module_& m) {
  m.def(
      "plane_sums", &sums, "planes"_a, "source"_a, "column"_a, "row"_a,
      "f32[B, 16, 8, K]: convolutions of 0/1 planes u8[B, C, 16, 8] along whole columns and along whole rows, added.\n"
      "Plane c of a decision is planes[source[c]], source i32[B, C]; column f32[31, C, K] and row f32[15, C, K] hold\n"
      "the weights by offset (where to, less where from, plus 15 or 7). Nobody may write to the arrays meanwhile.");
  m.def("plane_sums_gradient", &gradients, "planes"_a, "source"_a, "gradient"_a,
        "The gradients of `column` and `row` for the gradient f32[B, 16, 8, K] of the sums.");
}

}  // namespace drm
