"""How figures are drawn: one look for all pages.

Belongs here: Altair charts from tidy frames, colours, axes. Must not be here: queries, which chart
stands where. Every axis is labelled and starts at zero where lengths are compared. The colours are
those of Okabe and Ito ("Color universal design", 2008), told apart by readers with any colour
vision on white and on black; what they mean is written beside them as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import altair as alt
import pandas as pd

from dashboards.formats import APART

BLUE = "#3B8BC8"
ORANGE = "#D9822B"
GREEN = "#1B9E77"
RED = "#D55E00"
PURPLE = "#B572A6"
GREY = "#8A8F98"
PALE = "#9CC3E3"
PALE_ORANGE = "#EFC592"
#: In the order in which groups get them.
SERIES = (BLUE, ORANGE, GREEN, PURPLE, GREY, RED)
#: From nothing to all; dark letters can be read on each.
HEAT = ("#F6E7D6", "#D7E4EE", "#8FBDE0", "#4C97CF")

HEIGHT = 280

Drawn = alt.Chart | alt.LayerChart | alt.FacetChart


def axis_money(title: str) -> alt.Axis:
    """Return an axis of US dollars: $2.5M."""
    # All labels share one unit, but of nothing there are no millions.
    words = "datum.value == 0 ? '$0' : replace(datum.label, 'G', 'B')"
    return alt.Axis(title=title, format="$~s", labelExpr=words, tickCount=6)


def axis_share(title: str) -> alt.Axis:
    """Return an axis of shares in per cent, written as in the text: 21 %."""
    return alt.Axis(title=title, format="%", labelExpr=f"replace(datum.label, '%', '{APART}%')")


def axis_month(title: str | None = None) -> alt.Axis:
    """Return an axis of months."""
    return alt.Axis(title=title, format="%b %Y", labelOverlap=True, labelAngle=0)


def stacked_months(
    frame: pd.DataFrame,
    *,
    month: str,
    value: str,
    kind: str,
    kinds: Mapping[str, str],
    axis: alt.Axis,
    value_title: str,
    month_title: str = "Month",
    value_format: str = "$,.0f",
    spread: pd.DataFrame | None = None,
    is_text: bool = False,
) -> Drawn:
    """Draw columns by month, stacked by kind in the order of `kinds`.

    Args:
        frame: one row a month and kind.
        month: column of dates.
        value: column of what is summed.
        kind: column of the kind.
        kinds: kind -> colour, from the bottom up.
        axis: of the values.
        value_title: what a value is, in the tooltip.
        month_title: what the dates are.
        value_format: of the tooltip (d3).
        spread: rows of `month`, low, high: whiskers over the columns.
        is_text: `month` is a text already, in the order of the rows.
    """
    order = list(kinds)
    tidy = frame.assign(_order=frame[kind].map({name: i for i, name in enumerate(order)}))
    along = (
        alt.X(f"{month}:O", sort=None, axis=alt.Axis(title=month_title, labelAngle=0))
        if is_text
        else alt.X(f"yearmonth({month}):T", axis=axis_month(month_title))
    )
    when = (
        alt.Tooltip(f"{month}:O", title=month_title)
        if is_text
        else alt.Tooltip(f"yearmonth({month}):T", title=month_title, format="%b %Y")
    )
    columns: Drawn = (
        alt.Chart(tidy)
        .mark_bar()
        .encode(
            x=along,
            y=alt.Y(f"sum({value}):Q", axis=axis, stack="zero"),
            color=_color(kind, kinds),
            order=alt.Order("_order:Q"),
            tooltip=[
                when,
                alt.Tooltip(f"{kind}:N", title="Kind"),
                alt.Tooltip(f"sum({value}):Q", title=value_title, format=value_format),
            ],
        )
    )
    columns = columns.properties(height=HEIGHT)
    if spread is None or spread.empty:
        return columns
    whiskers = (
        alt.Chart(spread)
        .mark_rule(strokeWidth=2, color="#6B7680")
        .encode(
            x=alt.X(f"yearmonth({month}):T", bandPosition=0.5),
            y="low:Q",
            y2="high:Q",
            tooltip=[
                alt.Tooltip(f"yearmonth({month}):T", title=month_title, format="%b %Y"),
                alt.Tooltip("low:Q", title="Forecast less its spread", format=value_format),
                alt.Tooltip("high:Q", title="Forecast plus its spread", format=value_format),
            ],
        )
    )
    return alt.layer(columns, whiskers).properties(height=HEIGHT)


def lines(
    frame: pd.DataFrame,
    *,
    x: str,
    y: str,
    group: str,
    x_axis: alt.Axis,
    y_axis: alt.Axis,
    x_type: str = "T",
    tooltip: Sequence[alt.Tooltip] = (),
    zero: bool = False,
    colors: Mapping[str, str] | None = None,
    band: tuple[str, str] | None = None,
    rule: float | None = None,
    step: bool = False,
    points: bool = False,
) -> Drawn:
    """Draw a line for each group, with its interval where `band` names its columns.

    Args:
        frame: one row a point.
        x: column of the place on the line.
        y: column of the height.
        group: column of the line's name.
        x_axis: axis below.
        y_axis: axis at the left.
        x_type: T for dates, Q for numbers.
        tooltip: shown over a point.
        zero: whether the heights start at zero.
        colors: line -> colour; in the order of SERIES where missing.
        band: columns of the lower and upper end of an interval.
        rule: a height to compare with.
        step: keep the height until the next point, as survival does.
        points: mark every point.
    """
    names = list(dict.fromkeys(frame[group]))
    palette = colors or dict(zip(names, SERIES * 3, strict=False))
    shape: Literal["step-after", "linear"] = "step-after" if step else "linear"
    base = alt.Chart(frame).encode(
        x=alt.X(f"{x}:{x_type}", axis=x_axis),
        color=_color(group, {n: palette.get(n, GREY) for n in names}, is_line=True),
    )
    layers: list[alt.Chart] = []
    if rule is not None:
        at = pd.DataFrame({"at": [rule]})
        layers.append(
            alt.Chart(at).mark_rule(color=GREY, strokeDash=[4, 4]).encode(y=alt.Y("at:Q"))
        )
    if band is not None:
        low, high = band
        area = base.mark_area(opacity=0.18, interpolate=shape)
        layers.append(area.encode(y=alt.Y(f"{low}:Q", axis=y_axis), y2=f"{high}:Q"))
    scale = alt.Scale(zero=zero)
    line = base.mark_line(interpolate=shape, strokeWidth=2.2, point=points)
    layers.append(line.encode(y=alt.Y(f"{y}:Q", axis=y_axis, scale=scale), tooltip=list(tooltip)))
    if not points:
        # A wide invisible target: a thin line is hard to hit.
        target = base.mark_point(size=120, opacity=0.001)
        layers.append(target.encode(y=f"{y}:Q", tooltip=list(tooltip)))
    return alt.layer(*layers).properties(height=HEIGHT)


def waterfall(frame: pd.DataFrame, *, axis: alt.Axis) -> Drawn:
    """Draw how one figure became another.

    Args:
        frame: step, from, to, kind (total, gain, loss), amount, label; in order.
        axis: of the money.
    """
    order = list(frame["step"])
    base = alt.Chart(frame).encode(
        x=alt.X("step:N", sort=order, axis=alt.Axis(title=None, labelAngle=0, labelLimit=110)),
        tooltip=[
            alt.Tooltip("step:N", title="Movement"),
            alt.Tooltip("amount:Q", title="USD a month", format="$,.0f"),
        ],
    )
    kinds = {"total": BLUE, "gain": GREEN, "loss": RED}
    # Bars rest on zero, so that lengths may be compared.
    bars = base.mark_bar(size=46).encode(
        y=alt.Y("from:Q", axis=axis),
        y2="to:Q",
        color=alt.Color("kind:N", legend=None, scale=_scale(kinds)),
    )
    labels = base.mark_text(dy=-8, fontSize=12, fontWeight=600, color=GREY).encode(
        y="top:Q", text="label:N"
    )
    return alt.layer(bars, labels).properties(height=HEIGHT + 40)


def ranked_bars(
    frame: pd.DataFrame,
    *,
    name: str,
    value: str,
    axis: alt.Axis,
    kind: str | None = None,
    kinds: Mapping[str, str] | None = None,
    value_format: str = "$,.0f",
    value_title: str = "",
) -> Drawn:
    """Draw bars in the order of the frame, one below the other.

    Args:
        frame: one row a bar, or a bar and kind.
        name: column of the bars' names.
        value: column of the lengths.
        axis: of the lengths.
        kind: column to stack by.
        kinds: kind -> colour.
        value_format: of the tooltip (d3).
        value_title: what a length is, in the tooltip.
    """
    order = list(dict.fromkeys(frame[name]))
    chart = alt.Chart(frame)
    marks = chart.mark_bar() if kind else chart.mark_bar(color=BLUE)
    encoded = marks.encode(
        y=alt.Y(
            f"{name}:N", sort=order, axis=alt.Axis(title=None, labelLimit=220, labelOverlap=False)
        ),
        x=alt.X(f"sum({value}):Q", axis=axis),
        tooltip=[
            alt.Tooltip(f"{name}:N", title=" "),
            *([alt.Tooltip(f"{kind}:N", title="Kind")] if kind else []),
            alt.Tooltip(f"sum({value}):Q", title=value_title, format=value_format),
        ],
    )
    if kind and kinds:
        order_of = {k: i for i, k in enumerate(kinds)}
        encoded = encoded.transform_calculate(
            _order=f"{order_of!r}[datum['{kind}']]".replace("'", '"')
        ).encode(color=_color(kind, kinds), order=alt.Order("_order:Q"))
    drawn: Drawn = encoded.properties(height=30 * len(order) + 130)
    return drawn


def grouped_bars(
    frame: pd.DataFrame,
    *,
    name: str,
    value: str,
    kind: str,
    kinds: Mapping[str, str],
    axis: alt.Axis,
) -> Drawn:
    """Draw shares beside each other: one cluster a name, one column a kind."""
    order = list(dict.fromkeys(frame[name]))
    drawn: Drawn = (
        alt.Chart(frame)
        .mark_bar()
        .encode(
            x=alt.X(f"{name}:N", sort=order, axis=alt.Axis(title=None, labelAngle=0)),
            xOffset=alt.XOffset(f"{kind}:N", sort=list(kinds)),
            y=alt.Y(f"{value}:Q", axis=axis),
            color=_color(kind, kinds),
            tooltip=[
                alt.Tooltip(f"{name}:N", title=" "),
                alt.Tooltip(f"{kind}:N", title="Kind"),
                alt.Tooltip(f"{value}:Q", title="Share", format=".0%"),
            ],
        )
        .properties(height=HEIGHT)
    )
    return drawn


def triangle(frame: pd.DataFrame, *, value: str, title: str, top: float) -> Drawn:
    """Draw a retention triangle: cohorts down, years of tenure across, shares in the cells.

    Args:
        frame: cohort (name), tenure_year, `value` (share), cohort_size.
        value: column of the share.
        title: what a cell says.
        top: share at which the colour ends.
    """
    base = alt.Chart(frame).encode(
        x=alt.X(
            "tenure_year:O",
            axis=alt.Axis(title="Years since the first payment", labelAngle=0, orient="top"),
        ),
        y=alt.Y(
            "cohort:N",
            sort=None,
            axis=alt.Axis(title="Year of the first payment", labelFlush=False),
        ),
        tooltip=[
            alt.Tooltip("cohort:N", title="First paid in"),
            alt.Tooltip("cohort_size:Q", title="Accounts", format=","),
            alt.Tooltip("tenure_year:O", title="Years later"),
            alt.Tooltip(f"{value}:Q", title=title, format=".0%"),
        ],
    )
    scale = alt.Scale(
        domain=[0, top / 3, 2 * top / 3, top], range=list(HEAT), clamp=True, interpolate="rgb"
    )
    cells = base.mark_rect(stroke="rgba(128,128,128,0.25)").encode(
        color=alt.Color(f"{value}:Q", scale=scale, legend=None)
    )
    # Dark enough on every colour of HEAT.
    labels = base.mark_text(fontSize=11, color="#14202B").encode(
        text=alt.Text(f"{value}:Q", format=".0%")
    )
    rows = frame["cohort"].nunique()
    return alt.layer(cells, labels).properties(height=26 * rows + 50)


def intervals(
    frame: pd.DataFrame, *, name: str, value: str, low: str, high: str, axis: alt.Axis, color: str
) -> Drawn:
    """Draw estimates with their intervals, one row a name."""
    order = list(dict.fromkeys(frame[name]))
    colors = {"high": RED, "medium": ORANGE, "low": BLUE, "people": PURPLE, "model": BLUE}
    used = {k: colors.get(k, GREY) for k in dict.fromkeys(frame[color])}
    base = alt.Chart(frame).encode(
        y=alt.Y(f"{name}:N", sort=order, axis=alt.Axis(title=None, labelLimit=260)),
        color=alt.Color(f"{color}:N", legend=None, scale=_scale(used)),
        tooltip=[
            alt.Tooltip(f"{name}:N", title=" "),
            alt.Tooltip("renewals:Q", title="Renewals", format=","),
            alt.Tooltip(f"{value}:Q", title="Lost", format=".1%"),
            alt.Tooltip(f"{low}:Q", title="from", format=".1%"),
            alt.Tooltip(f"{high}:Q", title="to", format=".1%"),
        ],
    )
    spans = base.mark_rule(strokeWidth=3).encode(
        x=alt.X(f"{low}:Q", axis=axis, scale=alt.Scale(zero=True)), x2=f"{high}:Q"
    )
    dots = base.mark_point(filled=True, size=110, opacity=1).encode(x=f"{value}:Q")
    return alt.layer(spans, dots).properties(height=max(120, 34 * len(order) + 40))


def scatter(
    frame: pd.DataFrame,
    *,
    x: str,
    y: str,
    kind: str,
    kinds: Mapping[str, str],
    x_axis: alt.Axis,
    y_axis: alt.Axis,
    tooltip: Sequence[alt.Tooltip],
    log_x: bool = False,
) -> Drawn:
    """Draw a point a row, coloured by kind."""
    scale = alt.Scale(type="log") if log_x else alt.Scale(zero=False)
    drawn: Drawn = (
        alt.Chart(frame)
        .mark_point(filled=True, size=38, opacity=0.75)
        .encode(
            x=alt.X(f"{x}:Q", axis=x_axis, scale=scale),
            y=alt.Y(f"{y}:Q", axis=y_axis, scale=alt.Scale(zero=True)),
            color=_color(kind, kinds),
            shape=alt.Shape(
                f"{kind}:N",
                sort=list(kinds),
                # The same legend as of the colours: both become one.
                legend=alt.Legend(title=None, orient="top", labelLimit=300),
                scale=alt.Scale(domain=list(kinds)),
            ),
            tooltip=list(tooltip),
        )
        .properties(height=HEIGHT + 60)
    )
    return drawn


def timeline(frame: pd.DataFrame, *, lanes: Mapping[str, str], today: pd.Timestamp) -> Drawn:
    """Draw what happened on lanes below each other.

    Args:
        frame: happened_on, lane (a key of `lanes`), what, weight.
        lanes: lane -> colour, from the top down.
        today: a line is drawn there.
    """
    shown = [lane for lane in lanes if lane in set(frame["lane"])]
    marks = (
        alt.Chart(frame)
        .mark_point(filled=True, size=70, opacity=0.8)
        .encode(
            x=alt.X("happened_on:T", axis=axis_month("Day")),
            y=alt.Y("lane:N", sort=shown, axis=alt.Axis(title=None, grid=True)),
            color=alt.Color(
                "lane:N", legend=None, scale=_scale({lane: lanes[lane] for lane in shown})
            ),
            tooltip=[
                alt.Tooltip("happened_on:T", title="Day", format="%d %b %Y"),
                alt.Tooltip("what:N", title="What"),
                alt.Tooltip("weight:Q", title="How many"),
            ],
        )
    )
    now = (
        alt.Chart(pd.DataFrame({"today": [today]}))
        .mark_rule(color=GREY, strokeDash=[4, 4])
        .encode(x="today:T")
    )
    return alt.layer(now, marks).properties(height=30 * len(shown) + 50)


def areas(
    frame: pd.DataFrame, *, x: str, y: str, x_axis: alt.Axis, y_axis: alt.Axis, value_format: str
) -> Drawn:
    """Draw one figure over time as an area that starts at zero."""
    drawn: Drawn = (
        alt.Chart(frame)
        .mark_area(color=BLUE, opacity=0.35, line={"color": BLUE}, interpolate="step-after")
        .encode(
            x=alt.X(f"{x}:T", axis=x_axis),
            y=alt.Y(f"{y}:Q", axis=y_axis),
            tooltip=[
                alt.Tooltip(f"{x}:T", title="Month", format="%b %Y"),
                alt.Tooltip(f"{y}:Q", title=str(y_axis.title), format=value_format),
            ],
        )
        .properties(height=HEIGHT - 60)
    )
    return drawn


def _color(field: str, kinds: Mapping[str, str], *, is_line: bool = False) -> alt.Color:
    # A legend shows what its layers have in common: else the faint ones would make it invisible.
    look: dict[str, Any] = (
        {"symbolOpacity": 1, "symbolType": "stroke", "symbolStrokeWidth": 3} if is_line else {}
    )
    return alt.Color(
        f"{field}:N",
        scale=_scale(kinds),
        sort=list(kinds),
        legend=alt.Legend(title=None, orient="top", labelLimit=300, **look)
        if len(kinds) > 1
        else None,
    )


def _scale(kinds: Mapping[str, str]) -> alt.Scale:
    return alt.Scale(domain=list(kinds), range=list(kinds.values()))
