"""Surveys: NPS, satisfaction, awareness of value, the monthly question, expectations.

Belongs here: answers of contacts by level. Users answer from their daily work, executives from what
reaches them; where the two differ, the answers differ.
Must not be here: ratings of single support cases. Silence is not an answer: whoever does not
respond leaves no row.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from sample_company.rng import F64
from sample_company.world.noise import Noise, spread
from sample_company.world.office import business_day, hours, naive, office_time, utc
from sample_company.world.panel import Panel, Tables, dates, happened, plain_ids
from sample_company.world.people import LEVELS, pick_people


@dataclass(frozen=True)
class Question:
    """One survey put to one level: every how many months, how many answers, and their mean."""

    survey_type: str
    level: str
    every: int
    rate: F64
    mean: F64
    spread: float
    low: int
    high: int


def add_surveys(tables: Tables, noise: Noise, panel: Panel) -> Tables:
    """Draw survey responses.

    Args:
        tables: needs `spells` (from `add_people`).
        noise: draws of the world's seed.
        panel: accounts and their months in service.

    Returns:
        survey_responses (immutable facts).
    """
    parts = [_answers(noise, panel, tables["spells"], q) for q in _questions(panel)]
    return {
        "survey_responses": happened(pd.concat(parts, ignore_index=True), "known_at", panel.horizon)
    }


def _questions(panel: Panel) -> list[Question]:
    months = panel.months
    connection = months["exec_connection"].to_numpy(dtype=float)
    value = months["value_realised"].to_numpy(dtype=float)
    need = months["need"].to_numpy(dtype=float)
    happy = months["users_happy"].to_numpy(dtype=float)
    cold = months["exec_cold"].to_numpy(dtype=float)
    locked = months["is_locked_in"].to_numpy(dtype=float)
    heard = 1.0 - 0.97 * months["is_silent"].to_numpy(dtype=float)
    size = np.where(months["segment"].to_numpy() == "SMB", 0.7, 1.5)
    # Users see value and whether the main thing works; executives see the relationship.
    user = 4.6 + 4.2 * value - 2.6 * np.clip(0.95 - need, 0, 1) + 2.0 * happy - 1.2 * locked
    manager = 4.4 + 3.2 * value + 1.6 * connection - 2.0 * np.clip(0.95 - need, 0, 1) - locked
    executive = 3.6 + 4.6 * connection + 1.6 * value - 1.5 * cold - 1.2 * locked
    aware = 1.0 + 5.2 * connection * (0.4 + value) + 3.0 * value - cold
    expected = 3.2 + 4.6 * value + 1.2 * connection - 3.0 * np.clip(0.95 - need, 0, 1)
    ones = np.ones(len(months))
    return [
        Question("nps", "end_user", 6, 0.32 * size * heard, user, 1.9, 0, 10),
        Question("nps", "manager", 6, 0.26 * size * heard, manager, 1.8, 0, 10),
        Question(
            "nps",
            "director_plus",
            6,
            (0.07 + 0.22 * connection) * size * heard,
            executive,
            1.8,
            0,
            10,
        ),
        Question("csat", "end_user", 1, 0.030 * size * heard, 2.2 + 0.27 * user, 0.8, 1, 5),
        Question(
            "value_awareness",
            "director_plus",
            3,
            (0.05 + 0.16 * connection) * size * heard,
            aware,
            1.4,
            0,
            10,
        ),
        Question("monthly_question", "manager", 1, 0.045 * heard * ones, manager, 1.9, 0, 10),
        Question("monthly_question", "end_user", 1, 0.025 * heard * ones, user, 1.9, 0, 10),
        Question("expectation", "manager", 6, 0.16 * size * heard, expected, 1.7, 0, 10),
    ]


def _answers(noise: Noise, panel: Panel, spells: pd.DataFrame, question: Question) -> pd.DataFrame:
    months = panel.months
    key, month_no = months["key"].to_numpy(), months["month_no"].to_numpy()
    name = f"surveys.{question.survey_type}.{question.level}"
    # Each account has its own rhythm, so that not everyone is asked in January.
    asked = (month_no + (key % np.uint64(12)).astype(np.int64)) % question.every == 0
    row, k = spread(noise.poisson(question.rate * asked, name, key, month_no))
    answer = noise.bits(name + ".key", key[row], month_no[row], k)
    begin = months["month"].to_numpy().astype("datetime64[D]")[row]
    finish = (month_no[row] + 1).astype("datetime64[M]").astype("datetime64[D]")
    day = business_day(begin, finish - np.timedelta64(1, "D"), noise.uniform(name + ".day", answer))
    position = months["position"].to_numpy()[row]
    kept = panel.serves(position, day)
    row, answer, day, position = row[kept], answer[kept], day[kept], position[kept]
    people = pick_people(
        noise,
        name + ".who",
        spells,
        position,
        day,
        answer,
        np.full(day.size, question.level, dtype=object),
    )
    at, who = people.index.to_numpy(), people.to_numpy()
    score = question.mean[row][at] + question.spread * noise.normal(name + ".score", answer)[at]
    opened = naive(
        office_time(day[at], panel.at("zone", position[at]), noise, "surveys.time", answer[at])
    )
    level = spells["level"].to_numpy(dtype=object)[who]
    return pd.DataFrame(
        {
            "survey_response_id": plain_ids("srv_", answer[at]),
            "account_id": panel.at("account_id", position[at]),
            "contact_id": spells["contact_id"].to_numpy()[who],
            "survey_type": question.survey_type,
            "score": np.clip(np.round(score), question.low, question.high),
            "respondent_level": np.where(np.isin(level, LEVELS), level, None),
            "responded_on": dates(opened.astype("datetime64[D]")),
            "known_at": utc(opened + hours(0.2 + 20 * noise.uniform("surveys.lag", answer[at]))),
        }
    )
