#include "bind.h"

NB_MODULE(_core, m) {
  m.doc() = "The compiled core: engine and planner.";
  drm::bind_batch(m);
#ifdef DRM_HAS_PLANNER
  drm::bind_planner(m);
#endif
}
