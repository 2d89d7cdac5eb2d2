#include "afterstate.h"
#include "bind_planner.h"

namespace drm {

void bind_afterstates(nb::module_& m) {
  nb::class_<Afterstates> c(m, "Afterstates",
                            "Every legal placement of every seat whose decision is due, resolved as if nothing else\n"
                            "happened meanwhile; M rows sorted by (env, player, action).");
#define DRM_ROW_COLUMN(name)                                      \
  [](nb::handle_t<Afterstates> self) {                            \
    const auto& column = nb::cast<const Afterstates&>(self).name; \
    return view(column.data(), {column.size()}, self);            \
  }
  c.def_prop_ro("env", DRM_ROW_COLUMN(env), "i32[M]: which game")
      .def_prop_ro("player", DRM_ROW_COLUMN(player), "i32[M]: which seat, 0 in one-player games")
      .def_prop_ro("action", DRM_ROW_COLUMN(action), "i32[M]")
#undef DRM_ROW_COLUMN
      .def_prop_ro(
          "bottle",
          [](nb::handle_t<Afterstates> self) {
            const auto& bottles = nb::cast<const Afterstates&>(self).bottle;
            return view(bottles.data(), {bottles.size() / kCells, kCells}, self);
          },
          "u8[M, 128]: the settled bottle, before the next capsule; of a cleared game with its last runs still there,\n"
          "marked 0xB0, and nothing fallen into their place");
#define DRM_BIND_EVENT(name, type, count, meaning)                                           \
  c.def_prop_ro(                                                                             \
      #name,                                                                                 \
      [](nb::handle_t<Afterstates> self) {                                                   \
        const auto& events = nb::cast<const Afterstates&>(self).events;                      \
        return field_view<type, count>(events.data(), &Events::name, {events.size()}, self); \
      },                                                                                     \
      meaning);
  DRM_EVENT_FIELDS(DRM_BIND_EVENT)
#undef DRM_BIND_EVENT
}

}  // namespace drm
