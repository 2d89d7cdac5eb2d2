// The planner's binding files.
#pragma once

#include "bind.h"

namespace drm {

void bind_planner(nb::module_& m);
void bind_afterstates(nb::module_& m);
void bind_decisions(nb::module_& m);
void bind_search(nb::module_& m);
void bind_step_log(nb::module_& m);

}  // namespace drm
