#include "bind.h"

NB_MODULE(_core, m) {
  m.doc() = "The compiled core: engine and planner.";
  drm::bind_batch(m);
  drm::bind_planner(m);
  drm::bind_versus(m);
  drm::bind_search(m);
}
