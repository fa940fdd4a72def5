"""The inner loops: explicit Euler on a block of `LANES` lattices, all sites from the previous step.

    dp/dt = E - dep sum(P) / n^2 + d - p (a + b p^2 + c q^2) - k (p - sum over neighbours / 4),   q the other component

Memory is flat, the lane innermost:

    source, target   states [n + 2, n + 2, component, lane]; the border of zeros stands for missing neighbours
    forces           d [n, n, component, lane]
    springs          a + k and k / 4 [n, n, 2, lane]
    constants        b, c, mobility of x, mobility of y, dep / n^2, each [lane]
    fields, totals   E and sum(P) [step, component, lane]
    peaks            [step, lane]

A kernel takes the steps start .. stop - 1 and trades `source` and `target` after each: after an even number of steps
the newest state is in `source` again.
"""

from __future__ import annotations

from zbo_ferrosim.lanes import LANES, compiled, larger, load, splat, store
from zbo_orchestrator.model import Array


@compiled
def advance(  # noqa: PLR0917  a kernel's arguments are its memory
    source: Array,
    target: Array,
    forces: Array,
    springs: Array,
    constants: Array,
    fields: Array,
    intervals: Array,
    totals: Array,
    peaks: Array,
    n: int,
    start: int,
    stop: int,
) -> None:
    """Move every site in every step; peaks[step] is the largest p^2 of the state that the step started from."""
    b, c, depolarization = load(constants, 0), load(constants, LANES), load(constants, 4 * LANES)
    mobility_x, mobility_y = load(constants, 2 * LANES), load(constants, 3 * LANES)
    pair = 2 * LANES  # from one site to the next
    row = (n + 2) * pair
    for step in range(start, stop):
        dt = splat(intervals[step])
        dt_x, dt_y = dt * mobility_x, dt * mobility_y
        ex = load(fields, step * pair) - depolarization * load(totals, (step - 1) * pair)
        ey = load(fields, step * pair + LANES) - depolarization * load(totals, (step - 1) * pair + LANES)
        total_x, total_y, peak = splat(0.0), splat(0.0), splat(0.0)
        site = 0
        for i in range(n):
            at = (i + 1) * row + pair
            left_x, left_y = load(source, at - pair), load(source, at - LANES)
            x, y = load(source, at), load(source, at + LANES)
            for _ in range(n):
                right_x, right_y = load(source, at + pair), load(source, at + pair + LANES)
                near_x = (load(source, at - row) + load(source, at + row)) + (left_x + right_x)
                near_y = (load(source, at - row + LANES) + load(source, at + row + LANES)) + (left_y + right_y)
                stiffness, pull = load(springs, site * pair), load(springs, site * pair + LANES)
                xx, yy = x * x, y * y
                rate_x = (ex + load(forces, site * pair)) + pull * near_x - x * (stiffness + (b * xx + c * yy))
                rate_y = (ey + load(forces, site * pair + LANES)) + pull * near_y - y * (stiffness + (b * yy + c * xx))
                peak = larger(larger(xx, yy), peak)
                left_x, left_y = x, y
                x, y = x + dt_x * rate_x, y + dt_y * rate_y
                store(target, at, x)
                store(target, at + LANES, y)
                total_x, total_y = total_x + x, total_y + y
                x, y = right_x, right_y
                at += pair
                site += 1
        store(totals, step * pair, total_x)
        store(totals, step * pair + LANES, total_y)
        store(peaks, step * LANES, peak)
        source, target = target, source


@compiled
def advance_published(  # noqa: PLR0917
    source: Array,
    target: Array,
    states: Array,
    rates: Array,
    moves: Array,
    forces: Array,
    springs: Array,
    constants: Array,
    fields: Array,
    intervals: Array,
    totals: Array,
    peaks: Array,
    n: int,
    start: int,
    stop: int,
) -> None:
    """Move only the sites with moves[step, site]; the others *show* state + dt x their last rate, but keep their state.

    `source` and `target` hold what sites show (neighbours see that), `states` and `rates` [n, n, component, lane] what
    they are; depolarisation and totals follow the states.
    """
    b, c, depolarization = load(constants, 0), load(constants, LANES), load(constants, 4 * LANES)
    mobility_x, mobility_y = load(constants, 2 * LANES), load(constants, 3 * LANES)
    pair = 2 * LANES
    row = (n + 2) * pair
    for step in range(start, stop):
        dt = splat(intervals[step])
        ex = load(fields, step * pair) - depolarization * load(totals, (step - 1) * pair)
        ey = load(fields, step * pair + LANES) - depolarization * load(totals, (step - 1) * pair + LANES)
        total_x, total_y, peak = splat(0.0), splat(0.0), splat(0.0)
        for site in range(n * n):
            at = (site // n + 1) * row + (site % n + 1) * pair
            own = site * pair
            x, y = load(states, own), load(states, own + LANES)
            xx, yy = x * x, y * y
            peak = larger(larger(xx, yy), peak)
            if moves[step * n * n + site]:
                near_x = (load(source, at - row) + load(source, at + row)) + (
                    load(source, at - pair) + load(source, at + pair)
                )
                near_y = (load(source, at - row + LANES) + load(source, at + row + LANES)) + (
                    load(source, at - LANES) + load(source, at + pair + LANES)
                )
                stiffness, pull = load(springs, own), load(springs, own + LANES)
                rate_x = (ex + load(forces, own)) + pull * near_x - x * (stiffness + (b * xx + c * yy))
                rate_y = (ey + load(forces, own + LANES)) + pull * near_y - y * (stiffness + (b * yy + c * xx))
                store(rates, own, mobility_x * rate_x)
                store(rates, own + LANES, mobility_y * rate_y)
            shown_x, shown_y = x + dt * load(rates, own), y + dt * load(rates, own + LANES)
            store(target, at, shown_x)
            store(target, at + LANES, shown_y)
            if moves[step * n * n + site]:
                x, y = shown_x, shown_y
                store(states, own, x)
                store(states, own + LANES, y)
            total_x, total_y = total_x + x, total_y + y
        store(totals, step * pair, total_x)
        store(totals, step * pair + LANES, total_y)
        store(peaks, step * LANES, peak)
        source, target = target, source
