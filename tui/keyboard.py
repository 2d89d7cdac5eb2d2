"""Key releases, from terminals that report them (https://sw.kovidgoyal.net/kitty/keyboard-protocol).

Textual 8 turns the protocol on but does not ask for "event types", and its parser does not know them: a number after a
colon in the modifiers field, 1 press, 2 repeat, 3 release. The driver below takes that number out before Textual looks
at the sequence, and turns releases into `KeyReleased`. A terminal without the protocol never sends one.
"""

import re
from collections.abc import Iterable
from typing import Any

from textual._xterm_parser import XTermParser
from textual.app import App
from textual.drivers import linux_driver
from textual.drivers.linux_driver import LinuxDriver
from textual.message import Message

# CSI code ; modifiers : event ; text final
_TYPED_KEY = re.compile(r"\x1b\[([\d:]*);(\d*):([123])((?:;[\d:]*)?)([u~ABCDEFHPQRS])")
_RELEASE, _NO_MODIFIERS = "3", "1"
# Textual's own flags (disambiguate 1, all keys 8, text 16) and event types 2.
_ASK, _END = "\x1b[>27u", "\x1b[<u"


class KeyReleased(Message, bubble=False):
    """A key went up, whatever modifiers are down. Not an `events.Key`, so that nothing takes it for a press."""

    def __init__(self, key: str) -> None:
        super().__init__()
        self.key = key


class ReleaseParser(XTermParser):
    """Textual's parser, with event types."""

    def _sequence_to_key_events(self, sequence: str, alt: bool = False) -> Iterable[Any]:
        match = _TYPED_KEY.fullmatch(sequence)
        if match is None:
            yield from super()._sequence_to_key_events(sequence, alt)
            return
        code, modifiers, kind, text, final = match.groups()
        typed = _NO_MODIFIERS if kind == _RELEASE else f"{modifiers}{text}"
        for event in super()._sequence_to_key_events(f"\x1b[{code};{typed}{final}", alt):
            yield KeyReleased(event.key) if kind == _RELEASE else event


class ReleaseDriver(LinuxDriver):
    """Textual's driver for Linux and macOS with that parser.

    Terminals keep a stack of flags for either of their screens: what is asked for while the app has the other one has
    to end before it goes, and is asked for again when it comes back (Ctrl-Z).
    """

    _wanted = _asked = False

    def report_releases(self, wanted: bool) -> None:
        """Ask the terminal for releases, or end that."""
        self._wanted = wanted
        self._ask(wanted)

    def start_application_mode(self) -> None:
        super().start_application_mode()  # type: ignore[no-untyped-call]
        self._ask(self._wanted)

    def stop_application_mode(self) -> None:
        self._ask(False)
        super().stop_application_mode()

    def _ask(self, on: bool) -> None:
        if on != self._asked:
            self._asked = on
            self.write(_ASK if on else _END)
            self.flush()

    def run_input_thread(self) -> None:
        """The driver makes its parser by this name."""
        linux_driver.XTermParser = ReleaseParser  # type: ignore[attr-defined]
        super().run_input_thread()


def report_releases(app: App[Any], on: bool) -> None:
    """Ask the terminal for releases, or end that, where they can be had."""
    if isinstance(app._driver, ReleaseDriver):
        app._driver.report_releases(on)
