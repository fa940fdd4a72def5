"""Numbers, times and points as a reader wants them."""

from __future__ import annotations

import datetime
import math
from collections.abc import Sequence

from zbo_orchestrator.model import Array

MINUS = "\N{MINUS SIGN}"
NONE = "\N{EN DASH}"


def number(value: float, digits: int = 4) -> str:
    """A number to so many significant digits, below a million to all before the point; an en dash for NaN."""
    if math.isnan(value):
        return NONE
    text = f"{value:.0f}" if 10**digits <= abs(value) < 1e6 else f"{value:.{digits}g}"
    mantissa, _, exponent = text.partition("e")
    scaled = f"{mantissa} × 10^{int(exponent)}" if exponent else mantissa
    return scaled.replace("-", MINUS)


def give_or_take(value: float, spread: float) -> str:
    """A number with its standard deviation to two digits, such as `12.377 ± 0.058`; alone where that is unknown."""
    if not (math.isfinite(spread) and spread > 0):
        return number(value)
    decimals = 1 - math.floor(math.log10(spread))
    if not 0 <= decimals <= 6 or abs(value) >= 1e6:
        return f"{number(value)} ± {number(spread, 2)}"
    return f"{value:.{decimals}f} ± {spread:.{decimals}f}".replace("-", MINUS)


def point(z: Array | Sequence[float], digits: int = 3) -> str:
    """A latent point, such as (0.512, −1.3)."""
    return f"({', '.join(number(float(value), digits) for value in z)})"


def share(value: float) -> str:
    """A fraction as per cent."""
    return NONE if math.isnan(value) else f"{number(100 * value, 3)} %"


def lasting(seconds: float) -> str:
    """A duration in the two largest units that matter."""
    if math.isnan(seconds):
        return NONE
    if seconds < 60:
        return f"{number(seconds, 3)} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"


def moment(stamp: float) -> str:
    """Seconds since the epoch as a date and time in UTC."""
    if math.isnan(stamp):
        return NONE
    return datetime.datetime.fromtimestamp(stamp, datetime.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def counted(count: int, singular: str, plural: str = "") -> str:
    """`1 trial`, `80 trials`."""
    return f"{count} {singular if count == 1 else plural or singular + 's'}"


def axis(name: str, unit: str = "") -> str:
    """An axis label: a name in words, its unit in brackets."""
    words = name.replace("_", " ")
    return f"{words} ({unit})" if unit else words


def state_words(state: str, stop_reason: str | None, writer: str | None) -> str:
    """How a campaign stands; one that is not finished and that nobody writes is not running."""
    if state == "running" and writer is None:
        return "nobody is at work on it: run as before, it goes on"
    return f"{state}: {stop_reason}" if stop_reason else state
