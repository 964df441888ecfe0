"""What the billing system recorded: products, prices, subscriptions, invoices to the cent.

Belongs here: rendering of the contract ledgers as Stripe objects. Must not be here: decisions of customers,
and no recurring revenue (see `truth`, which never reads this module's tables).

How each truth can be derived from what Stripe and Salesforce serve
====================================================================
Stripe keeps the present of a subscription, 30 days of events, and all invoices. Everything below is true of
every subscription here, so history before the first load follows from invoice lines alone.

**Instants.** All in UTC, whole seconds. A state holds from its instant (inclusive) to the next one (exclusive).
Month-end is the last instant of the month. Period boundaries: day of `billing_cycle_anchor` in each month,
clamped to the month's end (31 Jan -> 28 Feb -> 31 Mar), at the anchor's time of day. With a trial the
anchor is `trial_end`. Only a change of interval at a boundary changes the length of periods, never the anchor.

**Price and quantity of an item over time.** Take the lines of the item that are not credit prorations
(`is_credit_proration` false) and not one-off, of invoices in any status, void ones too. Each states price and
quantity from its `period.start`; it holds until the next such line's `period.start`, the last one until the
subscription ends (`ended_at`). There is a regular line at each period start (also with 100 % discount; also
in trial, amount 0 and then period = trial), and for every change inside a period, at the very instant, an
invoice with billing_reason `subscription_update` (the vendor's setting is `always_invoice`) with one pair
of proration lines per item changed: credit "Unused time on ..." (negative, old price, with
`proration_details.credited_items`) and debit "Remaining time on ...". Both carry period = change instant to
period end. Prorated to the second: round(price x quantity x (1 - discount) x remaining / whole period), half
away from zero. Changes at a boundary (price rise, seats, annual to monthly at renewal) show only as the
new regular line. Two changes of one item never share an instant. `subscription_item_versions` says the same.

**Months of a price**: interval month x count, or year x count x 12 (2- and 3-year prices exist: year x 2, x 3).

**MRR of an item** in account currency = round(unit price x quantity / months x (1 - rate), 2), half away from
zero, also for JPY (two decimals). rate = percent_off / 100, or for amount_off: min(1, amount_off / sum of
price x quantity over the subscription's items). USD = round(item's mrr x usd_per_unit, 2). Account = sum of items. Do
it in decimals (a double such as 10.025 rounds down).

**Discounts.** At most one discount reaches an item at a time (levels: subscription, customer, item). It holds from
`start` to `end`; `once` and `forever` have no `end`, as in Stripe: forever runs to the subscription's end, once
covers the regular period it was granted in, i.e. ends at the first period start after `start`. A discount whose time is
over is no longer listed on its owner, but every invoice it touched has it (expand `discounts`), and the lines carry
`discount_amounts`. `start` and `end` are period boundaries. Customer-level ones belong to customers with one subscription.

**Trial** (status trialing): MRR 0 until `trial_end`; not converted: `ended_at` = `trial_end`, never MRR. **Free ramp**:
100 % repeating coupon of 6, 12 or 18 months on a monthly bill under a 36-month contract: MRR 0, contract active.

**Pause** (`pause_collection`, behavior void): only monthly bills, always whole periods, no proration. The regular
invoices of paused periods are created and voided at once (`status` void, `voided_at`); the subscription stays
active. So a pause = consecutive void subscription_cycle invoices: from the period start of the first line to the period
end of the last. Nothing else is ever void. A pause that ends in a cancellation ends at that boundary. Policy: a
pause that has lasted more than 90 days (days between the instants > 90) is churn, dated at the pause start.

**Past due**: a failed payment at a period start; status past_due until paid (days later; nothing changes) or until
cancelled 24 days later (`ended_at`, cancellation_details.reason `payment_failed`; its last invoice is marked
uncollectible). MRR counts until `ended_at`. This churn is involuntary.

**End of service** = `ended_at` (equal to the period end with cancel_at_period_end, asked for at `canceled_at`).
No credit for unused time is given (prorate false). Subscriptions replaced early end at the new one's `start_date`.

**Terms.** `metadata.term_months` (24, 36, or 12 on monthly bills) if present, else interval x count if >= 12 months,
else evergreen with rolling 12 months. Terms count from the anchor (trial end or start), each due N x months later at the
boundary; after annual to monthly (same subscription, at a due boundary) rolling terms follow. Metadata never changes.
With D the due instant, S the subscription:
 - S in force at D: `paused` if D lies in a pause (start <= D < end), else `renewed_expanded / flat / contracted`: ARR of S from D on
   (12 x its MRR in USD at D) against ARR just before D (the due ARR). No other change comes within two days of D.
 - S ended at E <= D: `superseded` if a subscription with metadata.replaces_subscription_id = S started at or before D (it starts at E);
   `renewed_late` if such a one started in (D, D + 60 days]; otherwise lost; while as-of <= D + 60 days and E = D: `pending`. E < D
   (evergreens, failed payments) is lost at once; `due_on` stays the scheduled date, `ended_on` says when.
 - D after as-of and S in force: `open`.
 A customer who comes back without the replaces link starts more than 60 days after D.

**Accounts.** customer.metadata.account_id is the CRM account that signed and never changes; after a merger the CRM's
MasterRecordId leads to the survivor. In `truth_mrr` and `truth_movements` the loser holds its contracts at month-ends before
the merger and the survivor after (merge_transfer: -x and +x, x = the loser's opening MRR); `truth_movements_surviving` maps
everything to the final survivor at all times instead.

**Movements**, from month-end to month-end per holder, one type each (plus merge_transfer, which is taken out first;
plus pause parts, which concern only holders with a single subscription):
opening 0 -> closing > 0: `new` if never paying at an earlier month-end, `pause_in` if the holder's zero was a pause of at most 90 days
that began after it last paid, else `reactivation`. opening > 0 -> closing 0: `pause_out` if paused at closing (and the pause does not
come to more than 90 days by the as-of date), else `churn`. Both > 0: `expansion` or `contraction` by the sign of the difference.
Parts: per plan (product) of the holder, m = sum of item MRR in USD, q = sum of quantities, over items with m > 0: on
both sides present: seats = round((q1 - q0) x m0 / q0, 2), price = m1 - m0 - seats; on one side only: plan = m1 - m0.

**CRM money**: opportunity amounts differ from billing in 2 % of cases; billing wins.
"""
