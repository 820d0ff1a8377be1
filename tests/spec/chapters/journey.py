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
        Spec(
            "Rejected, unreachable, too early: three kinds of return, counted apart",
            """
            days       | 0123456789ABCDE
            ann, stage | lmaj..mu..ma.n
            bob, stage | lmr..
            look       |               ^
            """,
            """
                                       | ann           | bob
            returned_count             | 3             | 1
            returned_rejected_count    | 1             | 0
            returned_rejected_recency  | 11            | unknown
            returned_unreachable_count | 1             | 0
            returned_unreachable_recency | 7           | unknown
            returned_too_early_count   | 1             | 0
            returned_too_early_recency | 1             | unknown
            last_return_reason         | not ready yet | another reason, or none given
            current_stage              | returned to marketing | returned to marketing
            """,
            because="Bob came back without a word of why: that is a return, and no verdict on him.",
        ),
        Spec(
            "Sales writes what it likes; what nobody told Baton about finds nothing",
            """
            days       | 012345
            ann, stage | lm.y
            bob, stage | lm.d
            cid, stage | lmppp
            dee, stage | lma.z
            look       |      ^
            """,
            """
                                       | ann | bob | cid | dee
            returned_count             | 1   | 1   | 3   | 0
            returned_rejected_count    | 0   | 0   | 3   | 0
            returned_unreachable_count | 0   | 0   | 0   | 0
            returned_too_early_count   | 0   | 0   | 0   | 0
            last_return_reason | another reason, or none given | duplicate | wrong person | unknown
            """,
            because="A duplicate is a return, but says nothing of the lead. Lost is not returned.",
        ),
        Spec(
            "A return, and why, count from when they were known",
            """
            days       | 0123456789
            ann, stage | lmu.mj
              known    |       u j
            look       |      ABC D
            """,
            """
                                       | ann at A | ann at B | ann at C       | ann at D
            returned_unreachable_count | 0        | 0        | 1              | 1
            returned_rejected_count    | 0        | 0        | 0              | 1
            last_return_reason         | unknown  | unknown  | nobody reached | poor fit
            """,
        ),
    ),
)

CHAPTERS = (JOURNEY, EARLIER)
