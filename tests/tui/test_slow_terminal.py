"""What the app does where the terminal takes longer than it does."""

import io

from textual.drivers._writer_thread import WriterThread

from mlx_drmario.tui.session import Session

from .app import in_app, until, watch_screen


def test_a_terminal_that_is_behind_gets_no_more_pictures(monkeypatch):
    """Else every key would be answered behind all that is queued for it."""
    asked, send = [], Session.send

    def heard(session, command):
        asked.append(command)
        send(session, command)

    monkeypatch.setattr(Session, "send", heard)

    async def check(pilot, screen):
        writer = WriterThread(io.StringIO())  # which is not started, so that it takes nothing
        pilot.app._driver._writer_thread = writer
        writer.write("a screen")
        screen._asked = False
        before = len(asked)
        await pilot.pause(0.3)
        assert len(asked) == before
        writer._queue.get()
        await until(pilot, lambda: len(asked) > before, "the next picture")

    in_app(watch_screen("grid", games=1), check)
