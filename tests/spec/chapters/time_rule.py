"""The rule that all features obey: what had happened, and was known, before the moment of looking."""

from tests.spec.spec import Chapter, Spec
from tests.spec.timeline import Mark

ABOUT = """
Every record has two times: when it **happened** (`occurred_at`) and when we could first **know** of it (`known_at`).
A feature is asked *as of* a moment. A record counts if it had happened **and** was known before that moment; a window
of 7 days is `[moment - 7 days, moment)` and runs on when things happened. So a number that a model learned from is the
number the server would have computed on that day, and nothing that comes in later can change it.
"""

TIME_RULE = Chapter(
    "The time rule",
    ABOUT,
    (
        Spec(
            "A window is closed at its start and open at the moment of looking",
            """
            days | 01234567
            ann  | x......x
            bob  | <
            cleo |        <
            look |        ^
            """,
            """
                                 | ann | bob | cleo
            page_view_count_7d   | 1   | 0   | 1
            page_view_count_life | 1   | 1   | 1
            """,
            marks={"<": Mark("page_view", "web", shift_us=-1)},
            because="Ann's first view lies exactly on the start of the window and counts; her second is at the very "
            "moment of looking and does not. Bob's is a microsecond too old, Cleo's a microsecond before the look.",
        ),
        Spec(
            "What became known later is invisible to every moment before",
            """
            days    | 01234567
            ann     | x..x
              known | x.....x
            look    |      ABC
            """,
            """
                               | ann at A | ann at B | ann at C
            page_view_count_7d | 1        | 1        | 2
            page_view_recency  | 5        | 6        | 4
            """,
            because="The second view happened on day 3 and arrived on day 6. At B it becomes known at the very moment "
            "of looking: not before it. At C it counts with the day it happened, not the day it arrived.",
        ),
        Spec(
            "Adding what happens later changes nothing",
            """
            days    | 0123456789
            ann     | x..x
            bob     | x..x.dx.xx
              known | x..x.......d
            look    |      ^
            """,
            """
                                     | ann      | bob
            engagement_count_life    | 2        | 2
            demo_request_count_life  | 0        | 0
            demo_request_recency     | unknown  | unknown
            last_touch_kind          | page_view | page_view
            """,
        ),
        Spec(
            "Stage changes and attributes obey the same rule",
            """
            days          | 01234567
            ann, stage    | l..m
              known       | l....m
            ann, industry | b...s
            look          |    A B C
            """,
            """
                             | ann at A | ann at B | ann at C
            current_stage    | lead     | lead     | marketing-qualified
            industry         | bank     | software | software
            """,
            values={"b": "bank", "s": "software"},
        ),
        Spec(
            "Of things that happen at one moment all count, and the order they arrive in does not matter",
            """
            days | 01234567
            ann  | ..x
            ann  | ..p
            bob  | ..p
            bob  | ..x
            look |     ^
            """,
            """
                                     | ann          | bob
            page_view_count_life     | 1            | 1
            pricing_view_count_life  | 1            | 1
            first_touch_kind         | page_view    | page_view
            last_touch_kind          | pricing_view | pricing_view
            gap_mean                 | 0            | 0
            """,
            because="Among equals the taxonomy's order decides: kinds first, then channels, then values.",
        ),
        Spec(
            "Unknown is not zero",
            """
            days | 0123
            ann  |
            look |    ^
            """,
            """
                                    | ann
            engagement_count_life   | 0
            engagement_intensity_3d | 0
            active_days_30d         | 0
            sessions_30d            | 0
            channels_30d            | 0
            value_sum_life          | 0
            stage_changes           | 0
            engagement_recency      | unknown
            first_activity_days     | unknown
            value_max_life          | unknown
            gap_mean                | unknown
            silence                 | unknown
            engagement_trend_7d_30d | unknown
            high_intent_share_life  | unknown
            share_weekend           | unknown
            first_touch_channel     | unknown
            current_stage           | unknown
            industry                | unknown
            """,
            because="How many times is always known. How long ago, on average, how large or what share has no answer "
            "where nothing happened; the cell stays empty, and the model sees that it is.",
        ),
        Spec(
            "What a lead did before it was created counts",
            """
            days         | 0123456
            ann          | x..d
            ann, created |    *
            look         |      ^
            """,
            """
                                 | ann
            page_view_count_life | 1
            first_activity_days  | 5
            days_since_created   | 2
            """,
            because="Visits are often tied to a person only when the first form comes in.",
        ),
        Spec(
            "A name that the taxonomy lacks is counted as other activity, never dropped",
            """
            days | 0123
            ann  | f
            look |    ^
            """,
            """
                                  | ann
            other_count_life      | 1
            engagement_count_life | 1
            first_touch_kind      | other
            first_touch_channel   | other
            """,
            marks={"f": Mark("fax", "carrier pigeon")},
        ),
    ),
)

CHAPTERS = (TIME_RULE,)
