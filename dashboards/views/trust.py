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
CHECKS = "operations.checks"
CARD = "model-card.md"
#: Stage of the night -> what is checked there.
STAGES = {
    "loaded": "What the sources brought",
    "built": "The tables made of it",
    "scored": "The models behind the scores",
}
BROKEN = (
    Column("outcome", "Outcome", formats.words),
    Column("subject", "Table"),
    Column("what_is_checked", "What must hold"),
    Column("rows_at_fault", "Rows", formats.count, numeric=True),
    Column("found", "What was found"),
)
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
    with section("Did the checks hold?"):
        _checks(page)
    with section("What was kept out, and what is unclear"):
        _kept_out(page)
    with section("What we do not know"):
        _unknowns(page)


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
            *_held(page),
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
                "What-if statements held",
                f"{formats.count(proofs['reproduced'])} of {formats.count(proofs['scenarios'])}",
                "recomputed every night",
                "value.scenarios.is_reproduced",
            ),
        ],
    )


def _held(page: Page) -> list[Figure]:
    # A night that is gone back to may be older than the table.
    sums = page.ask(trust.checked).sum() if page.night.has(CHECKS) else {"checks": 0}
    if not sums["checks"]:
        return []
    return [
        Figure(
            "Checks that held",
            formats.count(sums["passed"]),
            f"of {formats.count(sums['checks'])} run",
            f"{CHECKS}.outcome",
        )
    ]


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
            Column("who", "Who", means="forecaster"),
            Column("how", "Basis", means="basis"),
            Column("lead_bucket", "Days before due", wrap=False),
            Column("renewals", "Renewals", formats.count, numeric=True),
            Column("mean_p_lost", "Said", formats.share, numeric=True),
            Column("base_rate", "Lost", formats.share, numeric=True),
            Column("brier_skill", "Skill", lambda v: formats.number(v, 2), numeric=True),
            Column("flagged_share", "Flagged", formats.share, numeric=True),
            Column(
                "flag_precision",
                "Flagged and lost",
                formats.share,
                means="flag_precision_rate",
                numeric=True,
            ),
            Column(
                "losses_flagged",
                "Losses flagged",
                formats.share,
                means="losses_flagged_rate",
                numeric=True,
            ),
        ],
        "Forecasts against outcomes",
        of=MART,
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
            Column("loss_rate", "Lost", formats.share, means="high_band_loss_rate", numeric=True),
            Column("low", "from", formats.share, means="high_band_loss_rate_low", numeric=True),
            Column("high", "to", formats.share, means="high_band_loss_rate_high", numeric=True),
        ],
        of=MART,
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
            f"for longer than normal: {first['source_name']}.{first['table_name']} is "
            f"{formats.count(first['lag_days'])} days old, "
            f"{formats.count(first['expected_lag_days'])} are normal."
        )
    columns = [
        Column("source_name", "Source"),
        Column("table_name", "Table"),
        Column("newest_known_on", "Newest fact", formats.day),
        Column("lag_days", "Days old", formats.count, numeric=True),
        Column("expected_lag_days", "Days that are normal", formats.count, numeric=True),
        Column("state", "State", formats.words, means="is_stale"),
    ]
    if len(silent):
        table(page, silent, columns, "Landed tables that are silent for too long", mart)
    with st.expander(f"All {len(rows)} landed tables"):
        table(page, rows, columns, "Landed tables and their newest facts", mart)


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
            Column("source_name", "Source"),
            Column("table_name", "Table"),
            Column("rule", "Rule broken", formats.words),
            Column("field", "Field"),
            Column("faults", "Faults", formats.count, numeric=True),
            Column("replayed", "Mended", formats.count, means="is_replayed", numeric=True),
            Column("remedy", "What to do"),
        ]
        table(page, rejects.head(5), columns, "Most frequent faults in rejected rows", mart)
        if len(rejects) > 5:
            with st.expander(f"All {len(rejects)} kinds of fault"):
                table(page, rejects, columns, "Faults in rejected rows", mart)
    gaps = page.ask(trust.gaps)
    if len(gaps):
        with st.expander(f"{formats.count(gaps['gaps'].sum())} gaps in the sources, by kind"):
            table(
                page,
                gaps,
                [
                    Column("gap_type", "Kind", formats.words),
                    Column("object", "Of", formats.words),
                    Column("gaps", "Gaps", formats.count, numeric=True),
                ],
                "Gaps in the sources",
                of="operations.data_gaps",
            )
    late = page.ask(trust.restatements)
    if len(late):
        mart = "operations.restatements"
        with st.expander("What became known only after its month had ended, last 12 months"):
            table(
                page,
                late,
                [
                    Column("object", "What", formats.words),
                    Column("change_type", "Change", formats.words),
                    Column("late_rows", "Rows", formats.count, numeric=True),
                    Column("months", "Months touched", formats.count, numeric=True),
                    Column("newest_on", "Newest", formats.day, means="last_known_on"),
                ],
                "Late facts",
                of=mart,
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
                Column("first_seen_on", "Seen", formats.day),
                Column("source_name", "Source"),
                Column("table_name", "Table"),
                Column("field", "Field"),
                Column("kind", "Change", formats.words),
                Column("outcome", "Outcome", formats.words),
                Column("remedy", "What to do"),
            ],
            "Sources that changed their shape",
            of=mart,
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
                Column("label", "Not known", formats.words),
                Column("accounts_unknown", "Accounts", formats.count, numeric=True),
                Column("unknown_share", "of all", formats.share, numeric=True),
                Column("arr_unknown_usd", "ARR it hangs on", formats.money, numeric=True),
                Column("remedy", "What to do", formats.words),
            ],
            "Facts not known of customers",
            of=mart,
        )
    missing = page.ask(trust.inputs_missing)
    if len(missing):
        with st.expander(f"{formats.plural(len(missing), 'input')} this company does not have"):
            table(
                page,
                missing,
                [
                    Column("label", "Input", formats.words),
                    Column("needed_by", "Empty without it"),
                    Column("remedy", "What to do", formats.words),
                ],
                "Inputs that are missing",
                of=mart,
            )


def _checks(page: Page) -> None:
    counted = page.ask(trust.checked)
    if counted.empty:
        nothing("This night does not say what was checked. The next one will.")
    else:
        sums = counted[["checks", "passed", "warned", "failed"]].sum()
        lead(
            f"{formats.count(sums['checks'])} checks were run before this night was shown: "
            f"{formats.count(sums['passed'])} passed, {formats.count(sums['warned'])} warned, "
            f"{formats.count(sums['failed'])} failed."
        )
        broken = page.ask(trust.not_held)
        if len(broken):
            table(page, broken, BROKEN, "Checks that did not hold", of=CHECKS)
        with st.expander("How many, by stage of the night"):
            table(
                page,
                counted.assign(stage=counted["stage"].map(lambda name: STAGES.get(name, name))),
                [
                    Column("stage", "What was checked"),
                    Column("checks", "Checks", formats.count, numeric=True),
                    Column("passed", "Passed", formats.count, numeric=True),
                    Column("warned", "Warned", formats.count, numeric=True),
                    Column("failed", "Failed", formats.count, numeric=True),
                ],
                "Checks by stage of the night",
                of=CHECKS,
            )
    note(
        "A night is shown only after every blocking check of it has passed; when one fails, "
        "readers keep the night before."
    )
    links = [
        f"- [{label}](/beside/{name})"
        for name, label in BESIDE.items()
        if page.night.file(f"{FOLDER}/{name}") is not None
    ]
    if links:
        st.markdown("\n".join(links))
    else:
        nothing("This night was published without pages of its tests and models.")
