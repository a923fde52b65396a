"""How long an acknowledgement takes at half of the rate that one web process can do at most.

wrk has no rate limit. Its script lets a connection pause between an answer and the next request; the pause that gives
half the rate is (connections / rate - latency), found in a short run and corrected once. wrk itself corrects
the latencies it reports for what a slow answer kept from being sent (`stats_correct` in its source).
"""

from pathlib import Path
from typing import Final

from benchmarks import contenders, harness, requests
from benchmarks.harness import Load, MeasurementFailed, Session
from benchmarks.report import Figure

P99_MS_MAX: Final = 10.0
#: Enough that the pauses, in whole milliseconds, are long against their rounding.
CONNECTIONS: Final = 256
#: How far from half the rate a run may be and still count.
_OFF_MAX: Final = 0.15
_LATENCY_MS_GUESS: Final = 3.0


def run(session: Session) -> list[Figure]:
    seconds = 4 if session.quick else 15
    with harness.directory() as directory:
        file = requests.prepare(directory, quick=session.quick)
        with contenders.landed() as server:
            server.wait_for(contenders.first_request(file))
            harness.load(server.port, file, seconds=2)  # warm-up
            most = harness.load(server.port, file, seconds=max(3, seconds // 2)).rate
            seen = at_rate(most / 2, server.port, file, seconds)
    session.say(f"at most {most:,.0f}/s; at {seen.rate:,.0f}/s p50 {seen.p50_ms:.1f} ms, p99 {seen.p99_ms:.1f} ms")
    if abs(seen.rate / (most / 2) - 1) > _OFF_MAX:
        raise MeasurementFailed(f"Half of {most:,.0f}/s was aimed at, and {seen.rate:,.0f}/s came out.")
    return [
        Figure(
            name="p99_half_load_ms",
            meaning="p99 of an ack at half of the maximum rate",
            value=seen.p99_ms,
            unit="ms",
            at_most=P99_MS_MAX,
            details={"rate": seen.rate, "rate_max": most, "p50_ms": seen.p50_ms, "max_ms": seen.max_ms},
        )
    ]


def at_rate(rate: float, port: int, file: Path, seconds: int) -> Load:
    """Load at that rate: two short runs to find the pause, and the one that counts."""
    cycle_ms = CONNECTIONS * 1000 / rate
    delay_ms = max(1.0, cycle_ms - _LATENCY_MS_GUESS)
    for _ in range(2):
        seen = harness.load(port, file, seconds=2, connections=CONNECTIONS, delay_ms=delay_ms)
        delay_ms = max(1.0, delay_ms + cycle_ms - CONNECTIONS * 1000 / seen.rate)
    return harness.load(port, file, seconds=seconds, connections=CONNECTIONS, delay_ms=delay_ms)
