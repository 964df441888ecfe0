"""Names of people, and how the same person's name is written the second time.

Belongs here: pools of first names and surnames, nicknames, spelling variants, mail addresses.
Must not be here: who works where. No name is taken from a real person: surnames are put together
from syllables, so that nearly every full name in the sample company is unique.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sample_company.rng import I64, U64
from sample_company.world.noise import Noise

Texts = npt.NDArray[np.object_]

# First name, and the form under which the same person turns up elsewhere.
_FIRST = (
    "Alexander:Alex Andrew:Andy Anthony:Tony Benjamin:Ben Charles:Charlie Christopher:Chris "
    "Daniel:Dan David:Dave Edward:Ed Frederick:Fred Gregory:Greg Harold:Harry Jacob:Jake James:Jim "
    "Jeffrey:Jeff John:Jack Jonathan:Jon Joseph:Joe Joshua:Josh Kenneth:Ken Lawrence:Larry "
    "Leonard:Leo Matthew:Matt Michael:Mike Nathaniel:Nate Nicholas:Nick Patrick:Pat Peter:Pete "
    "Philip:Phil Raymond:Ray Richard:Rick Robert:Bob Ronald:Ron Samuel:Sam Stephen:Steve "
    "Theodore:Ted Thomas:Tom Timothy:Tim Victor:Vic Vincent:Vince William:Bill Zachary:Zach "
    "Abigail:Abby Alexandra:Sandra Amanda:Mandy Angela:Angie Barbara:Barb Beatrice:Bea "
    "Caroline:Carrie Catherine:Kate Christina:Tina Cynthia:Cindy Deborah:Debbie Dorothy:Dot "
    "Eleanor:Ellie Elizabeth:Liz Frances:Fran Gabrielle:Gabby Gwendolyn:Gwen Isabella:Bella "
    "Jacqueline:Jackie Jennifer:Jen Jessica:Jess Josephine:Josie Judith:Judy Katherine:Kathy "
    "Kimberly:Kim Lillian:Lily Louise:Lou Madeleine:Maddie Margaret:Maggie Melissa:Mel "
    "Nancy:Nan Natalie:Nat Pamela:Pam Patricia:Trish Penelope:Penny Rebecca:Becky Rosemary:Rose "
    "Samantha:Sam Stephanie:Steph Susan:Sue Theresa:Terry Valerie:Val Veronica:Ronnie "
    "Victoria:Vicky Vivian:Viv Yvonne:Yvie Aiko:Aiko Haruto:Haru Kenji:Ken Mei:Mei Ren:Ren "
    "Sakura:Saki Sofia:Sofie Lukas:Luke Matthias:Matt Johanna:Hanna Katarina:Kat Mateo:Teo "
    "Francisco:Paco Guadalupe:Lupe Ignacio:Nacho Priya:Pri Rajesh:Raj Ananya:Anu Siddharth:Sid "
    "Fatima:Fatima Yusuf:Yusuf Ibrahim:Ibi Leila:Leila Olivier:Oli Genevieve:Gen Margaux:Margo"
)
_STEMS = (
    "Ald Ash Bar Bel Ber Bren Brom Cal Car Cres Dal Dan Del Dor Dun El Em Fair Far Fen Gal Gar "
    "Glen Gran Hal Har Hart Hol Hum Ing Jas Kel Ken Kir Lam Lan Lin Lock Lor Mal Mar Mel Mer Mil "
    "Mor Nor Oak Or Pem Pres Rad Ram Red Rin Ros Row San Sel Sher Stan Ster Tal Tor Tren Val Van "
    "Wal War Wes Whit Wil Win Wood Yar Zel Ostr Kov Nak Yama Taka Fuji Mats Iyer Rao Sund Okon"
)
_ENDINGS = (
    "ford ton ley field man son wick ham well wood ridge worth brook bury combe dale der don er "
    "ett gate grove hurst land low mann mere mond ner off oni oshi ova ovic quist ros rup sen ski "
    "stein strom thal tti vale vani velt ward"
)
FORMAL: Texts = np.asarray([pair.split(":")[0] for pair in _FIRST.split()], dtype=object)
FAMILIAR: Texts = np.asarray([pair.split(":")[1] for pair in _FIRST.split()], dtype=object)
SURNAMES: Texts = np.asarray(
    [stem + ending for stem in _STEMS.split() for ending in _ENDINGS.split()], dtype=object
)
_INITIALS: Texts = np.asarray(list("ABCDEFGHJKLMNPRSTW"), dtype=object)
_ACCENTS = str.maketrans({"o": "ö", "e": "é"})
_PLAIN = str.maketrans({"ö": "o", "é": "e"})


def first_name_numbers(noise: Noise, person_key: U64) -> I64:
    """Index into FORMAL and FAMILIAR of each person."""
    return noise.whole(0, FORMAL.size - 1, "people.first_name", person_key)


def surname_numbers(noise: Noise, person_key: U64) -> I64:
    """Index into SURNAMES of each person."""
    return noise.whole(0, SURNAMES.size - 1, "people.surname", person_key)


def variants(noise: Noise, record_key: U64, first: I64, last: I64) -> tuple[Texts, Texts]:
    """First and last name as somebody else types them: nickname, initial, accent or unchanged."""
    kind = noise.pick([0.34, 0.40, 0.14, 0.12], "people.name_variant", record_key)
    given, family = FORMAL[first], SURNAMES[last]
    nick, initial, accent = kind == 1, kind == 2, kind == 3
    given[nick] = FAMILIAR[first[nick]]
    letter = _INITIALS[noise.whole(0, _INITIALS.size - 1, "people.middle_initial", record_key)]
    given[initial] = given[initial] + " " + letter[initial] + "."
    family[accent] = [name[0] + name[1:].translate(_ACCENTS) for name in family[accent]]
    return given, family


def addresses(first: Texts, last: Texts, domain: Texts, style: I64, suffix: Texts) -> Texts:
    """Work mail addresses in the employer's style (0: first.last, 1: flast, 2: first_last).

    The suffix ('' or a digit) keeps two people of one employer with one name apart.
    """
    given = np.asarray([name.split(" ")[0].lower() for name in first], dtype=object)
    family = np.asarray([name.lower().translate(_PLAIN) for name in last], dtype=object)
    initials = np.asarray([name[0] for name in given], dtype=object)
    local = np.select(
        [style == 0, style == 1], [given + "." + family, initials + family], given + "_" + family
    )
    result: Texts = local + suffix + "@" + domain
    return result
