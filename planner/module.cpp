#include "bind.h"
#include "bind_planner.h"

NB_MODULE(_core, m) {
  m.doc() = "The compiled core: engine and planner.";
  drm::watch_for_the_end();
  drm::bind_batch(m);
  drm::bind_network(m);
  drm::bind_decisions(m);
  drm::bind_planner(m);
  drm::bind_search(m);
  drm::bind_step_log(m);
}
