"""Word lists behind invented companies and people.

Belongs here: lists and the rule that turns numbers into names. Must not be here: any real company or person.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Strings = NDArray[np.object_]

_FIRST = (
    "Alder Amber Anchor Apex Arbor Ardent Aspen Atlas Aurora Basalt Beacon Birch Bluewater Boreal Bright "
    "Cascade Cedar Cinder Clear Cobalt Copper Coral Crest Crown Delta Dune Eastern Echo Elm Ember "
    "Evergreen Falcon Fern Flint Forge Frontier Garnet Glacier Granite Harbor Hazel Heron Highland "
    "Indigo Iron Ivory Juniper Keystone Lantern Laurel Linden Lumen Magnet Maple Meridian Mosaic Nimbus "
    "Noble Northern Oak Onyx Opal Orchard Osprey Pacific Palisade"
).split()
_SECOND = (
    "Analytics Bakeries Banking Biotech Builders Capital Ceramics Chemicals Clinics Components Couriers Dairy "
    "Design Devices Diagnostics Dynamics Education Electric Energy Engines Fabrics Farms Fibers Foods "
    "Freight Furniture Games Gardens Glass Goods Health Hotels Industries Instruments Insurance Labs "
    "Learning Lending Lighting Logistics Machines Marine Materials Media Metals Mobility Motors Networks "
    "Optics Outfitters Packaging Paper Partners Pharma Plastics Power Press Publishing Rail Robotics Shipping"
).split()
_SUFFIX = {"Inc": "Inc.", "GmbH": "GmbH", "Ltd": "Ltd", "KK": "K.K."}
_GIVEN = (
    "Ada Aiko Alan Amara Anna Ben Boris Carla Chen Clara Dario Diana Elif Emil Eva Farid Fiona Gita Greta Hana "
    "Hugo Ines Ivan Jade Jonas Kaito Karin Lars Leila Lin Lucas Maya Mia Milan Nadia Nils Noor Olga Omar Petra "
    "Priya Quinn Rafael Rosa Sami Sara Sven Tara Theo Uma Vera Viktor Wanda Yara Yuki Zoe"
).split()
_FAMILY = (
    "Abbott Aoki Baker Becker Berg Blanc Bose Brandt Chavez Costa Dahl Diaz Dubois Eriksen Fischer Fontaine Garcia "
    "Gupta Haas Hansen Hughes Ito Ivanov Jensen Kaya Keller Khan Kim Kowalski Lang Larsen Lopez Marino Meyer "
    "Mori Moreau Nair Novak Okafor Olsen Park Patel Perez Petrov Rao Reid Rossi Sato Schmidt Silva Singh Stone "
    "Tanaka Torres Vogel Wagner Walsh Weber Yilmaz Young Zhang"
).split()


def company_names(index: NDArray[np.int64], currency: Strings) -> tuple[Strings, Strings]:
    """Name and domain of each company; domains are unique, names nearly so.

    The index runs through all pairs of words in a scattered order; past the last pair a number is added.
    """
    pairs = len(_FIRST) * len(_SECOND)
    # 1009 is prime to the number of pairs, so every pair comes once in each round.
    place = (index * 1009) % pairs
    number = index // pairs
    first = np.array(_FIRST, dtype=object)[place // len(_SECOND)]
    second = np.array(_SECOND, dtype=object)[place % len(_SECOND)]
    tail = np.where(number > 0, (number + 1).astype(str).astype(object), "")
    spaced = np.where(number > 0, " " + tail, "")
    legal = {"USD": "Inc", "EUR": "GmbH", "GBP": "Ltd", "JPY": "KK"}
    suffix = np.array([_SUFFIX[legal[c]] for c in currency.tolist()], dtype=object)
    name = first + " " + second + spaced + " " + suffix
    slug = np.array([s.lower() for s in (first + second + tail).tolist()], dtype=object)
    ends = {"USD": ".com", "EUR": ".eu", "GBP": ".co.uk", "JPY": ".co.jp"}
    ending = np.array([ends[c] for c in currency.tolist()], dtype=object)
    return name, slug + ending


def people_names(given: Any, family: Any) -> tuple[Strings, Strings]:
    """Given and family names by number (taken modulo the lists' lengths)."""
    first = np.array(_GIVEN, dtype=object)[np.asarray(given) % len(_GIVEN)]
    last = np.array(_FAMILY, dtype=object)[np.asarray(family) % len(_FAMILY)]
    return first, last
