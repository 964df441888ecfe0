"""All of the company's servers together, and the settings a reader of them needs.

Belongs here: starting and stopping the services over one set of tables and one clock. Does not
belong here: protocols, processes, files.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType

import pandas as pd

from sample_company.servers.faults import Faults
from sample_company.servers.http import Server
from sample_company.servers.now import Clock, today_midnight
from sample_company.servers.salesforce import SalesforceService, SalesforceSettings
from sample_company.servers.salesforce_objects import Catalogue
from sample_company.servers.stripe import StripeService, StripeSettings
from sample_company.servers.stripe_objects import StripeData


class CompanyServers:
    """Stripe and Salesforce of one world, each on its own loopback port."""

    def __init__(
        self,
        tables: Mapping[str, pd.DataFrame],
        clock: Clock = today_midnight,
        *,
        stripe: StripeSettings | None = None,
        salesforce: SalesforceSettings | None = None,
        ports: tuple[int, int] = (0, 0),
    ) -> None:
        self.faults = Faults()
        stripe = stripe or StripeSettings()
        self.stripe_service = StripeService(StripeData(tables, stripe.api_version), clock, stripe)
        self.salesforce_service = SalesforceService(
            Catalogue.of(tables), clock, salesforce, lambda: self.salesforce.url
        )
        self.stripe = Server(self.stripe_service, self.faults, port=ports[0])
        self.salesforce = Server(self.salesforce_service, self.faults, port=ports[1])

    def __enter__(self) -> CompanyServers:
        self.stripe.start()
        self.salesforce.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda server: server.stop(), (self.stripe, self.salesforce)))

    @property
    def last_request_at(self) -> float:
        """When the newest request came, on the monotonic clock."""
        return max(self.stripe.last_request_at, self.salesforce.last_request_at)

    def env(self) -> dict[str, str]:
        """Settings that point a connector at these servers."""
        salesforce = self.salesforce_service.settings
        return {
            "STRIPE_API_KEY": self.stripe_service.settings.api_key,
            "STRIPE_API_BASE": self.stripe.url,
            "SALESFORCE_LOGIN_URL": self.salesforce.url,
            "SALESFORCE_CLIENT_ID": salesforce.client_id,
            "SALESFORCE_CLIENT_SECRET": salesforce.client_secret,
        }
