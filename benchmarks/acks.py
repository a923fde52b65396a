"""Durable acknowledgements per second of one web process, against three other servers.

All servers stand ready at once and are loaded in turns, so that what else the machine does hits all alike.
"""

from contextlib import ExitStack
from statistics import median
from typing import Final

from benchmarks import contenders, harness, requests
from benchmarks.contenders import CONTENDERS
from benchmarks.harness import Missing, Server, Session
from benchmarks.report import Figure

#: Contender -> how many times its rate ours has to be.
BUDGETS: Final = {"empty handler": 0.5, "Express": 7.0, "FastAPI": 20.0}
CONNECTIONS: Final = 128


def run(session: Session) -> list[Figure]:
    rounds, seconds = (1, 3) if session.quick else (3, 8)
    harness.need_wrk()
    with harness.directory() as directory, ExitStack() as running:
        file = requests.prepare(directory, quick=session.quick)
        servers: dict[str, Server] = {}
        for name, start in CONTENDERS.items():
            try:
                servers[name] = running.enter_context(start())
                servers[name].wait_for(contenders.first_request(file))
            except Missing as missing:
                session.skip(str(missing))
        rates: dict[str, list[float]] = {name: [] for name in servers}
        for server in servers.values():
            harness.load(server.port, file, seconds=2, connections=CONNECTIONS)  # warm-up
        for number in range(rounds):
            for name, server in servers.items():
                seen = harness.load(server.port, file, seconds=seconds, connections=CONNECTIONS)
                session.say(f"round {number + 1}: {name} {seen.rate:,.0f}/s, p99 {seen.p99_ms:.1f} ms")
                rates[name].append(seen.rate)
    return figures({name: median(seen) for name, seen in rates.items()})


def figures(rates: dict[str, float]) -> list[Figure]:
    """The rates, and ours as a multiple of the others'."""
    measured = [
        Figure(name=f"rate_{_slug(name)}", meaning=f"{name}, answers", value=rate, unit="/s")
        for name, rate in rates.items()
    ]
    if "landed" in rates:
        measured += [
            Figure(
                name=f"acks_vs_{_slug(name)}",
                meaning=f"durable acks, against {name}",
                value=rates["landed"] / rates[name],
                unit="x",
                at_least=budget,
            )
            for name, budget in BUDGETS.items()
            if name in rates
        ]
    return measured


def _slug(name: str) -> str:
    return name.lower().replace(" ", "_")
