"""What a file declares, and the steps from what there is to that."""

from dataclasses import replace
from typing import Any, Final

import pytest

from landed.domain.errors import InputInvalid
from landed.domain.receipts import RegistrationStatus
from landed.services.declaring import Action, Declared, Kind, Registered, Step, read, steps
from landed.services.registering import Listed
from landed.services.registering_shapes import fields_of

FILE: Final = """
account: shop
profiles:
  acme:
    entity_type: private
    company_name: Acme Inc
    vertical: TECHNOLOGY
    ein: 123456789
    address: {street: 1 Main St, city: Boston, state: MA, postal_code: 02110, country: us}
brands:
  acme-brand: {profile: acme, brand_type: STANDARD, secondary_vetting: yes}
campaigns:
  acme-codes:
    brand: acme-brand
    vertical: TECHNOLOGY
    use_case: 2fa
    description: Codes that people type to prove that a number is theirs.
    samples: [Your code for Acme is 123456., "Acme: 654321 is the code you asked for."]
    message_flow: People type their number at acme.example and ask for a code.
    help_message: See acme.example/help or write to help@acme.example.
    opt_out_message: You get no more texts from Acme.
    opt_out_keywords: [STOP, QUIT]
    numbers: [+14155550100, "(415) 555-0101"]
region: US
"""
DESCRIPTION: Final = "Codes that people type to prove that a number is theirs."
NUMBERS: Final = ("+14155550100", "+14155550101")


def changed(old: str, new: str) -> str:
    assert old in FILE
    return FILE.replace(old, new)


def test_a_file_is_read_as_it_is_written() -> None:
    declared = read(FILE)

    profile, campaign = declared.profiles["acme"], declared.campaigns["acme-codes"]
    assert (declared.account, profile.entity_type, profile.ein) == ("shop", "PRIVATE", "123456789")
    assert profile.address is not None
    assert (profile.address.postal_code, profile.address.country) == ("02110", "US")
    assert declared.brands["acme-brand"].secondary_vetting is True
    assert (campaign.use_case, campaign.opt_out_keywords, tuple(campaign.numbers)) == ("2FA", "STOP,QUIT", NUMBERS)


@pytest.mark.parametrize(
    ("old", "new", "field", "says"),
    [
        ("    description:", "    descripton:", "campaigns.acme-codes.descripton", "did you mean `description`"),
        ("message_flow:", "mesage_flow:", "campaigns.acme-codes.mesage_flow", "did you mean `message_flow`"),
        ("brands:", "brnads:", "brnads", "did you mean `brands`"),
        ("city:", "town:", "profiles.acme.address.town", "there are: city, country"),
        ("street:", "stret:", "profiles.acme.address.stret", "did you mean `street`"),
        (DESCRIPTION, "Codes.", "campaigns.acme-codes.description", "40 at least"),
        ("Your code for Acme is 123456.", "Hey", "campaigns.acme-codes.samples", "The 1. has 3 characters"),
        ("private", "secret", "profiles.acme.entity_type", "PRIVATE"),
        ("+14155550100", "+1415", "campaigns.acme-codes.numbers", "too few digits"),
        ("profile: acme,", "profile: acme, alias: x,", "brands.acme-brand.alias", "before the colon"),
        ("profile: acme,", "profile: acme, account: x,", "brands.acme-brand.account", "top of the file"),
        ("region: US", "region: US\nregion: US", "file", "twice"),
        ("region: US", "region: [US", "file", "Line"),
        ("region: US", "region: &a US\naccount: *a", "file", "write it out"),
        (FILE, "- nothing", "file", "`profiles`"),
        (FILE, "", "file", "`profiles`"),
        (FILE, "a: " + "[" * 50 + "]" * 50, "file", "deeply"),
        (FILE, "? [a]\n: b", "file", "word"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_refused_with_its_place(old: str, new: str, field: str, says: str) -> None:
    with pytest.raises(InputInvalid) as refused:
        read(changed(old, new))

    assert refused.value.field == field
    assert says in str(refused.value)
    assert "?." not in str(refused.value)


def test_whoever_knows_better_has_it_sent_all_the_same() -> None:
    text = changed(DESCRIPTION, "Codes.")

    assert read(text.replace("brand: acme-brand\n", "brand: acme-brand\n    unchecked: true\n")).campaigns


def test_a_number_has_one_campaign() -> None:
    second = FILE[FILE.index("  acme-codes:") : FILE.index("region:")].replace("acme-codes:", "acme-news:")

    with pytest.raises(InputInvalid, match="'acme-codes' as well"):
        read(changed("region: US", second + "region: US"))


# --- steps ---------------------------------------------------------------------------------------------------------

DECLARED: Final = read(FILE)
SAID: Final = fields_of(DECLARED.brands["acme-brand"])
PENDING: Final = RegistrationStatus.PENDING
PROFILE: Final = Listed("acme", "p1", None, None, None, None)
BRAND: Final = Listed("acme-brand", "B1", None, RegistrationStatus.REGISTERED, None, None)
CAMPAIGN: Final = Listed("acme-codes", "C1", "B1", RegistrationStatus.REGISTERED, None, None)
ALL: Final = Registered(
    profiles=[PROFILE],
    brands=[BRAND],
    campaigns=[CAMPAIGN],
    numbers={"C1": dict.fromkeys(NUMBERS, RegistrationStatus.LINKED)},
    linked=dict.fromkeys(NUMBERS, "C1"),
    asked={
        ("brand", "B1"): fields_of(DECLARED.brands["acme-brand"]),
        ("campaign", "C1"): fields_of(DECLARED.campaigns["acme-codes"], "numbers"),
        ("profile", "p1"): fields_of(DECLARED.profiles["acme"]),
    },
)


def actions(registered: Registered, *, declared: Declared = DECLARED, prune: bool = False) -> list[str]:
    return [step.action.value for step in steps(declared, registered, prune=prune)]


@pytest.mark.parametrize(
    ("registered", "expected"),
    [
        (Registered(), ["create", "create", "later", "later", "later"]),
        (replace(ALL, brands=[], campaigns=[], numbers={}, linked={}), ["keep", "create", "later", "later", "later"]),
        (
            replace(
                ALL, brands=[BRAND._replace(status=RegistrationStatus.PENDING)], campaigns=[], numbers={}, linked={}
            ),
            ["keep", "wait", "later", "later", "later"],
        ),
        (replace(ALL, campaigns=[], numbers={}, linked={}), ["keep", "keep", "create", "later", "later"]),
        (
            replace(ALL, campaigns=[CAMPAIGN._replace(status=RegistrationStatus.PENDING)], numbers={}, linked={}),
            ["keep", "keep", "wait", "later", "later"],
        ),
        (replace(ALL, numbers={}, linked={}), ["keep", "keep", "keep", "link", "link"]),
        (
            replace(
                ALL,
                numbers={"C1": {NUMBERS[0]: RegistrationStatus.PENDING, NUMBERS[1]: RegistrationStatus.FAILED}},
                linked={},
            ),
            ["keep", "keep", "keep", "wait", "link"],
        ),
        (ALL, ["keep"] * 5),
    ],
)
def test_only_what_is_missing_is_done_and_what_belongs_to_something_comes_later(
    registered: Registered, expected: list[str]
) -> None:
    assert actions(registered) == expected


def of(kind: Kind, registered: Registered, **options: Any) -> Step:
    return next(step for step in steps(DECLARED, registered, **options) if step.kind is kind)


def test_what_was_rejected_is_asked_for_again_once_the_file_is_corrected_and_no_sooner() -> None:
    rejected = BRAND._replace(status=RegistrationStatus.REJECTED, reason="EIN does not match")
    there = replace(ALL, brands=[rejected], campaigns=[], numbers={}, linked={})

    same, foreign = of(Kind.BRAND, there), of(Kind.BRAND, replace(there, asked={}))
    corrected = of(Kind.BRAND, replace(there, asked={("brand", "B1"): {**SAID, "brand_type": "STARTER"}}))

    assert (same.action, "EIN does not match" in same.why) == (Action.BLOCKED, True)
    assert foreign.action is Action.BLOCKED
    assert (corrected.action, "brand_type" in corrected.why) == (Action.CREATE, True)
    assert of(Kind.CAMPAIGN, there).action is Action.BLOCKED
    assert of(Kind.NUMBER, there).action is Action.BLOCKED


def test_of_several_with_one_name_the_one_that_came_furthest_is_meant() -> None:
    old = BRAND._replace(provider_id="B0", status=RegistrationStatus.REJECTED)

    assert of(Kind.BRAND, replace(ALL, brands=[old, BRAND])).provider_id == "B1"
    assert of(Kind.BRAND, replace(ALL, brands=[BRAND, old])).provider_id == "B1"


def test_a_difference_that_nobody_can_apply_is_told() -> None:
    there = replace(ALL, asked={("brand", "B1"): {**SAID, "brand_type": "STARTER"}})

    step = of(Kind.BRAND, there)

    assert step.action is Action.KEEP
    assert "differs in brand_type, which" in step.why


def test_a_number_that_sends_for_another_campaign_is_not_taken_from_it() -> None:
    step = of(Kind.NUMBER, replace(ALL, numbers={"C1": {}}, linked={NUMBERS[0]: "C9"}))

    assert (step.action, "C9" in step.why) == (Action.BLOCKED, True)


def test_numbers_that_the_file_does_not_have_are_unlinked_only_where_that_is_asked_for() -> None:
    there = replace(ALL, numbers={"C1": {**ALL.numbers["C1"], "+14155550199": RegistrationStatus.LINKED}})

    assert actions(there) == ["keep"] * 6
    assert actions(there, prune=True) == ["keep"] * 5 + ["unlink"]


def test_what_something_is_to_belong_to_has_to_be_there() -> None:
    with pytest.raises(InputInvalid, match="did you mean 'acme'"):
        steps(read(changed("profile: acme,", "profile: acmee,")), Registered())
    elsewhere = read(changed("profile: acme,", "profile: p9,"))
    with pytest.raises(InputInvalid, match="here or at the provider"):
        steps(elsewhere, Registered())
    known = Registered(profiles=[PROFILE._replace(alias=None, provider_id="p9")])
    assert [step.action for step in steps(elsewhere, known)][1] is Action.CREATE
