"""Salesforce's REST protocol: login, tokens, pages, quotas.

Belongs here: requests and how their refusals are told apart. Must not be here: what is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from ingestion.http import Answer, HttpError, Session
from ingestion.settings import SalesforceSettings, Settings

_QUOTA = "REQUEST_LIMIT_EXCEEDED"
_WAITS_FOR_SLOTS = 6


class QuotaReachedError(Exception):
    """The organisation's daily requests are used up, or the share of them we may use."""


@dataclass
class Client:
    """The API behind a token that is renewed when it expires.

    Attributes:
        settings: address and credentials.
        session: carries the requests.
        unknown_fields: object -> fields (lower case) that the organisation was found not to have.
    """

    settings: SalesforceSettings
    session: Session
    unknown_fields: dict[str, set[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, settings: Settings) -> Client:
        """A client that has not logged in yet."""
        given = settings.salesforce
        if given is None:
            raise ValueError("Salesforce is not configured; set SALESFORCE_LOGIN_URL.")
        secrets = (given.client_id.get_secret_value(), given.client_secret.get_secret_value())
        return cls(given, Session(given.login_url, secrets=secrets, codes=_codes))

    def login(self) -> None:
        """Client credentials into a token and the instance's address.

        Raises:
            HttpError: if the organisation refuses.
        """
        self.session.headers.pop("Authorization", None)
        body = self.session.request(
            "POST",
            self.settings.login_url.rstrip("/") + "/services/oauth2/token",
            data={
                "grant_type": "client_credentials",
                "client_id": self.settings.client_id.get_secret_value(),
                "client_secret": self.settings.client_secret.get_secret_value(),
            },
        ).body
        self.session.base = body["instance_url"]
        self.session.secrets = (*self.session.secrets[:2], body["access_token"])
        self.session.headers["Authorization"] = f"Bearer {body['access_token']}"

    def get(self, path: str, params: Sequence[tuple[str, str]] = ()) -> Answer:
        """A GET with a living token, within quota.

        Raises:
            QuotaReachedError: no more requests today.
            HttpError: any other refusal.
        """
        if "Authorization" not in self.session.headers:
            self.login()
        has_renewed, waited = False, 0
        while True:
            try:
                answer = self.session.get(path, params)
            except HttpError as error:
                if error.status == 401 and not has_renewed:
                    has_renewed = True
                    self.login()
                    continue
                if error.code != _QUOTA:
                    raise
                # The same code also stands for too many requests at one time, which passes.
                if "TotalRequests" in error.message or waited >= _WAITS_FOR_SLOTS:
                    raise QuotaReachedError(error.message) from error
                self.session.sleep(self.session.first_wait * 2**waited)
                waited += 1
                continue
            self._watch_quota(answer)
            return answer

    def query_all(self, name: str, soql: str) -> Iterator[list[dict[str, Any]]]:
        """Pages of an object's records, deleted ones included.

        Raises:
            HttpError: also if pages of another object keep coming (a confused proxy).
        """
        path = f"/services/data/{self.settings.api_version}/queryAll"
        body = self._page(name, path, [("q", soql)])
        while True:
            if body["records"]:
                yield body["records"]
            if body.get("done", True) or not body.get("nextRecordsUrl"):
                return
            body = self._page(name, body["nextRecordsUrl"], [])

    def _page(self, name: str, path: str, params: list[tuple[str, str]]) -> dict[str, Any]:
        for _ in range(self.session.attempts):
            body: dict[str, Any] = self.get(path, params).body
            records = body["records"]
            kind = (records[0].get("attributes") or {}).get("type") if records else None
            if kind is None or str(kind).lower() == name.lower():
                return body
        raise HttpError(200, "WRONG_PAGE", f"asked for {name}, got records of {kind}", path)

    def fields_of(self, name: str) -> dict[str, str]:
        """API names of an object's fields, with the organisation's types."""
        path = f"/services/data/{self.settings.api_version}/sobjects/{name}/describe"
        return {str(f["name"]): str(f["type"]) for f in self.get(path).body["fields"]}

    def _watch_quota(self, answer: Answer) -> None:
        info = answer.headers.get("Sforce-Limit-Info", "")
        _, _, usage = info.partition("api-usage=")
        used, _, limit = usage.split(";")[0].split(",")[0].partition("/")
        if not (used.isdigit() and limit.isdigit() and int(limit) > 0):
            return
        if int(used) / int(limit) > self.settings.usage_ceiling:
            raise QuotaReachedError(
                f"{used} of {limit} daily requests are used; the run may use "
                f"{self.settings.usage_ceiling:.0%}"
            )


def _codes(body: Any) -> tuple[str, str]:
    """Code and message: a list with one object from the API, an object from the login."""
    first = body[0] if isinstance(body, list) else body
    code = first.get("errorCode") or first.get("error") or ""
    return str(code), str(first.get("message") or first.get("error_description") or "")
