"""10DLC in the demo: now and then a customer of the company registers, and links its numbers."""

import asyncio
from random import Random
from typing import Any, Final

from landed.simulator import draws
from landed.simulator.demo.landed_api import LandedApi
from landed.simulator.registrations import NUMBERS, UNLINKED

#: Share of names with a word that the stand-in's registry rejects.
_REJECTED: Final = 0.12
#: Until a brand is registered, a campaign, or a number linked, the next step is not asked for; looked at so often.
_LOOK_EVERY_S: Final = 3.0
_LOOKS_MAX: Final = 20
_STREETS: Final = ("Main St", "Elm St", "Harbor Rd", "Mill Ln")
_TRADES: Final = ("Bakery", "Bikes", "Dental", "Florist", "Garage", "Gym", "Salon", "Travel")


async def register(api: LandedApi, random: Random, account: str) -> None:
    """A profile, its brand, a campaign and one to three numbers; it ends where something is rejected."""
    name = f"{random.choice(_TRADES)}-{random.randrange(10**5):05}"
    if random.random() < _REJECTED:
        name += "-reject"
    if await api.post("/v1/10dlc/profiles", {**_profile(random, name), "account": account}) is None:
        return
    brand = {"alias": f"{name}-brand", "profile": name, "brand_type": "STANDARD", "account": account}
    if not await _granted(api, "/v1/10dlc/brands", brand):
        return
    rejects = "-reject" if random.random() < _REJECTED else ""
    if not await _granted(api, "/v1/10dlc/campaigns", _campaign(f"{name}-codes{rejects}", f"{name}-brand", account)):
        return
    numbers = [f"+{draws.number(random, NUMBERS)}" for _ in range(random.randint(1, 3))]
    path = f"/v1/10dlc/campaigns/{name}-codes{rejects}/numbers"
    await api.post(path, {"numbers": numbers})
    if random.random() < UNLINKED:
        await asyncio.sleep(40)
        await api.delete(f"{path}/{numbers[0]}")


async def _granted(api: LandedApi, path: str, given: dict[str, Any]) -> bool:
    """Whether it is registered in the end."""
    if await api.post(path, given) is None:
        return False
    for _ in range(_LOOKS_MAX):
        await asyncio.sleep(_LOOK_EVERY_S)
        thing = await api.get(f"{path}/{given['alias']}")
        if thing is not None and thing["status"] != "pending":
            return bool(thing["status"] == "registered")
    return False


def _profile(random: Random, name: str) -> dict[str, Any]:
    return {
        "alias": name,
        "entity_type": "PRIVATE",
        "company_name": f"{name} Inc",
        "vertical": "TECHNOLOGY",
        "ein": f"{random.randrange(10, 99)}-{random.randrange(10**7):07}",
        "ein_issuing_country": "US",
        "website": f"https://{name.lower()}.example",
        "address": {
            "street": f"{random.randrange(1, 400)} {random.choice(_STREETS)}",
            "city": "Boston",
            "state": "MA",
            "postal_code": "02110",
            "country": "US",
        },
    }


def _campaign(alias: str, brand: str, account: str) -> dict[str, Any]:
    return {
        "alias": alias,
        "account": account,
        "brand": brand,
        "vertical": "TECHNOLOGY",
        "use_case": "2FA",
        "description": "Codes that people type to prove that a number is theirs.",
        "samples": ["Your code for us is 123456, good for 10 minutes.", "654321 is the code that you asked us for."],
        "message_flow": "People type their number on our website, tick a box, and ask for a code by text.",
        "help_message": "See our website for help, or write to help@acme.example.",
        "opt_out_message": "You get no more texts from us. Reply START to hear from us again.",
    }
