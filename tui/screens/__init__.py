"""Screens, one to a file."""

from textual.screen import Screen

AnyScreen = Screen[None]
"""What an app can start with."""
