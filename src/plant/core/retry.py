"""How long to wait before a transaction is run again. Pure; the clock and the dice are the caller's."""

from __future__ import annotations

BASE = 0.01
CAP = 1.0


def full_jitter(attempt: int, dice: float, *, base: float = BASE, cap: float = CAP) -> float:
    """Seconds to wait after the failed `attempt` (0 is the first); `dice` is uniform in [0, 1).

    Uniform between 0 and min(cap, base * 2**attempt): "full jitter" of M. Brooker, "Exponential Backoff And
    Jitter", AWS Architecture Blog, 2015. Raises ValueError for a negative attempt or dice outside [0, 1).
    """
    if attempt < 0 or not 0.0 <= dice < 1.0:
        raise ValueError(f"attempt must be 0 or more and dice in [0, 1), not {attempt} and {dice}")
    # The exponent is bounded so that a very late attempt cannot overflow a float.
    return dice * min(cap, base * 2.0 ** min(attempt, 64))
