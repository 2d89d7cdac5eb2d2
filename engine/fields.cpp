#include "fields.h"

#include <cstddef>

namespace drm {

static std::vector<Field> list_fields(int players) {
  std::vector<Field> fields;
#define DRM_P1(name, bytes, max) fields.push_back({"p1_" #name, offsetof(Player, name), bytes, max});
#define DRM_P2(name, bytes, max) fields.push_back({"p2_" #name, sizeof(Player) + offsetof(Player, name), bytes, max});
#define DRM_SHARED(name, bytes, max) fields.push_back({#name, offsetof(Match, name), bytes, max});
  DRM_PLAYER_FIELDS(DRM_P1)
  if (players == 2) {
    DRM_PLAYER_FIELDS(DRM_P2)
  }
  DRM_SHARED_FIELDS(DRM_SHARED)
  DRM_SHARED(reserve, kReserve, 8)
#undef DRM_P1
#undef DRM_P2
#undef DRM_SHARED
  return fields;
}

const std::vector<Field>& match_fields(int players) {
  static const std::vector<Field> lists[2] = {list_fields(1), list_fields(2)};
  return lists[players - 1];
}

}  // namespace drm
