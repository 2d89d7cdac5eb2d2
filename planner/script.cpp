#include "script.h"
namespace drm {
int script(const ReachQuery&, int, u8*, int) { return 0; }
}
