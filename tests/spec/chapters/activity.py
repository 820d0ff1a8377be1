"""How much, how recently, how strongly, and worth what."""

from tests.spec.spec import Chapter, Spec
from tests.spec.timeline import Mark

COUNTS = Chapter(
    "counts",
    """
How often something was done, for every kind of activity and every group of kinds, in windows of 1, 7, 30 and 90 days
and so far. The plainest numbers there are, and the ones a seller can check.
""",
    (
        Spec(
            "Everything is counted in the last 1, 7, 30 and 90 days, and so far",
            """
            5 days | 012345678901234567890
            ann    | x.x...........x....x
            look   |                     ^
            """,
            """
                                 | ann
            page_view_count_1d   | 0
            page_view_count_7d   | 1
            page_view_count_30d  | 2
            page_view_count_90d  | 3
            page_view_count_life | 4
            """,
            because="The views are 100, 90, 30 and 5 days old; on the start of a window counts as inside.",
        ),
        Spec(
            "A group counts its kinds together",
            """
            days | 01234567
            ann  | xpbdwe
            look |       ^
            """,
            """
                                 | ann
            engagement_count_7d  | 6
            web_count_7d         | 3
            high_intent_count_7d | 2
            content_count_7d     | 2
            email_count_7d       | 1
            pricing_view_count_7d | 1
            """,
            because="Kinds may be in several groups: a pricing-page view is a view on the website and a high-intent "
            "action.",
        ),
        Spec(
            "What a lead merely receives is counted, but is no engagement",
            """
            days | 01234567
            ann  | rrr.e
            look |       ^
            """,
            """
                                   | ann
            email_receive_count_7d | 3
            engagement_count_7d    | 1
            email_count_7d         | 1
            """,
        ),
    ),
)

RECENCY = Chapter(
    "recency",
    """
Days since the latest and since the first, with their fractions. Empty where it never happened: "never" is neither a
large number nor zero.
""",
    (
        Spec(
            "Recency is the time since the latest, in days with fractions",
            """
            6 hours | 012345678
            ann     | ...x..p.x
            bob     | x.x
            look    |         ^
            """,
            """
                                  | ann     | bob
            page_view_recency     | 1.25    | 1.5
            pricing_view_recency  | 0.5     | unknown
            web_recency           | 0.5     | 1.5
            high_intent_recency   | 0.5     | unknown
            first_activity_days   | 1.25    | 2
            """,
            because="Ann's last page view comes at the moment of looking, too late to be seen.",
        ),
    ),
)

INTENSITY = Chapter(
    "decayed intensity",
    """
A count in which everything loses half its weight after 3 days, or after 14. It has no edge: an activity never falls
out of it at midnight, it fades.
""",
    (
        Spec(
            "An activity counts one, a half after one half-life, a quarter after two",
            """
            days | 0123456
            ann  | x..p
            bob  | x
            look |       ^
            """,
            """
                                      | ann                           | bob
            engagement_intensity_3d   | 1/4 + 1/2                     | 1/4
            high_intent_intensity_3d  | 1/2                           | 0
            engagement_intensity_14d  | 2 ** (-6/14) + 2 ** (-3/14)   | 2 ** (-6/14)
            """,
        ),
    ),
)

VALUES = Chapter(
    "values",
    """
What activities were worth, in whatever unit the source gives: a basket, minutes watched, points of a test.
""",
    (
        Spec(
            "Known values are added up, and the largest is kept",
            """
            10 days | 012345
            ann     | h.sn.s
            ann     | ...s
            bob     | n..n
            look    |      ^
            """,
            """
                           | ann  | bob
            value_sum_30d  | 25   | 0
            value_sum_life | 125  | 0
            value_max_30d  | 12.5 | unknown
            value_max_life | 100  | unknown
            """,
            marks={
                "h": Mark("product_use", "product", 100.0),
                "s": Mark("product_use", "product", 12.5),
                "n": Mark("product_use", "product"),
            },
        ),
        Spec(
            "A number beyond 10³⁰ is a mistake, and unknown",
            """
            days | 0123
            ann  | !.v
            look |    ^
            """,
            """
                                  | ann
            value_sum_life        | -2
            value_max_life        | -2
            engagement_count_life | 2
            """,
            marks={
                "!": Mark("product_use", "product", 1e31),
                "v": Mark("product_use", "product", -2.0),
            },
            because="The activity itself still counts.",
        ),
    ),
)

CHAPTERS = (COUNTS, RECENCY, INTENSITY, VALUES)
