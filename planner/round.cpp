#include "round.h"

#include <algorithm>
#include <cassert>
#include <cstddef>

#include "falling.h"
#include "match.h"
#include "placement.h"
#include "script.h"
#include "tables.h"

namespace drm {

static constexpr u8 kNothing[2] = {0, 0};
static constexpr u32 kForever = ~0u;

ReachQuery query_of(const Match& match, int player) {
  const Player& p = match.player[player];
  return {p.bottle, {p.pill_color_l, p.pill_color_r}, match.frame_counter, p.speed_setting, p.speed_ups};
}

static bool in_play(const Match& match) { return match.mode == kModePlay && match.mode_step == 0; }

// Player 2 does not act any more in the frame of player 1's third crown.
static bool acted(const Match& match, int seat) {
  return seat == 0 || match.mode != kModeEnd || match.player[0].victories < kVictories;
}

// The capsule becomes cells, as in the frame in which its fall ends; the frame counter and the redraw countdown already
// show that frame.
static void land(Match& match, int player, const Seat& seat, Events& events) {
  Player& p = match.player[player];
  const Pose pose = pose_of(seat.action);
  p.pill_x = pose.x;
  p.pill_y = pose.y;
  p.pill_rotation = pose.rotation;
  p.speed_counter = 0;
  p.chain_len = 0;
  // A single frame that locks by soft drop is the only way never to count gravity; where gravity would lock it as well
  // (threshold 0) the script holds nothing.
  const bool soft_drop =
      seat.frames_to_lock == 1 && (match.frame_counter & 1) && gravity_threshold(p.speed_setting, p.speed_ups);
  if (!soft_drop) p.speed_index = p.speed_ups;
  lock(p, events);
}

// Frames before the one in which the first counted throw call of a one-player spawn becomes the last
// (docs/rules.md 7.1).
static u32 quiet_throw(const Match& match) {
  if (match.nb_players == 2 || match.pill_thrown_frame != 0) return 0;
  return static_cast<u32>(frames_to_throw(match.player[0].speed_setting, match.frame_counter));
}

// For how many frames from now on nothing but clocks moves for a player; a capsule in the air locks with the last.
static u32 quiet_frames(const Round& round, int player) {
  if (round.seat[player].frames_left) return round.seat[player].frames_left;
  const Player& p = round.match.player[player];
  switch (p.next_action) {
    case kIdle:
      return kForever;
    case kResolve:
      return p.placed_step == kDrop && p.status != 255 ? p.status : 0;
    case kThrow:
      return quiet_throw(round.match);
    default:
      return 0;
  }
}

// The number of players is a template parameter of what runs per frame: the compiler then drops what is for two.
template <int players>
static void skip(Round& round, u32 frames) {
  Match& match = round.match;
  match.frame_counter = static_cast<u8>(match.frame_counter + frames);
  for (int i = 0; i < players; ++i) {
    u8& status = match.player[i].status;
    if (status != 255) status = status >= frames ? static_cast<u8>(status - frames) : u8{255};
    round.events[i].tau += frames;
    Seat& seat = round.seat[i];
    if (seat.frames_left == 0) continue;
    seat.frames_left -= frames;
    if (seat.frames_left == 0) land(match, i, seat, round.events[i]);
  }
  if (players == 1 && match.player[0].next_action == kThrow) match.pill_thrown_frame = 24;
}

template <int players>
static void play_frame(Round& round) {
  Match& match = round.match;
  // Alone, a capsule in the air is always skipped.
  for (int i = 0; i < players && players == 2; ++i) {
    if (round.seat[i].frames_left) match.player[i].next_action = kIdle;  // its capsule falls by the clock
  }
  frame(match, kNothing, round.events);
  round.over = !in_play(match);
  for (int i = 0; i < players; ++i) {
    Seat& seat = round.seat[i];
    Player& p = match.player[i];
    if (players == 1 || seat.frames_left == 0) {
      seat.parked = !round.over && p.next_action == kFall;
      continue;
    }
    --seat.frames_left;
    if (match.mode != kModeFailed) p.next_action = kFall;
    if (seat.frames_left || !acted(match, i)) continue;
    // Locks before the frame's end is decided: a cleared round then redraws, a top-out idles both seats.
    const u8 redraw = p.status;
    land(match, i, seat, round.events[i]);
    if (match.mode_step != 0) p.status = redraw;
    if (match.mode == kModeFailed) p.next_action = kIdle;
  }
}

template <int players>
static void tick(Round& round) {
  u32 quiet = quiet_frames(round, 0);
  if (players == 2) quiet = std::min(quiet, quiet_frames(round, 1));
  assert(quiet != kForever);
  quiet ? skip<players>(round, quiet) : play_frame<players>(round);
}

template <int players>
static void advance_as(Round& round) {
  while (!round.over && !round.seat[0].parked && !round.seat[1].parked) tick<players>(round);
}

void advance(Round& round) { round.players() == 2 ? advance_as<2>(round) : advance_as<1>(round); }

void begin(Round& round) {
  round.over = 0;
  for (Seat& seat : round.seat) seat = {};
  advance(round);
  for (Events& events : round.events) events = {};
}

void decide(Round& round, int seat, int action, u16 frames_to_lock) {
  assert(round.seat[seat].parked && frames_to_lock != kUnreachable);
  round.seat[seat] = {action, frames_to_lock, frames_to_lock, 0};
}

void place_and_settle(Round& round, int seat, int action, u16 frames_to_lock) {
  if (round.players() == 2) {
    Player& other = round.match.player[1 - seat];
    other.next_action = kIdle;
    other.attack_size = 0;
    round.seat[1 - seat] = {};
  }
  round.events[seat] = {};
  decide(round, seat, action, frames_to_lock);
  const bool two = round.players() == 2;
  const Player& p = round.match.player[seat];
  do {
    two ? tick<2>(round) : tick<1>(round);
  } while (!round.over && (p.next_action == kFall || p.next_action == kResolve));
}

// Why a player's capsule cannot have been thrown just now, or null.
static const char* describe_thrown(const Player& p) {
  if (p.pill_x != kSpawnPose.x || p.pill_y != kSpawnPose.y || p.pill_rotation != kSpawnPose.rotation) {
    return "pill_x, pill_y and pill_rotation must be 3, 15 and 0";
  }
  if (!fits(p)) return "bottle must be empty in row 0, columns 3 and 4";
  return nullptr;
}

// Why a player is not before the first controllable frame of a capsule, or null.
static const char* describe_unparked(const Player& p) {
  if (p.next_action != kFall) return "next_action must be 0 (falling)";
  if (p.speed_counter != 0 || p.held != 0 || p.placed_step != 0) {
    return "speed_counter, held and placed_step must be 0";
  }
  return describe_thrown(p);
}

static std::string describe_seat(const Round& round, int i) {
  const Seat& seat = round.seat[i];
  const Player& p = round.match.player[i];
  if (round.players() == 2 && p.victories >= kVictories) return "victories must be 0 to 2 in a match of two players";
  if (p.virus_left_bcd == 0) return "virus_left_bcd must not be 0";
  if (p.fail_flag != 0) return "fail_flag must be 0";
  if (seat.parked) {
    const char* problem = seat.frames_left ? "frames_left must be 0" : describe_unparked(p);
    return problem ? problem : "";
  }
  if (p.speed_counter != 0) return "speed_counter must be 0";  // as from the lock on, and by the clock in the air
  if (seat.frames_left) {
    if (p.next_action != kFall) return "next_action must be 0 (falling)";
    if (seat.action < 0 || seat.action >= kActions || seat.frames_to_lock > kMaxScript ||
        seat.frames_left > seat.frames_to_lock) {
      return "the capsule in the air must have an action and frames";
    }
    // The bottle has not changed since the decision, so the planner still knows how long this fall takes.
    ReachQuery query = query_of(round.match, i);
    query.frame_counter = static_cast<u8>(query.frame_counter - (seat.frames_to_lock - seat.frames_left));
    u16 frames_to_lock[kActions];
    reach(query, frames_to_lock);
    if (frames_to_lock[seat.action] != seat.frames_to_lock) return "the capsule in the air cannot lock as decided";
    return "";
  }
  if (p.next_action == kFall || p.next_action == kIdle) return "next_action must not be 0 or 4";
  const char* problem = p.next_action == kHandover ? describe_thrown(p) : nullptr;
  return problem ? problem : "";
}

// Whether what happened since a seat's last decision can be so. Ends are told at once, and so is all else to a seat
// that decides; a seat without a player has nothing to tell.
static bool can_have_happened(const Round& round, int i) {
  const bool all_told = round.over || i >= round.players() || round.seat[i].parked;
  const auto* bytes = reinterpret_cast<const u8*>(&round.events[i]);
  return std::all_of(bytes + (all_told ? 0 : offsetof(Events, cleared)), bytes + sizeof(Events),
                     [](u8 byte) { return byte == 0; });
}

std::string describe_invalid(const Round& round) {
  for (int i = 0; i < 2; ++i) {
    const Seat& seat = round.seat[i];
    if (i >= round.players() && (seat.action || seat.frames_to_lock || seat.frames_left || seat.parked)) {
      return "the second player's seat must be zeros in a one-player game";
    }
    const std::string player = "player " + std::to_string(i + 1) + ": ";
    if (seat.parked > 1) return player + "parked must be 0 or 1";
    if (!can_have_happened(round, i)) return player + "events must be zeros";
  }
  if (round.over) return in_play(round.match) ? "over must be 0 in play" : "";
  if (!in_play(round.match)) return "mode must be 4 (play)";
  if (round.match.pause_audio_flag != 0) return "pause_audio_flag must be 0";
  if (round.players() == 1 && round.match.pill_thrown_frame != 0) return "pill_thrown_frame must be 0";
  for (int i = 0; i < round.players(); ++i) {
    const std::string problem = describe_seat(round, i);
    if (!problem.empty()) return "player " + std::to_string(i + 1) + ": " + problem;
  }
  if (!round.seat[0].parked && !round.seat[1].parked) return "no player is before a decision";
  return {};
}

std::string seat_players(Round& round) {
  round.over = 0;
  for (int i = 0; i < 2; ++i) {
    round.events[i] = {};
    round.seat[i] = {};
    // A player who falls is to be parked; who settles will be, later.
    round.seat[i].parked = i < round.players() && round.match.player[i].next_action == kFall;
  }
  return describe_invalid(round);
}

}  // namespace drm
