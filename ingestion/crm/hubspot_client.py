"""HubSpot's CRM protocol: listings, batch reads, searches, associations, limits.

Belongs here: requests and how their refusals are told apart. Must not be here: what is asked for.

Three rules keep the pages whole. Lists of properties go into bodies, never into addresses, which
have an end. A page is the last one when it names no next one, however short it is. A search is
never paged by offset: records that change meanwhile would move others across the edge of a page,
and at 10,000 results it stops; each page begins where the last record of the one before it stands.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ingestion.http import Answer, HttpError, Session
from ingestion.settings import HubSpotSettings, Settings

PAGE = 100
READ, READ_WITH_HISTORY = 100, 50
SEARCH_PAGE = 200
ASSOCIATIONS = 1_000
_DAILY = "DAILY"
_ID = "hs_object_id"

Record = dict[str, Any]
Filter = dict[str, str]


class QuotaReachedError(Exception):
    """The private app's daily requests are used up, or the share of them we may use."""


@dataclass
class Client:
    """The API behind the token of a private app.

    Attributes:
        settings: address and token.
        session: carries the requests.
    """

    settings: HubSpotSettings
    session: Session

    @classmethod
    def of(cls, settings: Settings) -> Client:
        """A client that has asked nothing yet."""
        given = settings.hubspot
        if given is None:
            raise ValueError("HubSpot is not configured; set HUBSPOT_ACCESS_TOKEN.")
        token = given.access_token.get_secret_value()
        session = Session(
            given.api_url,
            headers={"Authorization": f"Bearer {token}"},
            secrets=(token,),
            codes=_codes,
            final=frozenset({_DAILY}),
        )
        return cls(given, session)

    # Objects

    def pages(
        self, name: str, *, archived: bool = False, after: str = "", properties: str = ""
    ) -> Iterator[tuple[list[Record], str]]:
        """Pages of all records in the order of their ids, each with the cursor behind it.

        Args:
            name: object.
            archived: those that were deleted and can still be restored, instead of the others.
            after: cursor to go on from.
            properties: what to tell of each; a property or two, for they lengthen the address.
        """
        while True:
            params = [("limit", str(PAGE)), ("archived", str(archived).lower())]
            params += [("properties", properties)] if properties else []
            params += [("after", after)] if after else []
            body = self.get(f"/crm/v3/objects/{name}", params).body
            after = _next(body)
            yield body["results"], after
            if not after:
                return

    def read(
        self,
        name: str,
        keys: Sequence[str],
        properties: Sequence[str],
        *,
        history: Sequence[str] = (),
        archived: bool = False,
    ) -> Iterator[list[Record]]:
        """Records by id; ids that name nothing any more are left out."""
        size = READ_WITH_HISTORY if history else READ
        path = f"/crm/v3/objects/{name}/batch/read" + ("?archived=true" if archived else "")
        for start in range(0, len(keys), size):
            body: dict[str, Any] = {
                "inputs": [{"id": key} for key in keys[start : start + size]],
                "properties": list(properties),
            }
            if history:
                body["propertiesWithHistory"] = list(history)
            yield self.post(path, body).body["results"]

    def changed(
        self, name: str, stamp: str, since: int, until: int | None = None
    ) -> Iterator[list[tuple[str, int]]]:
        """Ids and times of change (milliseconds) of what has changed, oldest first.

        Records of the edge of a page come twice; of one instant come all, however many.

        Args:
            name: object.
            stamp: property of the time of change.
            since: first millisecond.
            until: last millisecond; open if not given.
        """
        low, after = since, ""
        while True:
            where = [_filter(stamp, "GTE", str(low))]
            where += [_filter(stamp, "LTE", str(until))] if until is not None else []
            found, following = self._search(name, stamp, where, stamp, after)
            if found:
                yield found
            if not following:
                return
            last = found[-1][1] if found else low
            if last > low:
                low, after = last, ""
            elif found:
                # A whole page of one instant: a bulk change, told apart by ids alone.
                yield from self._at_once(name, stamp, low)
                low, after = low + 1, ""
            else:
                after = following

    def _at_once(self, name: str, stamp: str, at: int) -> Iterator[list[tuple[str, int]]]:
        """Everything that changed in one millisecond, in whatever order HubSpot has for ids."""
        beyond, after = "", ""
        while True:
            where = [_filter(stamp, "GTE", str(at)), _filter(stamp, "LTE", str(at))]
            where += [_filter(_ID, "GT", beyond)] if beyond else []
            found, following = self._search(name, stamp, where, _ID, after)
            if found:
                yield found
            if not following:
                return
            # The last of the page, not the largest: HubSpot compares ids as text.
            beyond, after = (found[-1][0], "") if found else (beyond, following)

    def newest(self, name: str, stamp: str) -> int | None:
        """The newest time of change by HubSpot's clock (milliseconds); None without records."""
        found, _ = self._search(name, stamp, [], stamp, "", descending=True, limit=1)
        return found[0][1] if found else None

    def _search(
        self,
        name: str,
        stamp: str,
        where: Sequence[Filter],
        by: str,
        after: str,
        *,
        descending: bool = False,
        limit: int = SEARCH_PAGE,
    ) -> tuple[list[tuple[str, int]], str]:
        direction = "DESCENDING" if descending else "ASCENDING"
        body: dict[str, Any] = {
            "filterGroups": [{"filters": list(where)}] if where else [],
            "sorts": [{"propertyName": by, "direction": direction}],
            "properties": [stamp],
            "limit": limit,
        }
        if after:
            body["after"] = after
        answer = self.post(f"/crm/v3/objects/{name}/search", body).body
        found = [
            (str(r["id"]), milliseconds(r["properties"].get(stamp) or r["updatedAt"]))
            for r in answer["results"]
        ]
        return found, _next(answer)

    # What surrounds them

    def associated(
        self, name: str, other: str, keys: Sequence[str]
    ) -> dict[str, list[dict[str, Any]]]:
        """Records associated with each of some records: `{"id", "label"}`, one entry a label.

        Labels of the primary company and of the account's own come; where there is none, None.
        """
        found: dict[str, list[dict[str, Any]]] = {}
        path = f"/crm/v4/associations/{name}/{other}/batch/read"
        wanted: list[dict[str, str]] = [{"id": key} for key in keys]
        while wanted:
            some, wanted = wanted[:ASSOCIATIONS], wanted[ASSOCIATIONS:]
            for entry in self.post(path, {"inputs": some}).body["results"]:
                key = str(entry["from"]["id"])
                for to in entry["to"]:
                    labels = [t["label"] for t in to["associationTypes"] if t.get("label")]
                    found.setdefault(key, []).extend(
                        {"id": str(to["toObjectId"]), "label": label}
                        for label in sorted(set(labels)) or [None]
                    )
                if after := _next(entry):
                    wanted.append({"id": key, "after": after})
        return found

    def properties_of(self, name: str) -> dict[str, str]:
        """An object's properties with their types."""
        body = self.get(f"/crm/v3/properties/{name}").body
        return {str(p["name"]): str(p["type"]) for p in body["results"]}

    def owners(self, *, archived: bool) -> Iterator[list[Record]]:
        """Pages of owners; archived ones have left."""
        after = ""
        while True:
            params = [("limit", str(PAGE)), ("archived", str(archived).lower())]
            params += [("after", after)] if after else []
            body = self.get("/crm/v3/owners", params).body
            yield body["results"]
            after = _next(body)
            if not after:
                return

    def pipelines(self, name: str) -> list[Record]:
        """An object's pipelines with their stages."""
        results: list[Record] = self.get(f"/crm/v3/pipelines/{name}").body["results"]
        return results

    # Requests

    def get(self, path: str, params: Sequence[tuple[str, str]] = ()) -> Answer:
        """A GET within quota.

        Raises:
            QuotaReachedError: no more requests today.
            HttpError: any other refusal.
        """
        return self._asked("GET", path, params=list(params))

    def post(self, path: str, body: dict[str, Any]) -> Answer:
        """A POST that only reads, within quota.

        Raises:
            QuotaReachedError: no more requests today.
            HttpError: any other refusal.
        """
        return self._asked("POST", path, json=body)

    def _asked(self, method: str, path: str, **options: Any) -> Answer:
        try:
            answer = self.session.request(method, path, **options)
        except HttpError as error:
            if error.code == _DAILY:
                raise QuotaReachedError(error.message) from error
            raise
        self._watch_quota(answer)
        return answer

    def _watch_quota(self, answer: Answer) -> None:
        most = answer.headers.get("X-HubSpot-RateLimit-Daily", "")
        left = answer.headers.get("X-HubSpot-RateLimit-Daily-Remaining", "")
        if not (most.isdigit() and left.isdigit() and int(most) > 0):
            return
        used = int(most) - int(left)
        if used / int(most) > self.settings.usage_ceiling:
            raise QuotaReachedError(
                f"{used} of {most} daily requests are used; the run may use "
                f"{self.settings.usage_ceiling:.0%}"
            )


def _next(body: dict[str, Any]) -> str:
    following = (body.get("paging") or {}).get("next") or {}
    return str(following.get("after") or "")


def _filter(name: str, operator: str, value: str) -> Filter:
    return {"propertyName": name, "operator": operator, "value": value}


def milliseconds(stamp: str) -> int:
    """An instant as HubSpot writes it, in milliseconds since 1970."""
    return round(datetime.fromisoformat(stamp).timestamp() * 1000)


def _codes(body: Any) -> tuple[str, str]:
    """Code and message; of refusals for too many requests the limit that was met."""
    return str(body.get("policyName") or body.get("category") or ""), str(body.get("message") or "")
