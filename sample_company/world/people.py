"""People at customers: who worked where and when, and what the CRM wrote down about it.

Belongs here: employment spells, contacts as record versions, duplicates of contacts, the contact
roles of opportunities. The champion's spells follow the latent state; everyone else changes jobs
by chance. The CRM learns of it days later, or never.
Must not be here: what people do (activities, surveys, usage).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from sample_company.rng import I64, U64
from sample_company.world import person_names as names
from sample_company.world.noise import Noise, either, fold, key_of, spread
from sample_company.world.office import days, hours, naive, utc
from sample_company.world.panel import (
    FAR,
    Days,
    Panel,
    Tables,
    dates,
    happened,
    only,
    plain_ids,
    record_ids,
)

LEVELS = np.asarray(["end_user", "manager", "director_plus"], dtype=object)
_TITLES = {
    "end_user": ["Analyst", "Specialist", "Coordinator", "Engineer", "Associate", "Planner"],
    "manager": ["Team Lead", "Operations Manager", "Programme Manager", "Manager, Systems"],
    "director_plus": [
        "Director of Operations",
        "VP Operations",
        "Chief Operating Officer",
        "Director, Finance",
        "Chief Information Officer",
        "VP Strategy",
    ],
}
# Regular slots at the start, slots that open later, and the level mix, per segment.
_START_SLOTS = {"SMB": 2, "mid-market": 3, "enterprise": 6}
_LATER_SLOTS = {"SMB": 2, "mid-market": 4, "enterprise": 12}
_LEVEL_MIX = {1: [0.80, 0.19, 0.01], 2: [0.58, 0.37, 0.05], 3: [0.45, 0.36, 0.19]}
_CHAMPION_LEVEL = {
    "SMB": [0.25, 0.50, 0.25],
    "mid-market": [0.0, 0.70, 0.30],
    "enterprise": [0.0, 0.55, 0.45],
}
_LATER_WINDOW_DAYS = 15 * 365
_MEAN_SPELL_DAYS = 3_150.0
_MEAN_PROMOTION_DAYS = 4_000.0
_LEFT_COMPANY_SHARE = 0.75
_FOUND_AGAIN_SHARE = 0.42
_CHAMPION, _SPONSOR, _ADMIN = 0, 1, 2
#: Seat of a former user who led the new employer to us.
_LED_HERE = 70


def add_people(tables: Tables, noise: Noise, panel: Panel, duplicate_share: float = 0.06) -> Tables:
    """Draw spells, contacts and opportunity roles.

    Args:
        tables: needs `opportunities`; accounts come through the panel.
        noise: draws of the world's seed.
        panel: accounts and their months in service.
        duplicate_share: share of contacts entered a second time (0-1); 0 switches the mess off.

    Returns:
        contacts (versions), employments, opportunity_contacts, erasure_requests, and the truth
        tables truth_people (contact to person) and spells (one row per contact and employer).
    """
    spells = _spells(noise, panel)
    spells = _with_movers(noise, panel, spells)
    spells = _named(noise, panel, spells)
    spells = _with_duplicates(noise, panel, spells, duplicate_share)
    contacts = _contact_versions(noise, panel, spells)
    return {
        "spells": spells,
        "contacts": contacts,
        "employments": _employments(noise, panel, spells),
        "opportunity_contacts": _opportunity_contacts(
            noise, panel, spells, tables["opportunities"]
        ),
        "erasure_requests": _erasures(noise, panel, spells),
        "truth_people": spells.loc[
            spells["known_on"] <= panel.horizon,
            ["contact_id", "person_id", "account_id", "is_duplicate", "duplicate_of"],
        ].reset_index(drop=True),
    }


def _spells(noise: Noise, panel: Panel) -> pd.DataFrame:
    """Every spell that starts at a customer known to us, before people are followed elsewhere."""
    parts = [_champion_spells(noise, panel), _slot_spells(noise, panel)]
    spells = pd.concat(parts, ignore_index=True)
    spells["person_key"] = spells["contact_key"]
    spells["is_continuation"] = False
    spells["is_same_record"] = False
    spells["former_key"] = np.uint64(0)
    return pd.concat([spells, _moved_inside(noise, spells)], ignore_index=True)


def _champion_spells(noise: Noise, panel: Panel) -> pd.DataFrame:
    """One spell per unbroken run of months with a champion in place.

    The first champion is known from the first day, before anyone can know whether the deal will be
    won: contacts of prospects and of later customers look alike.
    """
    accounts = panel.accounts
    months = panel.months.sort_values(["position", "month_no"], kind="stable")
    position, key = months["position"].to_numpy(), months["key"].to_numpy()
    champion = months["champion_in_place"].to_numpy(dtype=bool)
    opens = np.r_[True, position[1:] != position[:-1]][: position.size]
    before = np.r_[True, champion[:-1]][: position.size] | opens
    left = months["champion_left"].to_numpy(dtype=bool)
    # Where a successor is found within the month, one spell ends and the next begins in it.
    begins, ends = champion & (~before | left), before & (~champion | left)
    number = 1 + pd.Series(begins.astype(np.int64)).groupby(position).cumsum().to_numpy()
    ended = number - begins
    month = months["month"].to_numpy().astype("datetime64[D]")
    end_day = month + days(13 * noise.uniform("people.champion_end", key, ended))
    # Typed, for a company too small for anybody to leave has no day to tell the type by.
    stops = pd.Series(end_day[ends].astype("datetime64[s]"), index=_run(position, ended)[ends])
    start_day = month + days(14 + 14 * noise.uniform("people.champion_start", key, number))
    entered = accounts["entered_on"].to_numpy().astype("datetime64[D]")
    first_key = accounts["key"].to_numpy()
    start = np.concatenate(
        [entered - days(noise.whole(200, 1800, "people.before", first_key, 0)), start_day[begins]]
    )
    where = np.concatenate([accounts.index.to_numpy(), position[begins]])
    run = np.concatenate([np.ones(len(accounts), dtype=np.int64), number[begins]])
    keys = (first_key[where], run)
    met = days(noise.whole(1, 15, "people.champion_known", *keys))
    level = _by_segment(
        noise, "people.champion_level", _CHAMPION_LEVEL, accounts["segment"].iloc[where], *keys
    )
    end = stops.reindex(_run(where, run)).to_numpy().astype("datetime64[D]")
    return pd.DataFrame(
        {
            "position": where,
            "slot": _CHAMPION,
            "generation": run,
            "contact_key": fold(keys[0], _CHAMPION, run),
            "level": LEVELS[level],
            "roles": np.where(level == 2, "champion;sponsor", "champion"),
            "start": start,
            "known_on": np.where(run == 1, entered[where], start + met),
            "end": np.where(np.isnat(end), FAR, end),
            "leaves_company": noise.chance(_LEFT_COMPANY_SHARE, "people.champion_exit", *keys),
        }
    )


def _run(position: I64, number: I64) -> I64:
    """One code per account row and number of the champion's run."""
    return position * 4_096 + number


def _slot_spells(noise: Noise, panel: Panel) -> pd.DataFrame:
    """Chains of people in the other seats: leave, seat empty for a while, successor."""
    slots = pd.concat([_start_slots(noise, panel), _later_slots(noise, panel)], ignore_index=True)
    chains: list[pd.DataFrame] = []
    generation = 0
    slots["generation"] = 0
    while not slots.empty:
        key, slot = slots["key"].to_numpy(), slots["slot"].to_numpy()
        life = noise.exponential(_MEAN_SPELL_DAYS, "people.spell", key, slot, generation)
        known = slots["known_on"].to_numpy().astype("datetime64[D]")
        # Someone first met on a day still works there on that day.
        end = known + days(np.maximum(life, 20))
        chains.append(
            slots.assign(
                end=end,
                generation=generation,
                contact_key=fold(key, slot + 1000, generation),
            )
        )
        start = end + days(noise.whole(15, 140, "people.vacancy", key, slot, generation))
        replaced = noise.chance(
            np.where(slot == _SPONSOR, 0.97, 0.7), "people.replaced", key, slot, generation
        )
        kept = (
            replaced & (start <= panel.horizon) & panel.serves(slots["position"].to_numpy(), start)
        )
        generation += 1
        slots = slots.assign(
            start=start,
            known_on=start + days(noise.whole(3, 60, "people.met", key, slot, generation)),
        )[kept]
    spells = pd.concat(chains, ignore_index=True)
    level = spells["level_no"].to_numpy()
    slot = spells["slot"].to_numpy()
    sponsor = noise.chance(0.5, "people.sponsor", spells["contact_key"].to_numpy())
    roles = np.where(
        slot == _SPONSOR,
        np.where(sponsor, "economic_buyer;sponsor", "economic_buyer"),
        np.where(slot == _ADMIN, "admin;user", "user"),
    )
    return spells.assign(level=LEVELS[level], roles=roles, leaves_company=True)[
        [
            "position",
            "slot",
            "generation",
            "contact_key",
            "level",
            "roles",
            "start",
            "known_on",
            "end",
            "leaves_company",
        ]
    ]


def _start_slots(noise: Noise, panel: Panel) -> pd.DataFrame:
    """Seats known from the deal: sponsor and administrator at once, users once it is a customer."""
    accounts = panel.accounts
    size = accounts["segment"].map(_START_SLOTS).fillna(2).to_numpy(dtype=np.int64)
    key = accounts["key"].to_numpy()
    breadth = accounts["levels_at_start"].to_numpy(dtype=np.int64)
    count = np.where(
        accounts["is_customer"],
        size + breadth - 1 + noise.poisson(size * 0.25, "people.slots", key),
        2,
    )
    row, k = spread(np.maximum(count, 2))
    slot = k + _SPONSOR
    level = np.full(row.size, 2)
    for known, mixture in _LEVEL_MIX.items():
        # The administrator is met before anyone knows how broad the relationship will be.
        chosen = np.where(slot == _ADMIN, known == 1, breadth[row] == known) & (slot != _SPONSOR)
        drawn = noise.pick(mixture, "people.slot_level", key[row], slot)
        level = np.where(chosen, drawn, level)
    entered = accounts["entered_on"].to_numpy().astype("datetime64[D]")[row]
    bought = panel.services.groupby("position")["start"].min().reindex(accounts.index)
    bought_on = bought.to_numpy().astype("datetime64[D]")[row]
    wait = days(noise.whole(0, 90, "people.met_at_start", key[row], slot))
    early = np.isin(slot, (_SPONSOR, _ADMIN))
    known_on = np.where(
        slot == _SPONSOR, entered, np.where(early, entered + wait // 3, bought_on + wait)
    )
    return pd.DataFrame(
        {
            "position": row,
            "key": key[row],
            "slot": slot,
            "level_no": level,
            "start": entered - days(noise.whole(60, 2400, "people.before", key[row], slot)),
            "known_on": known_on,
        }
    )


def _later_slots(noise: Noise, panel: Panel) -> pd.DataFrame:
    """Seats met in the course of the relationship, at any time while it lasts."""
    accounts = panel.accounts[panel.accounts["is_customer"]]
    # Fifteen years hold more acquaintances than one: the count is for the whole window.
    count = accounts["segment"].map(_LATER_SLOTS).fillna(2).to_numpy(dtype=np.int64)
    row, k = spread(count)
    key = accounts["key"].to_numpy()[row]
    slot = k + 20
    offset = noise.whole(30, _LATER_WINDOW_DAYS, "people.later", key, slot)
    known = accounts["entered_on"].to_numpy().astype("datetime64[D]")[row] + days(offset)
    position = accounts.index.to_numpy()[row]
    kept = (known <= panel.horizon) & panel.serves(position, known)
    level = noise.pick([0.46, 0.34, 0.20], "people.later_level", key, slot)
    slots = pd.DataFrame(
        {
            "position": position,
            "key": key,
            "slot": slot,
            "level_no": level,
            "start": known - days(noise.whole(10, 1500, "people.later_before", key, slot)),
            "known_on": known,
        }
    )
    return only(slots, kept)


def _by_segment(
    noise: Noise, purpose: str, weights: dict[str, list[float]], segment: pd.Series, *keys: Any
) -> I64:
    drawn = np.ones(len(segment), dtype=np.int64)
    for name, mixture in weights.items():
        drawn = np.where(segment.to_numpy() == name, noise.pick(mixture, purpose, *keys), drawn)
    return drawn


def _moved_inside(noise: Noise, spells: pd.DataFrame) -> pd.DataFrame:
    """A champion who stays at the company in another job: same person, same record, no role."""
    moved = spells[
        (spells["slot"] == _CHAMPION) & ~spells["leaves_company"] & (spells["end"] < FAR)
    ].copy()
    key = moved["contact_key"].to_numpy()
    start = moved["end"].to_numpy().astype("datetime64[D]")
    return moved.assign(
        slot=40,
        roles="user",
        start=start,
        known_on=start,
        leaves_company=True,
        end=start + days(60 + noise.exponential(_MEAN_SPELL_DAYS, "people.inside", key)),
        is_continuation=True,
        is_same_record=True,
        former_key=np.uint64(0),
    )


def _with_movers(noise: Noise, panel: Panel, spells: pd.DataFrame) -> pd.DataFrame:
    """Follow leavers to their next employer where that is a customer, twice if need be."""
    leavers = spells
    for wave in range(2):
        gone = leavers[leavers["leaves_company"] & (leavers["end"] <= panel.horizon)]
        key = gone["person_key"].to_numpy()
        found = noise.chance(_FOUND_AGAIN_SHARE, "people.found_again", key, wave)
        arrivals = _arrivals(noise, panel, gone[found], wave)
        if wave == 0:
            arrivals = pd.concat(
                [arrivals, _alumni_deals(noise, panel, gone[~found])], ignore_index=True
            )
        spells = pd.concat([spells, arrivals], ignore_index=True)
        leavers = arrivals
    return spells


def _arrivals(noise: Noise, panel: Panel, gone: pd.DataFrame, wave: int) -> pd.DataFrame:
    """Arrivals of leavers at a customer drawn among those in service in the month of arrival."""
    key = gone["person_key"].to_numpy()
    start = gone["end"].to_numpy().astype("datetime64[D]") + days(
        noise.whole(10, 100, "people.gap", key, wave)
    )
    target = panel.customer_at(start, noise.uniform("people.destination", key, wave))
    kept = panel.serves(target, start) & (target != gone["position"].to_numpy())
    return _next_spell(noise, gone[kept], target[kept], start[kept], 60 + wave)


def _alumni_deals(noise: Noise, panel: Panel, lost_sight: pd.DataFrame) -> pd.DataFrame:
    """Accounts won through a former contact: someone who left a customer within 18 months before.

    Month by month, because nobody can bring the product to two employers at once.
    """
    accounts = panel.accounts
    led = accounts[accounts["acquisition_origin"] == "alumni_led"]
    entered = led["entered_on"].to_numpy().astype("datetime64[D]")
    month = entered.astype("datetime64[M]")
    ended = lost_sight["end"].to_numpy().astype("datetime64[D]")
    free = np.ones(len(lost_sight), dtype=bool)
    rows: list[I64] = []
    positions: list[I64] = []
    for first in np.unique(month):
        wanted = np.flatnonzero(month == first)
        day = first.astype("datetime64[D]")
        pool = np.flatnonzero(
            free
            & (ended > day - np.timedelta64(540, "D"))
            & (ended < day - np.timedelta64(14, "D"))
        )
        order = np.argsort(
            noise.bits(
                "people.alumni",
                lost_sight["person_key"].to_numpy()[pool],
                int(first.astype(np.int64)),
            )
        )
        taken = pool[order[: wanted.size]]
        free[taken] = False
        rows.append(taken)
        positions.append(led.index.to_numpy()[wanted[: taken.size]])
    if not rows:
        return lost_sight.head(0)
    chosen = np.concatenate(rows)
    target = np.concatenate(positions)
    start = accounts["entered_on"].to_numpy().astype("datetime64[D]")[target]
    came = lost_sight.iloc[chosen]
    return _next_spell(
        noise,
        came,
        target,
        start - days(noise.whole(1, 13, "people.alumni_start", came["person_key"].to_numpy())),
        _LED_HERE,
    )


def _next_spell(
    noise: Noise, left: pd.DataFrame, target: I64, start: Days, slot: int
) -> pd.DataFrame:
    """A leaver's spell at the next employer, as the same record moved or as a new record."""
    key = left["person_key"].to_numpy()
    level = (
        pd.Series(left["level"].to_numpy())
        .map({name: number for number, name in enumerate(LEVELS)})
        .to_numpy(dtype=np.int64)
    )
    level = np.minimum(level + noise.chance(0.34, "people.promoted_by_move", key, slot), 2)
    same = noise.chance(0.45, "people.same_record", key, slot)
    linked = noise.chance(0.86, "people.former_noted", key, slot)
    old_key = left["contact_key"].to_numpy()
    return pd.DataFrame(
        {
            "position": target,
            "slot": slot,
            "generation": 0,
            "contact_key": np.where(same, old_key, fold(key, slot, 1)),
            "level": LEVELS[level],
            "roles": np.where(slot == _LED_HERE, "champion", "user"),
            "start": start,
            "known_on": start + days(noise.whole(5, 45, "people.move_known", key, slot)),
            "end": start
            + days(30 + noise.exponential(_MEAN_SPELL_DAYS, "people.spell", key, slot)),
            "leaves_company": True,
            "person_key": key,
            "is_continuation": True,
            "is_same_record": same,
            "former_key": np.where(same | ~linked, np.uint64(0), old_key),
        }
    )


def _named(noise: Noise, panel: Panel, spells: pd.DataFrame) -> pd.DataFrame:
    """Names, titles, mail addresses and ids; clips record dates to what can be."""
    person = spells["person_key"].to_numpy()
    record = spells["contact_key"].to_numpy()
    first_no = names.first_name_numbers(noise, person)
    last_no = names.surname_numbers(noise, person)
    first, last = names.FORMAL[first_no].copy(), names.SURNAMES[last_no].copy()
    retyped = spells["is_continuation"].to_numpy() & ~spells["is_same_record"].to_numpy()
    first[retyped], last[retyped] = names.variants(
        noise, record[retyped], first_no[retyped], last_no[retyped]
    )
    position = spells["position"].to_numpy()
    spells = spells.assign(
        first_name=first,
        last_name=last,
        account_id=panel.at("account_id", position),
        title=_titles(noise, spells["level"], record, spells["slot"].to_numpy()),
        contact_id=record_ids("003", record),
        person_id=plain_ids("person_", person),
        former_contact_id=np.where(
            spells["former_key"] == 0, "", record_ids("003", spells["former_key"].to_numpy())
        ),
        # Someone the CRM never met before leaving stays unknown.
        start=dates(spells["start"]),
        known_on=dates(spells["known_on"]),
        end=np.asarray(spells["end"], dtype="datetime64[D]").astype("datetime64[s]"),
        is_duplicate=False,
        duplicate_of="",
    )
    spells = spells[
        (spells["known_on"].to_numpy() < spells["end"].to_numpy())
        & (spells["known_on"].to_numpy() <= panel.horizon)
    ]
    spells = _chains_whole(spells)
    spells = spells.sort_values(["known_on", "contact_id"], kind="stable").reset_index(drop=True)
    return spells.assign(email=_emails(noise, panel, spells))


def _chains_whole(spells: pd.DataFrame) -> pd.DataFrame:
    """Drop moves of a record that was itself dropped, so that every record begins once."""
    begun = spells.loc[~spells["is_same_record"], "contact_key"]
    return spells[~spells["is_same_record"] | spells["contact_key"].isin(begun)]


def _emails(noise: Noise, panel: Panel, spells: pd.DataFrame) -> npt.NDArray[np.object_]:
    position = spells["position"].to_numpy()
    style = noise.pick([0.7, 0.2, 0.1], "people.mail_style", panel.at("key", position))
    domain = panel.at("domain", position).astype(object)
    # The mailbox carries the name as the person spells it, not as somebody typed it.
    person = spells["person_key"].to_numpy()
    given = names.FORMAL[names.first_name_numbers(noise, person)]
    family = names.SURNAMES[names.surname_numbers(noise, person)]
    empty = np.full(len(spells), "", dtype=object)
    plain = pd.Series(names.addresses(given, family, domain, style, empty))
    frame = pd.DataFrame({"email": plain, "person": person})
    holder = frame.drop_duplicates(["email", "person"]).groupby("email").cumcount()
    number = holder.reindex(frame.index).fillna(0).astype(int)
    suffix = np.where(number > 0, (number + 1).astype(str), "").astype(object)
    return names.addresses(given, family, domain, style, suffix)


def _titles(noise: Noise, level: pd.Series, key: U64, salt: Any) -> npt.NDArray[np.object_]:
    title = np.full(len(level), "", dtype=object)
    for name, options in _TITLES.items():
        drawn = noise.choose(options, [1] * len(options), "people.title", key, salt)
        title = np.where(level.to_numpy() == name, drawn, title)
    return title


def _with_duplicates(
    noise: Noise, panel: Panel, spells: pd.DataFrame, share: float
) -> pd.DataFrame:
    """People entered a second time at the same account, some of them merged later."""
    spells = spells.assign(merged_on=FAR.astype("datetime64[s]"))
    first_key = spells["contact_key"].to_numpy()
    chosen = noise.chance(share, "people.duplicate", first_key)
    twice = only(spells, chosen & ~spells["is_same_record"].to_numpy())
    key = twice["contact_key"].to_numpy()
    record = fold(key, 77)
    known = twice["known_on"].to_numpy().astype("datetime64[D]") + days(
        noise.whole(5, 500, "people.duplicate_on", key)
    )
    person = twice["person_key"].to_numpy()
    first, last = names.variants(
        noise, record, names.first_name_numbers(noise, person), names.surname_numbers(noise, person)
    )
    merged = noise.chance(0.35, "people.duplicate_merged", key)
    merged_on = np.where(
        merged, known + days(noise.whole(20, 700, "people.duplicate_merged_on", key)), FAR
    )
    same_mail = noise.pick([0.62, 0.23, 0.15], "people.duplicate_mail", key)
    mail = twice["email"].to_numpy(dtype=object)
    tagged = np.asarray([address.replace("@", "+crm@") for address in mail], dtype=object)
    upper = np.asarray([address.title() for address in mail], dtype=object)
    copies = twice.assign(
        contact_key=record,
        contact_id=record_ids("003", record),
        known_on=dates(known),
        first_name=first,
        last_name=last,
        roles="user",
        former_contact_id="",
        email=np.where(same_mail == 0, mail, np.where(same_mail == 1, upper, tagged)),
        is_duplicate=True,
        duplicate_of=twice["contact_id"],
        merged_on=merged_on.astype("datetime64[s]"),
        is_continuation=False,
    )
    real = (known < twice["end"].to_numpy().astype("datetime64[D]")) & (known <= panel.horizon)
    both = pd.concat([spells, only(copies, real)], ignore_index=True)
    return both.sort_values(["known_on", "contact_id"], kind="stable", ignore_index=True)


def _contact_versions(noise: Noise, panel: Panel, spells: pd.DataFrame) -> pd.DataFrame:
    """What the CRM said about each contact, version by version.

    Every change is a sparse row (an untouched field is missing); filling down per contact in order
    of time gives whole versions. The empty text stands for a field that was cleared.
    """
    key = spells["contact_key"].to_numpy()
    slot = spells["slot"].to_numpy()
    known = spells["known_on"].to_numpy().astype("datetime64[us]") + hours(
        7 + 10 * noise.uniform("people.known_hour", key, slot)
    )
    begins = ~spells["is_same_record"].to_numpy() | spells["is_duplicate"].to_numpy()
    consent = noise.choose(
        ["consent", "legitimate_interest", "contract", "none"],
        [0.46, 0.34, 0.14, 0.06],
        "people.consent",
        key,
    )
    arrived = pd.DataFrame(
        {
            "contact_id": spells["contact_id"],
            "version_at": known,
            "account_id": spells["account_id"],
            "first_name": spells["first_name"],
            "last_name": spells["last_name"],
            "email": spells["email"],
            "title": spells["title"],
            "level": spells["level"],
            "roles": spells["roles"],
            "consent_basis": np.where(begins, consent, None),
            "departure_terms": "",
            "left_on": "",
            "former_contact_id": spells["former_contact_id"],
            "is_email_opted_out": either(begins, False, None),
            "is_deleted": either(begins, False, None),
            "is_erased": either(begins, False, None),
            "merged_into_contact_id": either(begins, "", None),
        }
    )
    # A record that moved keeps its names as first typed.
    arrived.loc[~begins, ["first_name", "last_name", "former_contact_id"]] = None
    changes = [
        arrived,
        _departures(noise, panel, spells),
        _promotions(noise, spells),
        _opt_outs(noise, spells),
        _merged(spells),
        _erasure_changes(panel, noise, spells),
    ]
    versions = pd.concat([part for part in changes if not part.empty], ignore_index=True)
    return _filled(versions, arrived[begins], panel.horizon)


def _filled(changes: pd.DataFrame, begun: pd.DataFrame, horizon: np.datetime64) -> pd.DataFrame:
    created = begun.groupby("contact_id")["version_at"].min()
    changes = changes.assign(
        version_at=utc(changes["version_at"].to_numpy()),
        created_at=utc(changes["contact_id"].map(created).to_numpy()),
    )
    changes = changes[changes["version_at"] >= changes["created_at"]]
    changes = changes.sort_values(["contact_id", "version_at"], kind="stable")
    filled = changes.groupby("contact_id", sort=False).ffill()
    filled.insert(0, "contact_id", changes["contact_id"])
    filled = filled.drop_duplicates(["contact_id", "version_at"], keep="last")
    # Nothing happens to a record after it is gone.
    gone = filled["is_deleted"].astype(bool)
    filled = filled[~gone | ~gone.groupby(filled["contact_id"]).shift(fill_value=False)]
    texts = filled.select_dtypes(exclude=["datetime", "datetimetz", "bool"]).columns
    filled[texts] = filled[texts].replace("", None)
    for flag in ("is_email_opted_out", "is_deleted", "is_erased"):
        filled[flag] = filled[flag].astype(bool)
    for name in texts.difference(["is_email_opted_out", "is_deleted", "is_erased", "left_on"]):
        filled[name] = filled[name].astype("str")
    filled["left_on"] = pd.to_datetime(filled["left_on"]).astype("datetime64[s]")
    return happened(filled, "version_at", horizon)


def _departures(noise: Noise, panel: Panel, spells: pd.DataFrame) -> pd.DataFrame:
    """The CRM hears of a leaver after days, less often where nobody looks any more."""
    key = spells["contact_key"].to_numpy()
    slot = spells["slot"].to_numpy()
    end = spells["end"].to_numpy().astype("datetime64[D]")
    looked_after = panel.serves(spells["position"].to_numpy(), end)
    share = np.where(spells["is_duplicate"], 0.3, np.where(looked_after, 0.94, 0.3))
    heard = (
        spells["leaves_company"].to_numpy(dtype=bool)
        & (end <= panel.horizon)
        & noise.chance(share, "people.departure_heard", key, slot)
    )
    delay = np.minimum(0.5 + noise.exponential(11.0, "people.departure_lag", key, slot), 75)
    terms = noise.choose(["good", "neutral", "bad"], [0.55, 0.38, 0.07], "people.terms", key, slot)
    return pd.DataFrame(
        {
            "contact_id": spells["contact_id"],
            "version_at": end.astype("datetime64[us]") + hours(24 * delay + 9),
            "roles": "",
            "departure_terms": terms,
            "left_on": end.astype(str),
        }
    )[heard]


def _promoted_on(noise: Noise, spells: pd.DataFrame) -> Days:
    """Day of the promotion within the spell; FAR without one."""
    key, slot = spells["contact_key"].to_numpy(), spells["slot"].to_numpy()
    day = spells["known_on"].to_numpy().astype("datetime64[D]") + days(
        60 + noise.exponential(_MEAN_PROMOTION_DAYS, "people.promotion", key, slot)
    )
    can = (
        (spells["level"].to_numpy() != "director_plus")
        & ~spells["is_duplicate"].to_numpy()
        & (day < spells["end"].to_numpy().astype("datetime64[D]"))
    )
    return np.asarray(np.where(can, day, FAR), dtype="datetime64[D]")


def _raised(noise: Noise, spells: pd.DataFrame) -> tuple[pd.Series[Any], npt.NDArray[np.object_]]:
    """Level and title after a promotion."""
    level = spells["level"].map({"end_user": "manager"}).fillna("director_plus")
    return level, _titles(
        noise, level, spells["contact_key"].to_numpy(), spells["slot"].to_numpy() + 500
    )


def _promotions(noise: Noise, spells: pd.DataFrame) -> pd.DataFrame:
    day = _promoted_on(noise, spells)
    key, slot = spells["contact_key"].to_numpy(), spells["slot"].to_numpy()
    level, title = _raised(noise, spells)
    lag = 24 * noise.exponential(15.0, "people.promotion_lag", key, slot) + 10
    return pd.DataFrame(
        {
            "contact_id": spells["contact_id"],
            "version_at": day.astype("datetime64[us]") + hours(lag),
            "level": level,
            "title": title,
        }
    )[day < FAR]


def _opt_outs(noise: Noise, spells: pd.DataFrame) -> pd.DataFrame:
    key = spells["contact_key"].to_numpy()
    at = spells["known_on"].to_numpy().astype("datetime64[us]") + hours(
        24 * noise.exponential(700.0, "people.opt_out_on", key) + 15
    )
    chosen = noise.chance(0.10, "people.opt_out", key) & ~spells["is_same_record"].to_numpy()
    refused = pd.DataFrame(
        {"contact_id": spells["contact_id"], "version_at": at, "is_email_opted_out": True}
    )
    return only(refused, chosen)


def _merged(spells: pd.DataFrame) -> pd.DataFrame:
    merged_on = spells["merged_on"].to_numpy().astype("datetime64[D]")
    return pd.DataFrame(
        {
            "contact_id": spells["contact_id"],
            "version_at": merged_on.astype("datetime64[us]") + hours(11),
            "is_deleted": True,
            "merged_into_contact_id": spells["duplicate_of"],
        }
    )[merged_on < FAR]


def _erased_on(noise: Noise, spells: pd.DataFrame) -> Days:
    """Day on which a person asked to be erased; FAR for nearly everyone."""
    key = spells["person_key"].to_numpy()
    asks = noise.chance(0.012, "people.erasure", key)
    born = spells.groupby("person_key")["known_on"].transform("min").to_numpy()
    day = born.astype("datetime64[D]") + days(
        90 + noise.exponential(900.0, "people.erasure_on", key)
    )
    return np.asarray(np.where(asks, day, FAR), dtype="datetime64[D]")


def _erasure_changes(panel: Panel, noise: Noise, spells: pd.DataFrame) -> pd.DataFrame:
    """Ten days after the request the record is deleted for good, with what it said."""
    day = _erased_on(noise, spells)
    return pd.DataFrame(
        {
            "contact_id": spells["contact_id"],
            "version_at": (day + np.timedelta64(10, "D")).astype("datetime64[us]") + hours(12),
            "first_name": "",
            "last_name": "",
            "email": "",
            "title": "",
            "is_deleted": True,
            "is_erased": True,
        }
    )[(day < FAR) & (day <= panel.horizon)]


def _erasures(noise: Noise, panel: Panel, spells: pd.DataFrame) -> pd.DataFrame:
    day = _erased_on(noise, spells)
    requests = pd.DataFrame(
        {
            "contact_id": spells["contact_id"],
            "person_id": spells["person_id"],
            "requested_at": utc(day.astype("datetime64[us]") + hours(9)),
            "erased_at": utc((day + np.timedelta64(10, "D")).astype("datetime64[us]") + hours(12)),
        }
    )[(day < FAR) & (spells["known_on"].to_numpy().astype("datetime64[D]") <= day)]
    return happened(requests.drop_duplicates("contact_id"), "erased_at", panel.horizon)


def _employments(noise: Noise, panel: Panel, spells: pd.DataFrame) -> pd.DataFrame:
    """Truth of who held which job where: one row per contact, employer and level."""
    real = spells[~spells["is_duplicate"]]
    day = _promoted_on(noise, real)
    end = real["end"].to_numpy().astype("datetime64[D]")
    level, title = _raised(noise, real)
    base = pd.DataFrame(
        {
            "contact_id": real["contact_id"],
            "person_id": real["person_id"],
            "account_id": real["account_id"],
            "title": real["title"],
            "level": real["level"],
            "roles": real["roles"],
            "started_on": dates(real["start"]).to_numpy(),
            "ended_on": dates(np.minimum(end, day)).to_numpy(),
            "known_at": utc(real["known_on"].to_numpy()).to_numpy(),
            "key": fold(real["contact_key"].to_numpy(), real["slot"].to_numpy()),
        }
    )
    after = base.assign(
        title=title,
        level=level.to_numpy(),
        started_on=dates(day).to_numpy(),
        ended_on=dates(end).to_numpy(),
        known_at=utc(day).to_numpy(),
        key=fold(base["key"].to_numpy(), 1),
    )[day < FAR]
    rows = pd.concat([base, after], ignore_index=True)
    rows.insert(0, "employment_id", plain_ids("emp_", rows.pop("key").to_numpy()))
    later = rows["ended_on"].to_numpy().astype("datetime64[D]") > panel.horizon
    rows.loc[later, "ended_on"] = pd.NaT
    return happened(rows, "known_at", panel.horizon)


def pick_people(
    noise: Noise,
    purpose: str,
    spells: pd.DataFrame,
    position: I64,
    day: Days,
    key: U64,
    level: npt.NDArray[np.object_] | None = None,
) -> pd.Series[Any]:
    """Row of `spells` of somebody who works at the account on the day and is known by then.

    Args:
        noise: draws of the world.
        purpose: what the pick is for.
        spells: as drawn by `add_people`.
        position: account row per occasion.
        day: day per occasion.
        key: 64-bit key per occasion.
        level: wanted level per occasion; None or the empty text takes anyone.

    Returns:
        Row numbers of `spells`, indexed by occasion; occasions without a candidate are missing.
    """
    single = np.flatnonzero(~spells["is_duplicate"].to_numpy())
    order = single[np.argsort(spells["position"].to_numpy()[single], kind="stable")]
    at = spells["position"].to_numpy()[order]
    known_on = spells["known_on"].to_numpy().astype("datetime64[D]")
    end = spells["end"].to_numpy().astype("datetime64[D]")
    has, wanted = _level_numbers(spells["level"].to_numpy(dtype=object)), None
    if level is not None:
        wanted = _level_numbers(level)
    contact = spells["contact_key"].to_numpy()
    low = np.searchsorted(at, position, side="left")
    high = np.searchsorted(at, position, side="right")
    picked: list[pd.Series[Any]] = []
    # In blocks, because every occasion is paired with everyone ever known at the account.
    for begin in range(0, position.size, 200_000):
        block = slice(begin, begin + 200_000)
        occasion, k = spread(high[block] - low[block])
        rows = order[low[block][occasion] + k]
        when = day[block][occasion]
        fits = (known_on[rows] <= when) & (end[rows] > when)
        if wanted is not None:
            asked = wanted[block][occasion]
            fits &= (asked < 0) | (has[rows] == asked)
        rows, occasion = rows[fits], occasion[fits]
        rank = noise.bits(purpose, key[block][occasion], contact[rows])
        best = np.lexsort((rank, occasion))
        first = np.r_[True, occasion[best][1:] != occasion[best][:-1]][: best.size]
        chosen = best[first]
        picked.append(pd.Series(rows[chosen], index=occasion[chosen] + begin))
    return pd.concat(picked) if picked else pd.Series([], dtype="int64")


def _level_numbers(level: npt.NDArray[np.object_]) -> I64:
    """Position of each level in LEVELS; -1 for the empty text."""
    number = np.full(level.size, -1, dtype=np.int64)
    for place, name in enumerate(LEVELS):
        number[level == name] = place
    return number


def _opportunity_contacts(
    noise: Noise, panel: Panel, spells: pd.DataFrame, opportunities: pd.DataFrame
) -> pd.DataFrame:
    """Who takes part in each deal: the executive, a manager, a user, and who brought us along."""
    first = opportunities.sort_values("version_at", kind="stable").drop_duplicates("opportunity_id")
    accounts = pd.Series(panel.accounts.index, index=panel.accounts["account_id"])
    position = first["account_id"].map(accounts).to_numpy(dtype=np.int64)
    # People are entered with the account; a deal opened on that very day finds them by evening.
    created = naive(first["created_at"]).astype("datetime64[D]")
    day = np.maximum(created, panel.at("entered_on", position).astype("datetime64[D]"))
    key = key_of(first["opportunity_id"])
    parts = []
    for number, (role, level, share) in enumerate(
        [
            ("Economic Buyer", "director_plus", 0.8),
            ("Champion", "manager", 0.75),
            ("Evaluator", "end_user", 0.35),
            ("Decision Maker", "director_plus", 0.25),
        ]
    ):
        chosen = noise.chance(share, "people.deal_role", key, number)
        people = pick_people(
            noise,
            "people.deal",
            spells,
            position[chosen],
            day[chosen],
            fold(key[chosen], number // 3),
            np.full(int(chosen.sum()), level, dtype=object),
        )
        deal = np.flatnonzero(chosen)[people.index.to_numpy()]
        parts.append(
            pd.DataFrame(
                {
                    "opportunity_id": first["opportunity_id"].to_numpy()[deal],
                    "contact_id": spells["contact_id"].to_numpy()[people.to_numpy()],
                    "role": role,
                    "is_primary": number == 0,
                    "known_at": utc(
                        naive(first["created_at"])[deal]
                        + hours(24 * noise.exponential(4.0, "people.deal_known", key[deal], number))
                    ),
                }
            )
        )
    parts.append(_brought_along(spells, first))
    roles = pd.concat(parts, ignore_index=True).drop_duplicates(["opportunity_id", "contact_id"])
    roles.insert(
        0,
        "opportunity_contact_id",
        record_ids("00K", fold(key_of(roles["opportunity_id"]), key_of(roles["contact_id"]))),
    )
    return happened(roles, "known_at", panel.horizon)


def _brought_along(spells: pd.DataFrame, deals: pd.DataFrame) -> pd.DataFrame:
    """Former users who led their employer to us stand on its first deal, once they are known."""
    led = spells[(spells["slot"] == _LED_HERE) & ~spells["is_duplicate"]]
    new = deals[deals["opportunity_type"] == "new_business"].sort_values(
        ["created_at", "opportunity_id"], kind="stable"
    )
    both = led[["contact_id", "account_id", "known_on"]].merge(
        new.drop_duplicates("account_id")[["opportunity_id", "account_id", "created_at"]],
        on="account_id",
    )
    known = both["known_on"].to_numpy().astype("datetime64[us]") + hours(18)
    return pd.DataFrame(
        {
            "opportunity_id": both["opportunity_id"],
            "contact_id": both["contact_id"],
            "role": "Champion",
            "is_primary": False,
            "known_at": utc(np.maximum(known, naive(both["created_at"]))),
        }
    )
