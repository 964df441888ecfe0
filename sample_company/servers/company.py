"""All of the company's servers together, and the settings a reader of them needs.

Belongs here: starting and stopping the services over one set of tables and one clock. Does not
belong here: protocols, processes, files.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Literal

import pandas as pd

from sample_company.servers.drift import Drifts
from sample_company.servers.faults import Faults
from sample_company.servers.http import Server
from sample_company.servers.hubspot import HubSpotService, HubSpotSettings
from sample_company.servers.hubspot_objects import Portal
from sample_company.servers.now import Clock, today_midnight
from sample_company.servers.salesforce import SalesforceService, SalesforceSettings
from sample_company.servers.salesforce_objects import Catalogue
from sample_company.servers.stripe import StripeService, StripeSettings
from sample_company.servers.stripe_objects import StripeData

Crm = Literal["salesforce", "hubspot"]


class CompanyServers:
    """Stripe and the CRM of one world, each on its own loopback port."""

    def __init__(
        self,
        tables: Mapping[str, pd.DataFrame],
        clock: Clock = today_midnight,
        *,
        stripe: StripeSettings | None = None,
        salesforce: SalesforceSettings | None = None,
        hubspot: HubSpotSettings | None = None,
        crm: Crm = "salesforce",
        ports: tuple[int, int] = (0, 0),
    ) -> None:
        """Makes the servers, which do not listen yet.

        Args:
            tables: the world's tables, with ids of the CRM that is served (see `hubspot_ids`).
            clock: what time it is in the company.
            stripe: how Stripe behaves.
            salesforce: how Salesforce behaves, if it is the CRM.
            hubspot: how HubSpot behaves, if it is the CRM.
            crm: which CRM the company has; it has one.
            ports: of Stripe and of the CRM; 0 for any.
        """
        self.faults = Faults()
        self.drift = Drifts()
        stripe = stripe or StripeSettings()
        self.stripe_service = StripeService(StripeData(tables, stripe.api_version), clock, stripe)
        self.crm_service: SalesforceService | HubSpotService
        if crm == "hubspot":
            self.crm_service = HubSpotService(
                Portal.of(tables), clock, hubspot, lambda: self.crm.url
            )
        else:
            self.crm_service = SalesforceService(
                Catalogue.of(tables), clock, salesforce, lambda: self.crm.url
            )
        self.stripe = Server(self.stripe_service, self.faults, self.drift, port=ports[0])
        self.crm = Server(self.crm_service, self.faults, self.drift, port=ports[1])

    def __enter__(self) -> CompanyServers:
        self.stripe.start()
        self.crm.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda server: server.stop(), (self.stripe, self.crm)))

    @property
    def salesforce(self) -> Server:
        """The Salesforce server of a company whose CRM it is."""
        if self.crm_service.name != "salesforce":
            raise AttributeError("this company has HubSpot as its CRM")
        return self.crm

    @property
    def hubspot(self) -> Server:
        """The HubSpot server of a company whose CRM it is."""
        if self.crm_service.name != "hubspot":
            raise AttributeError("this company has Salesforce as its CRM")
        return self.crm

    @property
    def last_request_at(self) -> float:
        """When the newest request came, on the monotonic clock."""
        return max(self.stripe.last_request_at, self.crm.last_request_at)

    def env(self) -> dict[str, str]:
        """Settings that point a connector at these servers."""
        stripe = {
            "STRIPE_API_KEY": self.stripe_service.settings.api_key,
            "STRIPE_API_BASE": self.stripe.url,
        }
        if isinstance(self.crm_service, HubSpotService):
            return stripe | {
                "HUBSPOT_ACCESS_TOKEN": self.crm_service.settings.access_token,
                "HUBSPOT_API_URL": self.crm.url,
            }
        salesforce = self.crm_service.settings
        return stripe | {
            "SALESFORCE_LOGIN_URL": self.crm.url,
            "SALESFORCE_CLIENT_ID": salesforce.client_id,
            "SALESFORCE_CLIENT_SECRET": salesforce.client_secret,
        }
