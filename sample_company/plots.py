"""Pictures of the company, for people who want to know whether to believe it.

Belongs here: what is counted for a picture (plain frames, testable) and how it is drawn. Must not
be here: what happens in the company. Everything is counted on truth, not on what vendors show.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from sample_company.rng import F64
from sample_company.world.usage import Usage

if TYPE_CHECKING:
    from sample_company.world.build import World

SEGMENTS = ("SMB", "mid-market", "enterprise")
_COLOURS = {"SMB": "#c8553d", "mid-market": "#588b8b", "enterprise": "#28536b"}
_GREY = "#8d99ae"
#: A year or month with fewer customers than this at its start says nothing.
_FEW = 15
_USAGE_DAYS = 56
#: Where the name of a cause would not be understood by itself.
_CAUSES = {
    "disconnection": "executives out of touch",
    "price_budget": "price or budget",
    "business_change": "customer's business changed",
}


# --- what is counted ----------------------------------------------------------------------------


def monthly_revenue(world: World) -> pd.DataFrame:
    """MRR in USD by surviving account (rows) and month end (columns); 0 where nothing was paid."""
    paid = world.truth["truth_mrr"]
    return paid.pivot_table(
        index="surviving_account_id", columns="month", values="mrr_usd", aggfunc="sum"
    ).fillna(0.0)


def segment_of(world: World, accounts: pd.Index[Any]) -> pd.Series[str]:
    """Segment of each account."""
    truth = world.truth["truth_accounts"].drop_duplicates("account_id").set_index("account_id")
    return truth["segment"].reindex(accounts)


def churn_and_nrr(world: World) -> pd.DataFrame:
    """What became of the customers of each New Year by the next one.

    Returns:
        year, segment, customers (at the start), churn (share of them that pay nothing at the end),
        nrr (their revenue at the end over theirs at the start). Whole years only.
    """
    revenue = monthly_revenue(world)
    segment = segment_of(world, revenue.index)
    rows = []
    ends = pd.DatetimeIndex(revenue.columns)
    for start, end in zip(ends[:-12], ends[12:], strict=True):
        if start.month != 12:
            continue
        for name in SEGMENTS:
            own = revenue[(segment == name) & (revenue[start] > 0)]
            if len(own) >= _FEW:
                rows.append(
                    {
                        "year": end.year,
                        "segment": name,
                        "customers": len(own),
                        "churn": float((own[end] == 0).mean()),
                        "nrr": float(own[end].sum() / own[start].sum()),
                    }
                )
    return pd.DataFrame(rows, columns=["year", "segment", "customers", "churn", "nrr"])


def survival(world: World) -> pd.DataFrame:
    """Share of customers still paying by months since their first payment (product limit).

    A customer has left when it paid nothing from some month to the end of the history; one that
    paused or came back has not.

    Returns:
        segment, month, at_risk, share.
    """
    paying = monthly_revenue(world).to_numpy() > 0
    accounts = monthly_revenue(world).index
    ever = paying.any(axis=1)
    first = paying.argmax(axis=1)
    last = paying.shape[1] - 1 - paying[:, ::-1].argmax(axis=1)
    length = last - first + 1
    left = last < paying.shape[1] - 1
    segment = segment_of(world, accounts).to_numpy()
    rows = []
    for name in SEGMENTS:
        own = ever & (segment == name)
        share = 1.0
        for month in range(int(length[own].max(initial=0)) + 1):
            at_risk = int((length[own] >= month).sum())
            if at_risk < _FEW:
                break
            share *= 1.0 - int((left & own & (length == month)).sum()) / at_risk
            rows.append({"segment": name, "month": month, "at_risk": at_risk, "share": share})
    return pd.DataFrame(rows, columns=["segment", "month", "at_risk", "share"])


def renewals_by_month(world: World) -> pd.DataFrame:
    """Renewals of terms of a year or more, by calendar month of the due date and outcome.

    Returns:
        month (1-12), lost and kept (shares of all renewals). Whole calendar years only.
    """
    renewals = world.truth["truth_renewals"]
    due = pd.to_datetime(renewals["due_on"])
    last_year = world.config.last_day.year - 1
    terms = ~renewals["is_evergreen"].astype(bool) & (due.dt.year <= last_year)
    table = (
        pd.crosstab(due[terms].dt.month, renewals.loc[terms, "is_lost"].astype(bool))
        .reindex(index=range(1, 13), columns=[True, False], fill_value=0)
        .rename(columns={True: "lost", False: "kept"})
    )
    return (table / max(int(table.to_numpy().sum()), 1)).rename_axis("month").reset_index()


def usage_by_hour(world: World) -> F64:
    """Share of events by weekday (7, from Monday) and hour (24) on the user's own clock."""
    last = world.config.last_day
    usage = Usage.of(world.tables, world.config, since=last - timedelta(days=_USAGE_DAYS))
    counts = np.zeros((7, 24))
    days = usage.deliveries(last - timedelta(days=_USAGE_DAYS - 1), last, features=False)
    for _, _, rows in days:
        first = rows[~rows["is_copy"]]
        zone = usage.homes["zone"].to_numpy()[first["position"].to_numpy()]
        at = pd.DatetimeIndex(first["event_at"]).tz_localize("UTC")
        for name in np.unique(zone.astype(str)):
            local = at[zone == name].tz_convert(str(name))
            np.add.at(counts, (local.day_of_week.to_numpy(), local.hour.to_numpy()), 1)
    return np.asarray(counts / max(counts.sum(), 1), dtype=np.float64)


def causes_of_loss(world: World) -> pd.DataFrame:
    """Why renewals were lost, and what the customer said.

    Returns:
        cause, true and stated (shares of lost renewals), the most frequent true cause first.
    """
    lost = world.truth["truth_renewals"]
    lost = lost[lost["is_lost"].astype(bool)]
    table = pd.DataFrame(
        {
            "true": lost["cause"].value_counts(normalize=True),
            "stated": lost["stated_reason"].value_counts(normalize=True),
        }
    ).fillna(0.0)
    table = table.sort_values("true", ascending=False)
    return table.rename_axis("cause").reset_index()


def prices(world: World) -> pd.DataFrame:
    """What customers pay at the end of the last full month.

    Returns:
        account_id, segment, plan_family, mrr_usd, seats, a_seat (USD a seat and month).
    """
    paid = world.truth["truth_mrr"]
    paid = paid[(paid["month"] == paid["month"].max()) & (paid["mrr_usd"] > 0)]
    latent = world.tables["latent"]
    plans = latent[latent["month"] <= paid["month"].max()].drop_duplicates(
        "account_id", keep="last"
    )
    found: pd.DataFrame = paid.assign(
        segment=segment_of(world, pd.Index(paid["account_id"])).to_numpy(),
        plan_family=paid["account_id"].map(plans.set_index("account_id")["plan_family"]).to_numpy(),
        a_seat=paid["mrr_usd"] / paid["seats"].clip(lower=1),
    )
    columns = ["account_id", "segment", "plan_family", "mrr_usd", "seats", "a_seat"]
    chosen: pd.DataFrame = found[columns].reset_index(drop=True)
    return chosen


# --- how it is drawn ----------------------------------------------------------------------------


def draw_all(world: World, folder: Path) -> Iterator[Path]:
    """Draw every picture as PNG; yields each file when it is there.

    Args:
        world: a built world of a few years.
        folder: where to write; made if need be.

    Raises:
        ValueError: if matplotlib is not installed.
    """
    try:
        import matplotlib as mpl
    except ImportError:
        raise ValueError(
            "Plots need matplotlib, a dependency for development: run `make ready`."
        ) from None
    mpl.use("Agg")
    folder.mkdir(parents=True, exist_ok=True)
    style: dict[Any, Any] = {
        "font.size": 9,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlesize": 10,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "legend.frameon": False,
        "figure.constrained_layout.use": True,
    }
    drawn: dict[str, Callable[[World], Any]] = {
        "churn-and-nrr": _draw_churn,
        "survival": _draw_survival,
        "renewal-season": _draw_renewals,
        "usage-hours": _draw_usage,
        "causes-of-loss": _draw_causes,
        "prices": _draw_prices,
    }
    import matplotlib.pyplot as plt

    with mpl.rc_context(style):
        for name, draw in drawn.items():
            figure = draw(world)
            path = folder / f"{name}.png"
            # No software or date inside: the same company gives the same bytes.
            figure.savefig(path, dpi=110, metadata={"Software": None})
            plt.close(figure)
            yield path


def _axes(columns: int, height: float = 3.2) -> tuple[Any, Any]:
    import matplotlib.pyplot as plt

    return plt.subplots(1, columns, figsize=(8.4, height), squeeze=False)


def _percent(axis: Any) -> None:
    from matplotlib.ticker import PercentFormatter

    axis.set_major_formatter(PercentFormatter(1.0, decimals=0))


def _draw_churn(world: World) -> Any:
    rates = churn_and_nrr(world)
    figure, ((left, right),) = _axes(2)
    for name in SEGMENTS:
        own = rates[rates["segment"] == name]
        left.plot(own["year"], own["churn"], "o-", ms=3, color=_COLOURS[name], label=name)
        right.plot(own["year"], own["nrr"], "o-", ms=3, color=_COLOURS[name], label=name)
    left.set_title("Logo churn a year")
    left.set_ylim(0, None)
    right.set_title("Net revenue retention a year")
    right.axhline(1.0, color=_GREY, lw=0.8, ls=":")
    for axes in (left, right):
        _percent(axes.yaxis)
        axes.xaxis.get_major_locator().set_params(integer=True)
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def _draw_survival(world: World) -> Any:
    curves = survival(world)
    figure, ((axes,),) = _axes(1, 3.4)
    for name in SEGMENTS:
        own = curves[curves["segment"] == name]
        axes.step(own["month"] / 12, own["share"], where="post", color=_COLOURS[name], label=name)
    axes.set_title("Customers still paying, by years since their first payment")
    axes.set_xlabel(f"years (drawn as long as {_FEW} customers or more have come that far)")
    axes.set_ylim(0, 1.02)
    axes.set_xlim(0, None)
    _percent(axes.yaxis)
    axes.legend()
    return figure


def _draw_renewals(world: World) -> Any:
    season = renewals_by_month(world)
    figure, ((axes,),) = _axes(1)
    axes.bar(season["month"], season["kept"], color=_COLOURS["mid-market"], label="renewed")
    axes.bar(
        season["month"], season["lost"], bottom=season["kept"], color=_COLOURS["SMB"], label="lost"
    )
    axes.axhline(1 / 12, color=_GREY, lw=0.8, ls=":")
    names = ["Jan", "Feb", "Mar", "Apr", "May", "Jun"]
    names += ["Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    axes.set_xticks(range(1, 13), names)
    axes.set_title("When renewals fall due (dotted: evenly over the year)")
    axes.set_ylabel("share of all renewals")
    _percent(axes.yaxis)
    figure.legend(loc="outside lower center", ncols=2)
    return figure


def _draw_usage(world: World) -> Any:
    figure, ((axes,),) = _axes(1, 2.8)
    shown = axes.imshow(usage_by_hour(world), aspect="auto", cmap="Blues")
    axes.set_yticks(range(7), ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"])
    axes.set_xticks(range(0, 24, 2))
    axes.set_xlabel("hour on the user's clock")
    axes.set_title("Usage events by weekday and hour, last eight weeks")
    bar = figure.colorbar(shown, ax=axes)
    bar.ax.yaxis.set_major_formatter(lambda share, _: f"{share * 100:.1f} %")
    return figure


def _draw_causes(world: World) -> Any:
    causes = causes_of_loss(world).iloc[::-1]
    figure, ((axes,),) = _axes(1, 3.4)
    at = np.arange(len(causes))
    axes.barh(at + 0.2, causes["true"], 0.38, color=_COLOURS["enterprise"], label="true cause")
    axes.barh(at - 0.2, causes["stated"], 0.38, color=_GREY, label="what the customer said")
    axes.set_yticks(at, [_CAUSES.get(cause, cause.replace("_", " ")) for cause in causes["cause"]])
    axes.set_title("Why renewals are lost (share of those lost)")
    _percent(axes.xaxis)
    axes.legend(loc="lower right")
    return figure


def _draw_prices(world: World) -> Any:
    paid = prices(world)
    figure, ((left, right),) = _axes(2)
    bins = np.geomspace(50, max(float(paid["mrr_usd"].max()), 100.0), 32)
    for name in SEGMENTS:
        own = paid[paid["segment"] == name]
        left.hist(own["mrr_usd"], bins, color=_COLOURS[name], alpha=0.75, label=name)
    left.set_xscale("log")
    left.xaxis.set_major_formatter(lambda usd, _: f"{usd:,.0f}")
    left.set_title("MRR of customers, USD (by powers of ten)")
    left.set_ylabel("customers")
    left.legend()
    plans = [
        p for p in ("starter", "team", "business", "enterprise") if p in set(paid["plan_family"])
    ]
    groups = [paid.loc[paid["plan_family"] == plan, "a_seat"].to_numpy() for plan in plans]
    right.boxplot(groups, tick_labels=plans, showfliers=False, medianprops={"color": "black"})
    right.set_title("USD a seat and month, after discounts")
    right.set_ylim(0, None)
    return figure
