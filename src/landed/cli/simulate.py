"""`landed simulate`: the local carrier, to develop and test against without an account at any provider."""

import asyncio
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from landed.cli.figures import clean, seconds
from landed.cli.speaking import AsJson, print_json, print_line, print_table, say

if TYPE_CHECKING:
    from landed.simulator.carrier.calls import Making
    from landed.simulator.carrier.scenario import Outcome
    from landed.simulator.simulation import Served, Simulation

_PORT: Final = 9100
_LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")
_GOOD: Final = 400  #: a status below it


def simulate(
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes any that is free.", min=0, max=65535)] = _PORT,
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 lets other machines in.")] = "127.0.0.1",
    allow_host: Annotated[
        list[str] | None, typer.Option(help="A further name that it may be called by, such as in a container network.")
    ] = None,
    scenario: Annotated[
        str, typer.Option(help="What the carrier is like: a built-in one, or a YAML file.")
    ] = "everyday",
    chaos: Annotated[str | None, typer.Option(help="How badly it is told: none, some or all.")] = None,
    seed: Annotated[int | None, typer.Option(help="The same seed gives the same world; else it differs.")] = None,
    speed: Annotated[float, typer.Option(help="Simulated seconds in each of ours; 0 stops time.", min=0, max=1e5)] = 1,
    account: Annotated[
        list[str] | None, typer.Option(help="ID:TOKEN, the only one that is taken of its provider; may be repeated.")
    ] = None,
    anywhere: Annotated[
        bool, typer.Option("--anywhere", help="Call back anywhere, not just this machine and private networks.")
    ] = False,
    magic: Annotated[bool, typer.Option("--magic", help="Print the numbers that force an outcome, and end.")] = False,
    scenarios: Annotated[bool, typer.Option("--scenarios", help="Print the built-in scenarios, and end.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print no line per request and callback.")] = False,
    as_json: AsJson = False,
) -> None:
    """Example: landed simulate --seed 7 --speed 60 --chaos some

    Stand in for Plivo and Routee: their APIs, and a carrier that delivers, fails and calls back, on this machine.
    Ctrl-C ends it, and everything it knows is gone. It opens no database and needs no setting.
    """
    import secrets

    from landed.simulator import server, simulation
    from landed.simulator.carrier import scenario as scenario_files

    if scenarios:
        _print_scenarios(as_json)
        return
    loaded = scenario_files.load(scenario)
    if chaos is not None:
        loaded = scenario_files.change(loaded, {"chaos": chaos}, source="--chaos")
    if magic:
        _print_magic(loaded.magic, as_json)
        return
    world = simulation.create(
        scenario=loaded,
        seed=secrets.randbelow(2**31) if seed is None else seed,
        speed=speed,
        anywhere=anywhere,
        accounts=simulation.read_accounts(account or []),
    )
    if not quiet:
        _print_what_happens(world, as_json)
    if host not in _LOOPBACK:
        say(f"Anybody who reaches {host} can use this. On a machine of yours alone, leave --host out.")
    with server.listen(host, port) as listener:
        asyncio.run(_run(world, listener, allow_host or []))


async def _run(world: "Simulation", listener: Any, hosts: list[str]) -> None:
    from landed.processes import stop_on_signals
    from landed.simulator import server

    stopping = asyncio.Event()
    stop_on_signals(stopping)
    async with server.serving(world, listener=listener, hosts=hosts) as serving:
        _say_where(world, serving.base_url)
        stop: asyncio.Future[Any] = asyncio.create_task(stopping.wait())
        await asyncio.wait({stop, serving.ended}, return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()


def _say_where(world: "Simulation", base_url: str) -> None:
    carrier = world.carrier
    names = " and ".join(name.capitalize() for name in world.stand_ins)
    pace = "" if carrier.clock.speed == 1 else f", at {carrier.clock.speed:g} times the speed"
    urls = ",".join(f"{name}={base_url}" for name in world.stand_ins)
    say(
        f"{names} at {base_url}: scenario {carrier.scenario.name}, seed {carrier.seed}{pace}\n\n"
        f"  Landed          LANDED_PROVIDER_URLS={urls}\n"
        f'  Plivo, Python   plivo.rest.client.PLIVO_API_BASE_URI = "{base_url}/v1/Account"\n'
        f"  Plivo, Node     new plivo.Client(authId, authToken, {{url: `{base_url}/v1/Account/${{authId}}`}})\n"
        f"  Routee          {base_url} in place of https://auth.routee.net and https://connect.routee.net\n"
        f"  Look inside     curl {base_url}/_sim/messages\n\n"
        "`landed simulate --magic` lists numbers that force an outcome.\n"
    )


# --- a line for each thing that happens ----------------------------------------------------------------------------


def _print_what_happens(world: "Simulation", as_json: bool) -> None:
    def request(served: "Served") -> None:
        print_line(_request_json(served) if as_json else _request_line(served))

    def callback(making: "Making") -> None:
        print_line(_callback_json(making) if as_json else _callback_line(world, making))

    world.watchers.append(request)
    world.carrier.watchers.append(callback)


def _request_line(served: "Served") -> str:
    answer = f"{served.status}" if served.status else "not answered"
    colour = typer.colors.GREEN if 0 < served.status < _GOOD else typer.colors.RED
    outcome = typer.style(answer, fg=colour)
    return f"{_time()}  ← {clean(f'{served.method} {served.path}')}  {outcome} in {seconds(served.elapsed_ms / 1000)}"


def _callback_line(world: "Simulation", making: "Making") -> str:
    from landed.simulator.carrier.calls import State
    from landed.simulator.carrier.chaos import Flaw

    call, attempt = making.call, making.attempts[-1]
    answer = f"{attempt.status} in {seconds(attempt.real_ms / 1000)}" if attempt.status else f"{attempt.problem}"
    colour = typer.colors.GREEN if making.state is State.TAKEN else typer.colors.RED
    notes = [
        *(["a repeat"] if making.telling.is_repeat else []),
        *([f"attempt {len(making.attempts)}"] if len(making.attempts) > 1 else []),
        *([attempt.flaw.replace("_", " ")] if attempt.flaw is not Flaw.NONE else []),
        *(["given up"] if making.state is State.GIVEN_UP else []),
    ]
    if (pause_s := world.carrier.pause_s(making)) is not None:
        notes.append(f"tried again in {seconds(pause_s)}")
    said = f"  ({', '.join(notes)})" if notes else ""
    told = clean(f"{call.name}  {call.method} {call.url}")
    return f"{_time()}  → {told}  {typer.style(clean(answer), fg=colour)}{said}"


def _time() -> str:
    return datetime.now(UTC).astimezone().strftime("%H:%M:%S")


def _request_json(served: "Served") -> str:
    return json.dumps({"kind": "request", **served._asdict()})


def _callback_json(making: "Making") -> str:
    from landed.simulator.control import shapes

    return json.dumps({"kind": "callback", **shapes.callback(making)})


# --- what there is -------------------------------------------------------------------------------------------------


def _print_scenarios(as_json: bool) -> None:
    from landed.simulator.carrier import scenario as files

    built_in = files.built_in()
    if as_json:
        print_json({"data": [{"name": each.name, "description": each.description} for each in built_in]})
        return
    print_table(["scenario", "what it is like"], [(each.name, each.description) for each in built_in])


def _print_magic(numbers: "dict[str, Outcome] | Any", as_json: bool) -> None:
    from landed.simulator.control import shapes

    if as_json:
        print_json({number: shapes.outcome(outcome) for number, outcome in numbers.items()})
        return
    print_table(
        ["number", "what becomes of a message to it"], [(number, _told(each)) for number, each in numbers.items()]
    )


def _told(outcome: "Outcome") -> str:
    """A magic number's outcome in words."""
    from landed.simulator.control import shapes

    if outcome.answer is not None:
        return _ANSWERS[outcome.answer]
    words = []
    if outcome.status is not None:
        code = f", error {outcome.error_code}" if outcome.error_code else ""
        words.append(f"{outcome.status}{code}")
    if outcome.is_silent:
        words.append("sent, and never heard of again")
    if outcome.contradicts:
        words.append("then the opposite")
    if outcome.unknown_status:
        words.append(f"with the unknown status {outcome.unknown_status}")
    if outcome.otp:
        words.append(f"verify code {outcome.otp}")
    words += [_CHAOS.get(name, name.replace("_", " ")) for name in shapes.outcome(outcome).get("chaos", {})]
    return "; ".join(words)


_ANSWERS: Final = {
    "bad_request": "the API answers 400",
    "forbidden": "the API answers 403",
    "throttled": "the API answers 429",
    "server_error": "the API answers 500",
    "hang": "it is taken and delivered, and the API never answers",
    "hang_up": "it is taken and delivered, and the API closes the connection",
}
_CHAOS: Final = {
    "duplicates": "each callback comes twice",
    "reordering": "callbacks come out of order",
    "lost": "no callback comes",
    "late": "callbacks come hours late",
    "wrong_signatures": "the first attempt of each callback is wrongly signed",
    "hung_up": "the first attempt of each callback hangs up",
}
