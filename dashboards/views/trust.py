"""Trust: how far the figures can be trusted, and where they cannot."""

from __future__ import annotations

import streamlit as st

from dashboards import charts, formats
from dashboards.frame import Page
from dashboards.night import BESIDE, FOLDER
from dashboards.parts import Column, Figure, chart, figures, lead, note, nothing, section, table
from dashboards.queries import trust

FILTERS: frozenset[str] = frozenset()
MART = "renewals.model_performance"
CARD = "model-card.md"
BASES = {"live": "live", "walk_forward": "computed afterwards"}
VOICES = {
    "next_renewal": "the model (next renewal)",
    "sign_today": "the model (sign today)",
    "all_people": "our people",
}


def show(page: Page) -> None:
    """Draw the page."""
    _answer(page)
    with section("Are the forecasts right?"):
        _forecasters(page)
    with section("Do the bands keep their promise?"):
        _bands(page)
    with section("The model card"):
        _card(page)
    with section("Are the sources fresh?"):
        _freshness(page)
    with section("What was kept out, and what is unclear"):
        _kept_out(page)
    with section("What we do not know"):
        _unknowns(page)
    with section("Tests and documentation"):
        _beside(page)


def _answer(page: Page) -> None:
    scored = page.ask(trust.scored).iloc[0]
    silent = page.ask(trust.freshness)
    silent_count = int((silent["state"] == "silent").sum()) if len(silent) else 0
    proofs = page.ask(trust.promises).iloc[0]
    open_rejects = page.ask(trust.rejects)
    faults = (
        int((open_rejects["faults"] - open_rejects["replayed"]).sum()) if len(open_rejects) else 0
    )
    share = scored["by_model"] / scored["customers"] if scored["customers"] else None
    lead(
        f"{formats.count(scored['scored'])} of {formats.count(scored['customers'])} customers were "
        f"scored on {formats.day(scored['scored_on'])}, {formats.share(share)} by the model, which "
        f"had seen outcomes up to {formats.day(scored['training_cutoff_on'])}. "
        + (
            "Every month's movements add up to the cent."
            if not proofs["unbalanced_months"]
            else f"{formats.count(proofs['unbalanced_months'])} months do not add up."
        )
    )
    figures(
        page,
        [
            Figure(
                "Scored by the model",
                formats.share(share),
                f"of {formats.count(scored['customers'])} customers",
                "renewals.churn_risk.serves",
            ),
            Figure(
                "Facts known",
                formats.share(scored["knowledge"]),
                "of twelve, mean",
                "renewals.churn_risk.knowledge_score",
            ),
            Figure(
                "Tables silent too long",
                formats.count(silent_count),
                f"of {len(silent)} landed",
                "operations.freshness.is_stale",
            ),
            Figure(
                "Faults in rejected rows",
                formats.count(faults),
                "not yet mended",
                "operations.rejects.rule",
            ),
            Figure(
                "What-if statements that hold",
                f"{formats.count(proofs['reproduced'])} of {formats.count(proofs['scenarios'])}",
                "recomputed every night",
                "value.scenarios.is_reproduced",
            ),
        ],
    )


def _forecasters(page: Page) -> None:
    rows = page.ask(trust.forecasters)
    if rows.empty:
        nothing(
            "No forecast is old enough to be held against an outcome: a renewal counts once its "
            "grace is over. The model card below says how the model did on renewals it had not "
            "seen."
        )
        return
    rows = rows.assign(
        who=rows["forecaster"].map(lambda name: VOICES.get(name, name)),
        how=rows["basis"].map(lambda name: BASES.get(name, name)),
    )
    if not (rows["forecaster"] == "next_renewal").any():
        note(
            "No stored score of the model is old enough yet to be held against an outcome; what "
            "our people said is. How the model did on renewals it had not seen stands in its card."
        )
    people = rows[rows["forecaster"] == "all_people"]
    if len(people):
        near = people.iloc[0]
        lead(
            f"{near['lead_bucket']} days before the due date our people expected "
            f"{formats.share(near['mean_p_lost'])} of renewals to be lost; "
            f"{formats.share(near['base_rate'])} were. "
            + (
                "Single by single they told less than the average does."
                if near["brier_skill"] < 0
                else "Single by single they told more than the average does."
            )
        )
    table(
        page,
        rows,
        [
            Column("who", "Who", means=f"{MART}.forecaster"),
            Column("how", "Basis", means=f"{MART}.basis"),
            Column("lead_bucket", "Days before due", means=f"{MART}.lead_bucket", wrap=False),
            Column("renewals", "Renewals", formats.count, f"{MART}.renewals", numeric=True),
            Column("mean_p_lost", "Said", formats.share, f"{MART}.mean_p_lost", numeric=True),
            Column("base_rate", "Lost", formats.share, f"{MART}.base_rate", numeric=True),
            Column(
                "brier_skill",
                "Skill",
                lambda v: formats.number(v, 2),
                f"{MART}.brier_skill",
                numeric=True,
            ),
            Column(
                "flagged_share", "Flagged", formats.share, f"{MART}.flagged_share", numeric=True
            ),
            Column(
                "flag_precision",
                "Flagged and lost",
                formats.share,
                f"{MART}.flag_precision_rate",
                numeric=True,
            ),
            Column(
                "losses_flagged",
                "Losses flagged",
                formats.share,
                f"{MART}.losses_flagged_rate",
                numeric=True,
            ),
        ],
        "Forecasts against outcomes",
    )
    note(
        "Over all quarters. Skill above 0 tells more about single customers than the average loss "
        "rate does. Forecasts computed afterwards are never added to live ones."
    )


def _bands(page: Page) -> None:
    rows = page.ask(trust.bands)
    if rows.empty:
        nothing(
            "No renewal that was banded when a score was stored has ended yet. Bands can be judged "
            "once renewals come due after the first scored night, or after past months were scored "
            "by the job `backfill`."
        )
        return
    basis = "live" if (rows["basis"] == "live").any() else rows["basis"].iloc[0]
    lead_from = rows.loc[rows["basis"] == basis, "lead_from"].min()
    shown = rows[(rows["basis"] == basis) & (rows["lead_from"] == lead_from)]
    rates = shown.set_index("band")["loss_rate"]
    ordered = all(
        rates[a] >= rates[b]
        for a, b in (("high", "medium"), ("medium", "low"), ("high", "low"))
        if a in rates.index and b in rates.index
    )
    lead(
        f"Of the renewals banded {shown['lead_bucket'].iloc[0]} days before they were due, "
        + ", ".join(
            f"{formats.share(row['loss_rate'])} of the {row['band']} band" for _, row in
            shown.iterrows()
        )
        + f" were lost: the order {'holds' if ordered else 'does not hold'}."
    )  # fmt: skip
    named = rows.assign(
        name=rows["band"].map(formats.words)
        + ", "
        + rows["lead_bucket"]
        + " days, "
        + rows["basis"].map(lambda b: BASES.get(b, b))
    )
    chart(
        charts.intervals(
            named,
            name="name",
            value="loss_rate",
            low="low",
            high="high",
            color="band",
            axis=charts.axis_share("Share of the renewals that was lost, with 95 % interval"),
        ),
        "Share lost by band and lead, with intervals",
        page,
        named,
        [
            Column("name", "Band, days before due, basis"),
            Column("renewals", "Renewals", formats.count, numeric=True),
            Column("loss_rate", "Lost", formats.share, f"{MART}.high_band_loss_rate", True),
            Column("low", "from", formats.share, f"{MART}.high_band_loss_rate_low", True),
            Column("high", "to", formats.share, f"{MART}.high_band_loss_rate_high", True),
        ],
    )


def _card(page: Page) -> None:
    file = page.night.file(CARD)
    if file is None:
        nothing("This night was published without a model card: no model has been trained yet.")
        return
    with st.expander("What the model is, what it was tested on, how well it did, its limits"):
        # The card's own title stands above already; its links lead within itself.
        text = file.read_text(encoding="utf-8").partition("\n")[2]
        st.markdown(text.replace("\n## ", "\n#### ").replace("\n### ", "\n##### "))


def _freshness(page: Page) -> None:
    rows = page.ask(trust.freshness)
    mart = "operations.freshness"
    if rows.empty:
        nothing("No landed table is expected to bring news.")
        return
    connected = rows[rows["state"] != "no facts"]
    silent = connected[connected["state"] == "silent"]
    if silent.empty:
        lead(f"All {len(connected)} landed tables with facts are as fresh as they ought to be.")
    else:
        first = silent.iloc[0]
        lead(
            f"{formats.plural(len(silent), 'landed table')} of {len(connected)} brought no news "
            f"for longer than normal: {first['source_name']} {first['table_name']} is "
            f"{formats.count(first['lag_days'])} days old, "
            f"{formats.count(first['expected_lag_days'])} are normal."
        )
    columns = [
        Column("source_name", "Source", means=f"{mart}.source_name"),
        Column("table_name", "Table", means=f"{mart}.table_name"),
        Column("newest_known_on", "Newest fact", formats.day, f"{mart}.newest_known_on"),
        Column("lag_days", "Days old", formats.count, f"{mart}.lag_days", numeric=True),
        Column(
            "expected_lag_days",
            "Days that are normal",
            formats.count,
            f"{mart}.expected_lag_days",
            numeric=True,
        ),
        Column("state", "State", formats.words, f"{mart}.is_stale"),
    ]
    if len(silent):
        table(page, silent, columns, "Landed tables that are silent for too long")
    with st.expander(f"All {len(rows)} landed tables"):
        table(page, rows, columns, "Landed tables and their newest facts")


def _kept_out(page: Page) -> None:
    rejects = page.ask(trust.rejects)
    if rejects.empty:
        lead("The loaders kept no row out.")
    else:
        lead(
            f"{formats.count(rejects['faults'].sum())} faults kept rows out, "
            f"{formats.count(rejects['replayed'].sum())} of them mended since. The rows wait in "
            "the lake; nothing is lost."
        )
        mart = "operations.rejects"
        columns = [
            Column("source_name", "Source", means=f"{mart}.source_name"),
            Column("table_name", "Table", means=f"{mart}.table_name"),
            Column("rule", "Rule broken", formats.words, f"{mart}.rule"),
            Column("field", "Field", means=f"{mart}.field"),
            Column("faults", "Faults", formats.count, numeric=True),
            Column("replayed", "Mended", formats.count, f"{mart}.is_replayed", numeric=True),
            Column("remedy", "What to do", means=f"{mart}.remedy"),
        ]
        table(page, rejects.head(5), columns, "Most frequent faults in rejected rows")
        if len(rejects) > 5:
            with st.expander(f"All {len(rejects)} kinds of fault"):
                table(page, rejects, columns, "Faults in rejected rows")
    gaps = page.ask(trust.gaps)
    if len(gaps):
        with st.expander(f"{formats.count(gaps['gaps'].sum())} gaps in the sources, by kind"):
            table(
                page,
                gaps,
                [
                    Column("gap_type", "Kind", formats.words, "operations.data_gaps.gap_type"),
                    Column("object", "Of", formats.words, "operations.data_gaps.object"),
                    Column("gaps", "Gaps", formats.count, numeric=True),
                ],
                "Gaps in the sources",
            )
    late = page.ask(trust.restatements)
    if len(late):
        mart = "operations.restatements"
        with st.expander("What became known only after its month had ended, last 12 months"):
            table(
                page,
                late,
                [
                    Column("object", "What", formats.words, f"{mart}.object"),
                    Column("change_type", "Change", formats.words, f"{mart}.change_type"),
                    Column("late_rows", "Rows", formats.count, f"{mart}.late_rows", numeric=True),
                    Column("months", "Months touched", formats.count, numeric=True),
                    Column("newest_on", "Newest", formats.day, f"{mart}.last_known_on"),
                ],
                "Late facts",
            )
    changes = page.ask(trust.schema_changes)
    if changes.empty:
        note("No source has changed its shape.")
    else:
        mart = "operations.schema_changes"
        table(
            page,
            changes,
            [
                Column("first_seen_on", "Seen", formats.day, f"{mart}.first_seen_on"),
                Column("source_name", "Source"),
                Column("table_name", "Table"),
                Column("field", "Field", means=f"{mart}.field"),
                Column("kind", "Change", formats.words, f"{mart}.kind"),
                Column("outcome", "Outcome", formats.words, f"{mart}.outcome"),
                Column("remedy", "What to do", means=f"{mart}.remedy"),
            ],
            "Sources that changed their shape",
        )


def _unknowns(page: Page) -> None:
    rows = page.ask(trust.unknowns)
    mart = "renewals.known_unknowns"
    if rows.empty:
        lead("Every fact that ought to be known of a customer is known.")
    else:
        table(
            page,
            rows,
            [
                Column("label", "Not known", formats.words, f"{mart}.label"),
                Column(
                    "accounts_unknown",
                    "Accounts",
                    formats.count,
                    f"{mart}.accounts_unknown",
                    numeric=True,
                ),
                Column(
                    "unknown_share", "of all", formats.share, f"{mart}.unknown_share", numeric=True
                ),
                Column(
                    "arr_unknown_usd",
                    "ARR it hangs on",
                    formats.money,
                    f"{mart}.arr_unknown_usd",
                    numeric=True,
                ),
                Column("remedy", "What to do", formats.words, f"{mart}.remedy"),
            ],
            "Facts not known of customers",
        )
    missing = page.ask(trust.inputs_missing)
    if len(missing):
        with st.expander(f"{formats.plural(len(missing), 'input')} this company does not have"):
            table(
                page,
                missing,
                [
                    Column("label", "Input", formats.words, f"{mart}.label"),
                    Column("needed_by", "Empty without it", means=f"{mart}.needed_by"),
                    Column("remedy", "What to do", formats.words, f"{mart}.remedy"),
                ],
                "Inputs that are missing",
            )


def _beside(page: Page) -> None:
    links = [
        f"- [{label}](/beside/{name})"
        for name, label in BESIDE.items()
        if page.night.file(f"{FOLDER}/{name}") is not None
    ]
    if links:
        st.markdown("\n".join(links))
    else:
        nothing("This night was published without pages of its tests and models.")
    note(
        "A night is shown only after every blocking check of it has passed; when one fails, "
        "readers keep the night before."
    )
