"""The colours of the app, as Textual themes: dark and light, each also for eyes that confuse red and green.

The game's own colours are theme variables (`$capsule-0` yellow, `$capsule-1` red, `$capsule-2` blue, `$virus-*`,
`$bottle`, `$bottle-dot`), so any other Textual theme works as well: it gets the defaults below. Viruses are darker
than every half, so that the two can be told apart without colour. The second pair follows M. Okabe and K. Ito,
Color Universal Design (2008).
"""

from textual.theme import Theme

DARK: dict[str, str] = {
    "bottle": "#14161f",
    "bottle-dot": "#3a4055",
    "bottle-rim": "#5a6380",
    "capsule-0": "#f4cf45",
    "capsule-1": "#ff7b72",
    "capsule-2": "#79b0ff",
    "virus-0": "#8a6a00",
    "virus-1": "#a01c2c",
    "virus-2": "#1f4bb0",
    "clearing": "#ffffff",
}
LIGHT: dict[str, str] = {
    "bottle": "#ffffff",
    "bottle-dot": "#c3c9d8",
    "bottle-rim": "#8a93ab",
    "capsule-0": "#e0a800",
    "capsule-1": "#f2584f",
    "capsule-2": "#4f8ff7",
    "virus-0": "#6e4f00",
    "virus-1": "#7d0f1c",
    "virus-2": "#0f2f85",
    "clearing": "#202430",
}
SAFE = {
    "capsule-0": "#f0e442",
    "capsule-1": "#e8743b",
    "capsule-2": "#56b4e9",
    "virus-0": "#857a00",
    "virus-1": "#8a3a00",
    "virus-2": "#0a5c8c",
}
SAFE_LIGHT = {
    "capsule-0": "#d6c700",
    "capsule-1": "#e8743b",
    "capsule-2": "#3d9fd8",
    "virus-0": "#5c5400",
    "virus-1": "#6e2e00",
    "virus-2": "#003f66",
}


def _dark(name: str, variables: dict[str, str]) -> Theme:
    return Theme(
        name=name,
        primary="#79b0ff",
        secondary="#b48ead",
        accent="#f4cf45",
        warning="#f0a030",
        error="#ff7b72",
        success="#7fd88f",
        foreground="#dfe4f0",
        background="#0c0e14",
        surface="#14161f",
        panel="#1c2030",
        dark=True,
        variables={**DARK, **variables, "footer-key-foreground": "#f4cf45", "border": "#343b52"},
    )


def _light(name: str, variables: dict[str, str]) -> Theme:
    return Theme(
        name=name,
        primary="#2f6fe0",
        secondary="#7a4d8f",
        accent="#a06c00",
        warning="#a85a00",
        error="#c02a2a",
        success="#1f7a3a",
        foreground="#20242f",
        background="#e9ecf3",
        surface="#f6f7fb",
        panel="#dde2ee",
        dark=False,
        variables={**LIGHT, **variables, "footer-key-foreground": "#a06c00", "border": "#aab2c8"},
    )


THEMES = (
    _dark("bottle-dark", {}),
    _light("bottle-light", {}),
    _dark("bottle-dark-safe", SAFE),
    _light("bottle-light-safe", SAFE_LIGHT),
)
DEFAULT_THEME = "bottle-dark"
