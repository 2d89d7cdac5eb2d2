#include "match.h"

#include "falling.h"
#include "settle.h"
#include "setup.h"

namespace drm {

// Positions inside the flow of a mode (Match::mode_step); 0 is the entry of every mode.
enum ClearStep : u8 { kPlaying = 0, kClearBurst, kClearBox, kClearRedraw, kClearStart, kClearLeave, kClearSecondLeave };
enum EndStep : u8 { kEndEntry = 0, kEndShow, kEndVerdict, kEndBlank, kEndRestart, kEndOptions, kEndLeave };

static constexpr u8 kFullRedraw = 15;

static void redraw_all(Match& match) {
  for (int i = 0; i < match.nb_players; ++i) match.player[i].status = kFullRedraw;
}

static void empty_bottles(Match& match) {
  for (int i = 0; i < match.nb_players; ++i) std::memset(match.player[i].bottle, kEmpty, kCells);
}

static void enter(Match& match, u8 mode) {
  match.mode = mode;
  match.mode_step = 0;
}

// Counts a wait down; true in the frame in which it is over.
static bool waited(Match& match) { return --match.wait_frames == 0; }

static void begin_wait(Match& match, u8 frames, u8 step) {
  match.wait_frames = frames;
  match.mode_step = step;
}

static void spawn(Match& match, Player& p) {
  advance_pill(match, p);
  p.next_action = kHandover;
  if (!fits(p)) {
    write_capsule(p);
    p.fail_flag = 1;
  }
}

// One-player throw: the 22nd counted call spawns; LOW counts only odd frames (docs/rules.md 7.1).
static void throw_capsule(Match& match, Player& p) {
  if (match.nb_players == 2) return spawn(match, p);
  if (p.speed_setting == kLow && !(match.frame_counter & 1)) return;
  u8& slot = match.pill_thrown_frame;
  ++slot;
  if (slot == 1 || slot == 6 || slot == 23) ++slot;
  if (slot > 24) return spawn(match, p);
  if (!(slot & 1)) p.next_rotation = (p.next_rotation - 1) & 3;
}

// Delivers the opponent's stored attack, or lets the next capsule come (docs/rules.md 15.2).
static void attack(Match& match, Player& p, Player& opponent, Events& events) {
  if (p.combo >= 2) {
    p.attack_size = static_cast<u8>(p.attack_size + p.combo);
    events.attack_sent = static_cast<u16>(events.attack_sent + p.combo);
  }
  p.combo = 0;
  if (opponent.attack_size < 2) {
    p.next_action = kGap;
    return;
  }
  const int count = opponent.attack_size < 4 ? opponent.attack_size : 4;
  const int first = match.frame_counter & (count == 4 ? 1 : 3);
  const int stride = count == 2 ? 4 : 2;
  for (int i = 0; i < count; ++i) p.bottle[first + i * stride] = kSingle + opponent.*kAttackColors[i];
  events.garbage_received = static_cast<u16>(events.garbage_received + count);
  opponent.attack_size = 0;
  p.next_action = kResolve;
}

static void act(Match& match, int index, Events& events) {
  Player& p = match.player[index];
  match.record_owner = static_cast<u8>(index);
  match.current_player = static_cast<u8>(4 + index);
  switch (p.next_action) {
    case kFall:
      return fall(p, match.frame_counter, events);
    case kResolve:
      return resolve(match, p, events);
    case kAttack:
      if (match.nb_players == 2) return attack(match, p, match.player[1 - index], events);
      p.next_action = kGap;
      return;
    case kHandover:
      p.next_action = kFall;
      return;
    case kGap:
      p.next_action = kThrow;
      return;
    case kThrow:
      return throw_capsule(match, p);
    default:  // kIdle
      return;
  }
}

// Pause and soft reset, at the end of play and set-up frames (docs/rules.md 16).
static void check_pause(Match& match) {
  const Player& p1 = match.player[0];
  if (p1.held == (kA | kB | kSelect | kStart)) return enter(match, kModeTitle);
  if (match.enable_pause && (p1.pressed & kStart)) match.pause_audio_flag = 5;
}

static bool topped_out(const Match& match) {
  return match.player[0].fail_flag || (match.nb_players == 2 && match.player[1].fail_flag);
}

static void end_of_play_frame(Match& match) {
  if (topped_out(match)) {
    enter(match, kModeFailed);
    for (int i = 0; i < match.nb_players; ++i) match.player[i].next_action = kIdle;
  }
  check_pause(match);
}

static bool all_viruses_gone(const Player& p) { return p.virus_left_bcd == 0; }

static bool cleared(const Match& match) {
  return all_viruses_gone(match.player[0]) || (match.nb_players == 2 && all_viruses_gone(match.player[1]));
}

// The round is over in this frame: a clear counts before a top-out, and both at once are nobody's victory.
static void tell_end(const Match& match, Events events[]) {
  const bool two = match.nb_players == 2;
  bool good[2] = {}, bad[2] = {};
  for (int i = 0; i < match.nb_players; ++i) {
    good[i] = events[i].cleared = all_viruses_gone(match.player[i]);
    bad[i] = events[i].top_out = match.player[i].fail_flag != 0;
  }
  for (int i = 0; i < match.nb_players; ++i) {
    const bool last_standing = two && !good[1 - i] && bad[1 - i] && !bad[i];
    events[i].won = good[i] ? !good[1 - i] : last_standing;
  }
}

template <int players>
static void play(Match& match, Events events[]) {
  for (int i = 0; i < players; ++i) ++events[i].tau;
  for (int i = 0; i < players; ++i) {
    act(match, i, events[i]);
    if (players == 2 && match.player[i].victories >= kVictories) {
      tell_end(match, events);
      enter(match, kModeEnd);
      return check_pause(match);
    }
  }
  if (cleared(match)) {
    tell_end(match, events);
    redraw_all(match);
    return begin_wait(match, 64, kClearBurst);
  }
  if (topped_out(match)) tell_end(match, events);
  end_of_play_frame(match);
}

static void decide_winner(Match& match) {
  const bool one = all_viruses_gone(match.player[0]);
  const bool two = match.nb_players == 2 && all_viruses_gone(match.player[1]);
  if (one != two) {
    match.who_won = one ? 1 : 2;
    match.record_owner = one ? 0 : 1;
    match.current_player = one ? 4 : 5;
  }
}

// The stage-clear flow: the program waits inside one long logic part; mode stays kModePlay (docs/rules.md 13).
static void clear_flow(Match& match) {
  Player& p1 = match.player[0];
  const bool two = match.nb_players == 2;
  switch (match.mode_step) {
    case kClearBurst:
      if (!waited(match)) return;
      decide_winner(match);
      redraw_all(match);
      return begin_wait(match, 16, kClearBox);
    case kClearBox:
      if (!waited(match)) return;
      if (!two && p1.level < kMaxLevel) ++p1.level;
      redraw_all(match);
      return begin_wait(match, 16, kClearRedraw);
    case kClearRedraw:
      if (!waited(match)) return;
      redraw_all(match);
      match.mode_step = kClearStart;
      return;
    case kClearStart:
      if (!((p1.held | p1.pressed) & kStart)) return;
      empty_bottles(match);
      if (two) redraw_all(match);
      match.mode_step = kClearLeave;
      return;
    case kClearLeave:  // one-player: one more frame; two-player: 16 frames of redraw
      if (two && p1.status != 255) return;
      if (!two) {
        match.mode_step = kClearSecondLeave;
        return;
      }
      [[fallthrough]];
    default:
      enter(match, kModeSetup);
      return end_of_play_frame(match);
  }
}

static void intro(Match& match) {
  switch (match.mode_step) {
    case kIntroBlank:
      match.mode_step = kIntroFirstVirus;
      return;
    case kIntroFirstVirus:
    case kIntroViruses:
      place_viruses(match, match.mode_step == kIntroFirstVirus);
      match.mode_step = match.player[0].virus_to_add || (match.nb_players == 2 && match.player[1].virus_to_add)
                            ? kIntroViruses
                            : kIntroRedraw;
      return;
    case kIntroRedraw:
      match.current_player = 4;
      redraw_all(match);
      return begin_wait(match, 128, kIntroWait);
    default:
      if (waited(match)) enter(match, kModePlay);
  }
}

static void verdict(Match& match) {
  Player& p1 = match.player[0];
  Player& p2 = match.player[1];
  match.enable_pause = 0;
  if (match.nb_players == 2) {
    // One working copy of the countdown serves both players, first P1, then P2.
    if (p1.fail_flag) p2.status = kFullRedraw;
    p1.status = p2.status;
    if (p2.fail_flag) p2.status = kFullRedraw;
    if (p1.fail_flag != p2.fail_flag) {
      match.who_failed = p1.fail_flag ? 1 : 2;
      ++(p1.fail_flag ? p2 : p1).victories;
    }
    for (int i = 0; i < 2; ++i) {
      if (match.player[i].fail_flag) std::memset(match.player[i].bottle + kCells / 2, kEmpty, kCells / 2);
    }
  }
  enter(match, kModeEnd);
}

// The end screen after a top-out or a third crown (docs/rules.md 12, 13).
static void end_flow(Match& match) {
  Player& p1 = match.player[0];
  const bool final = match.nb_players == 1 || p1.victories >= kVictories || match.player[1].victories >= kVictories;
  switch (match.mode_step) {
    case kEndEntry:
      return begin_wait(match, 64, kEndShow);
    case kEndShow:
      if (!waited(match)) return;
      if (final) return begin_wait(match, 128, kEndVerdict);
      redraw_all(match);
      match.mode_step = kEndBlank;
      return;
    case kEndVerdict:
      if (!waited(match)) return;
      match.who_won = match.nb_players == 2 && p1.victories >= kVictories ? 1 : 2;
      match.who_failed = 0;
      if (match.nb_players == 1) match.current_player = 5;
      redraw_all(match);
      match.mode_step = kEndOptions;
      return;
    case kEndOptions:
      if (match.nb_players == 1) match.current_player = 4;
      if (!(p1.pressed & kStart)) return;
      p1.pressed = 0;
      match.enable_pause = 255;
      return enter(match, kModeOptions);
    case kEndBlank:
      if (p1.status == 255) match.mode_step = kEndRestart;
      return;
    case kEndRestart:
      if (p1.pressed != kStart) return;
      empty_bottles(match);
      redraw_all(match);
      match.mode_step = kEndLeave;
      return;
    default:
      if (p1.status != 255) return;
      p1.pressed = 0;
      match.enable_pause = 255;
      enter(match, kModeSetup);
  }
}

// Redraw countdowns, frame counter and pads: what the vertical-blank handler does.
template <int players>
static void vertical_blank(Match& match, const u8 held[2]) {
  ++match.frame_counter;
  for (int i = 0; i < players; ++i) {
    Player& p = match.player[i];
    if (p.status != 255) --p.status;
    p.pressed = held[i] & static_cast<u8>(~p.held);
    p.held = held[i];
  }
  match.current_player = u8{3 + players};
}

// The number of players is a template parameter of what runs in every frame.
template <int players>
static void frame_of(Match& match, const u8 held[2], Events events[]) {
  vertical_blank<players>(match, held);
  if (match.pause_audio_flag) {
    if (match.player[0].pressed == kStart) match.pause_audio_flag = 0;
    return;
  }
  switch (match.mode) {
    case kModePlay:
      return match.mode_step == kPlaying ? play<players>(match, events) : clear_flow(match);
    case kModeSetup:
      init_level(match);
      return check_pause(match);
    case kModeIntro:
      return intro(match);
    case kModeFailed:
      return verdict(match);
    case kModeEnd:
      return end_flow(match);
    default:
      return;
  }
}

void frame(Match& match, const u8 held[2], Events events[]) {
  match.nb_players == 2 ? frame_of<2>(match, held, events) : frame_of<1>(match, held, events);
}

}  // namespace drm
