"""Words of the fields that a company keeps in whichever system it uses, so that each has one list.

Belongs here: vocabularies that several sources' tables share. Must not be here: a vendor's own.
"""

from __future__ import annotations

SEGMENTS = ("SMB", "mid-market", "enterprise")
ORIGINS = ("new_prospect", "alumni_led", "boomerang", "lost_deal", "rip_and_replace")
LEVELS = ("end_user", "manager", "director_plus")
CONSENT_BASES = ("consent", "contract", "legitimate_interest", "none")
DEPARTURE_TERMS = ("good", "neutral", "bad")
FUNCTIONS = ("sales", "cs", "support", "marketing", "product", "engineering", "executive")
