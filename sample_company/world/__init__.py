"""The simulated world, on columns.

Belongs here: what happened (accounts, people, contracts, money, usage) and its truth. Must not be
here: how a vendor's API presents it (that is `sample_company.servers`).
"""

from sample_company.world.build import World, build_world
from sample_company.world.config import WorldConfig

__all__ = ["World", "WorldConfig", "build_world"]
