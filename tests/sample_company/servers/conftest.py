"""The pocket company served in this process, and the vendors' own SDKs pointed at it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest
import requests
import stripe
from simple_salesforce import Salesforce

from sample_company.testing import Running, running
from tests.sample_company.servers import pocket


@pytest.fixture
def serve() -> Callable[..., AbstractContextManager[Running]]:
    """Serve the pocket company with other settings than usual."""
    world = pocket.world()

    def make(**settings: Any) -> AbstractContextManager[Running]:
        return running(world, **{"now": pocket.NOW, "event_days": 0, **settings})

    return make


@pytest.fixture
def company(serve: Callable[..., AbstractContextManager[Running]]) -> Iterator[Running]:
    with serve() as served:
        yield served


def stripe_sdk(company: Running, version: str | None = None, retries: int = 0) -> Any:
    return stripe.StripeClient(
        company["STRIPE_API_KEY"],
        base_addresses={"api": company["STRIPE_API_BASE"]},
        stripe_version=version,
        max_network_retries=retries,
    )


class _PlainHttp(requests.adapters.HTTPAdapter):
    """The Salesforce SDK insists on https; the company speaks http on the loopback interface."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self.port = port

    def send(self, request: requests.PreparedRequest, **more: Any) -> requests.Response:  # type: ignore[override]
        path = str(request.url).split("/", 3)[3]
        request.url = f"http://127.0.0.1:{self.port}/{path}"
        return super().send(request, **more)


def salesforce_sdk(company: Running) -> Salesforce:
    session = requests.Session()
    session.mount("https://", _PlainHttp(company.salesforce.port))
    return Salesforce(
        consumer_key=company["SALESFORCE_CLIENT_ID"],
        consumer_secret=company["SALESFORCE_CLIENT_SECRET"],
        domain="sample-company.my",
        session=session,
        version="62.0",
    )


class Rest:
    """Bare HTTP for what an SDK hides."""

    def __init__(self, company: Running) -> None:
        self.company = company
        self.session = requests.Session()

    def stripe(self, path: str, key: str | None = None, **headers: str) -> requests.Response:
        key = self.company["STRIPE_API_KEY"] if key is None else key
        return self.session.get(
            self.company["STRIPE_API_BASE"] + path,
            headers={"Authorization": f"Bearer {key}", **headers},
            timeout=10,
        )

    def token(self) -> str:
        answer = self.session.post(
            self.company["SALESFORCE_LOGIN_URL"] + "/services/oauth2/token",
            data={
                "grant_type": "client_credentials",
                "client_id": self.company["SALESFORCE_CLIENT_ID"],
                "client_secret": self.company["SALESFORCE_CLIENT_SECRET"],
            },
            timeout=10,
        )
        return str(answer.json()["access_token"])

    def salesforce(
        self, path: str, token: str, query: str | None = None, **headers: str
    ) -> requests.Response:
        return self.session.get(
            self.company["SALESFORCE_LOGIN_URL"] + path,
            params={"q": query} if query is not None else None,
            headers={"Authorization": f"Bearer {token}", **headers},
            timeout=10,
        )


@pytest.fixture
def rest(company: Running) -> Rest:
    return Rest(company)
