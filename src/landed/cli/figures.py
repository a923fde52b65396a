"""How commands write figures and foreign text: for people, in few characters."""

from typing import Final

_EIGHTHS: Final = " ▏▎▍▌▋▊▉"
_FULL: Final = "█"


def clean(text: str) -> str:
    """Text of others for a terminal: what could steer it is shown as �."""
    return "".join(char if char.isprintable() or char in "\n\t" else "�" for char in text)


def bar(share: float, width: int) -> str:
    """A bar of `width` cells at share 1, exact to an eighth of a cell; anything above nothing shows."""
    eighths = max(round(min(max(share, 0.0), 1.0) * width * 8), 1 if share > 0 else 0)
    full, rest = divmod(eighths, 8)
    return (_FULL * full + (_EIGHTHS[rest] if rest else "")).ljust(width)


def percent(share: float | None) -> str:
    """`98.7 %`; what is not quite all or nothing never reads as that."""
    if share is None:
        return "-"
    if 0 < share < 0.0005:
        return "<0.1 %"
    return f"{min(99.9, 100 * share) if share < 1 else 100:.1f} %"


def seconds(value: float | None) -> str:
    """`850 ms`, `2.4 s`, `3 m 20 s`, `2 h 5 m`, `3 d 4 h`."""
    if value is None:
        return "-"
    if value < 1:
        return f"{value * 1000:.0f} ms"
    if value < 60:
        return f"{value:.1f} s" if value < 10 else f"{value:.0f} s"
    whole = round(value)
    for length, name, smaller, smaller_name in ((86400, "d", 3600, "h"), (3600, "h", 60, "m"), (60, "m", 1, "s")):
        if whole >= length:
            rest = whole % length // smaller
            return f"{whole // length} {name} {rest} {smaller_name}" if rest else f"{whole // length} {name}"
    return f"{whole} s"
