"""How activity is spread over time."""

from tests.spec.spec import Chapter, Spec
from tests.spec.timeline import Mark

SESSIONS = Chapter(
    "sessions",
    """
Ten page views in one evening are one visit; ten visits are ten decisions to come back. Days are UTC days.
""",
    (
        Spec(
            "A pause of more than 30 minutes begins a new visit, one of exactly 30 does not",
            """
            10 minutes | 0123456789
            ann        | x..x...x
            bob        | x..x..x
            look       |          ^
            """,
            """
                          | ann | bob
            sessions_7d   | 2   | 1
            sessions_life | 2   | 1
            active_days_7d | 1  | 1
            """,
        ),
        Spec(
            "A visit that is under way when the window opens counts",
            """
            days | 01234567
            ann  | <
            ann  | x...x
            bob  | <
            look |        ^
            """,
            """
                          | ann | bob
            sessions_7d   | 2   | 0
            sessions_30d  | 2   | 1
            """,
            marks={"<": Mark("page_view", "web", shift_us=-20 * 60 * 1_000_000)},
            because="`<` is 20 minutes before the window of 7 days opens.",
        ),
        Spec(
            "An active day is a day in UTC with any activity",
            """
            6 hours | 0123456789012
            ann     | ...xxx...x
            look    |             ^
            """,
            """
                             | ann
            active_days_7d   | 3
            active_days_30d  | 3
            active_days_90d  | 3
            active_days_life | 3
            sessions_90d     | 4
            """,
            because="Monday 18:00; Tuesday 0:00 and 6:00; Wednesday 6:00.",
        ),
    ),
)

GAPS = Chapter(
    "gaps and rhythm",
    """
Every lead has a rhythm of its own. Three quiet days mean nothing for one who comes every month, and much for one who
came every day.
""",
    (
        Spec(
            "Silence is measured by the lead's own usual gap",
            """
            days | 0123456789
            ann  | xx..x
            bob  | x.x
            cleo | ..x
            look |         ^
            """,
            """
                     | ann      | bob     | cleo
            gap_mean | 2        | 2       | unknown
            gap_std  | 2 ** 0.5 | unknown | unknown
            silence  | 4 / 2    | 6 / 2   | unknown
            """,
            because="Ann's gaps are 1 and 3 days: mean 2, and a spread of √2 around it (n - 1). One gap has no "
            "spread; one activity has no gap.",
        ),
        Spec(
            "Where everything came at once there is no usual gap to be silent by",
            """
            days | 012345
            ann  | x
            ann  | x
            ann  | p
            look |     ^
            """,
            """
                     | ann
            gap_mean | 0
            gap_std  | 0
            silence  | unknown
            """,
        ),
    ),
)

TREND = Chapter(
    "trend",
    """
More than before, or less? Measured against the lead's own past, not against other leads, for all activity and for
high-intent actions.
""",
    (
        Spec(
            "Trend is activity a day lately, less activity a day before",
            """
            days | 0123456789012345678901234567890
            ann  | x.........x............p.....x
            bob  | x.........x
            look |                               ^
            """,
            """
                                      | ann         | bob
            engagement_trend_7d_30d   | 2/7 - 2/23  | 0/7 - 2/23
            engagement_trend_30d_90d  | 4/30 - 0/60 | 2/30
            high_intent_trend_7d_30d  | 1/7 - 0/23  | unknown
            high_intent_trend_30d_90d | 1/30        | unknown
            """,
            because="The long window is taken without the short one: 23 days before the last 7.",
        ),
        Spec(
            "Surge is the share of the long window that came in the short one",
            """
            days | 0123456789012345678901234567890
            ann  | x.........x............p.....x
            bob  | x.........x
            look |                               ^
            """,
            """
                                      | ann | bob
            engagement_surge_7d_30d   | 2/4 | 0/2
            engagement_surge_30d_90d  | 4/4 | 2/2
            high_intent_surge_7d_30d  | 1/1 | unknown
            high_intent_surge_30d_90d | 1/1 | unknown
            """,
            because="An even pace gives 7/30 ≈ 0.23; above it the lead is warming up.",
        ),
        Spec(
            "After long silence the trend is zero, and the share of nothing is unknown",
            """
            10 days | 01234
            ann     | x
            look    |     ^
            """,
            """
                                     | ann
            engagement_trend_7d_30d  | 0
            engagement_surge_7d_30d  | unknown
            engagement_trend_30d_90d | 0/30 - 1/60
            engagement_surge_30d_90d | 0
            """,
        ),
    ),
)

HOURS = Chapter(
    "hours and weekdays",
    """
When in the day and in the week a lead is active, as shares of all its activity. Hours are UTC for every lead, in
summer and in winter: the same clock in training and in serving.
""",
    (
        Spec(
            "The four quarters of the day",
            """
            6 hours | 012345678
            ann     | xx..x.x
            look    |         ^
            """,
            """
                            | ann
            share_night     | 2/4
            share_morning   | 1/4
            share_afternoon | 1/4
            share_evening   | 0
            """,
            because="Monday 0:00 and Tuesday 0:00 are night, 6:00 is morning, 12:00 is afternoon.",
        ),
        Spec(
            "Business hours are Monday to Friday, from 9 until before 17",
            """
            hours | 0123456789012345678901234
            ann   | ........xx......xx
            look  |                         ^
            """,
            """
                                 | ann
            share_business_hours | 2/4
            """,
            because="On a Monday: 8:00 is early, 9:00 and 16:00 are inside, 17:00 is late.",
        ),
        Spec(
            "The weekend is Saturday and Sunday",
            """
            days | 0123456789
            ann  | ....xxxx
            look |         ^
            """,
            """
                                 | ann
            share_weekend        | 2/4
            share_business_hours | 0
            """,
        ),
    ),
)

CHAPTERS = (SESSIONS, GAPS, TREND, HOURS)
