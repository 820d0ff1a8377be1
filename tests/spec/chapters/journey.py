"""Where the lead has been between marketing and sales."""

from tests.spec.spec import Chapter, Spec

JOURNEY = Chapter(
    "journey",
    """
How old the lead is, where it stands, how long it has stood there.
""",
    (
        Spec(
            "Age, weekday and hour of creation are those of UTC",
            """
            6 hours      | 0123456789012
            ann, created |       *
            look         |           ^
            """,
            """
                               | ann
            days_since_created | 1
            created_weekday    | Tuesday
            created_hour       | 12
            """,
        ),
        Spec(
            "The stage is the latest one known; a move at the moment of looking is too late",
            """
            days       | 01234567
            ann, stage | l..m...a
            bob        | x
            look       |        ^
            """,
            """
                          | ann                 | bob
            current_stage | marketing-qualified | unknown
            days_in_stage | 4                   | unknown
            stage_changes | 2                   | 0
            """,
        ),
        Spec(
            "Of moves at one moment the one further down the funnel holds",
            """
            days       | 01234567
            ann, stage | l..a
            ann, stage | ...m
            bob, stage | q.z
            bob, stage | ..w
            look       |        ^
            """,
            """
                          | ann               | bob
            current_stage | accepted by sales | lost
            stage_changes | 3                 | 3
            """,
            because="Exports often keep the date and lose the hour.",
        ),
    ),
)

EARLIER = Chapter(
    "earlier handoffs and returns",
    """
Whether this lead has been here before: handed over, accepted, returned, lost, won.
""",
    (
        Spec(
            "Earlier rounds are counted, and the latest is dated",
            """
            days       | 0123456789
            ann, stage | lmar.ma
            look       |          ^
            """,
            """
                             | ann
            mql_count        | 2
            mql_recency      | 4
            sal_count        | 2
            sal_recency      | 3
            returned_count   | 1
            returned_recency | 6
            sql_count        | 0
            sql_recency      | unknown
            """,
        ),
        Spec(
            "A lead that comes back brings its past along",
            """
            days       | 0123456789
            ann, stage | lqz..l
            bob, stage | lqw..l
            look       |         ^
            """,
            """
                         | ann     | bob
            sql_count    | 1       | 1
            sql_recency  | 7       | 7
            lost_count   | 1       | 0
            lost_recency | 6       | unknown
            won_count    | 0       | 1
            won_recency  | unknown | 6
            current_stage | lead   | lead
            """,
        ),
    ),
)

CHAPTERS = (JOURNEY, EARLIER)
