"""What the lead's colleagues do: the buying committee."""

from tests.spec.spec import Chapter, Spec

ACCOUNT = Chapter(
    "account",
    """
Companies buy together. What the lead's colleagues do counts here, the lead itself left out; who is a colleague is asked
as of the moment, like everything else. An empty cell means that the lead's account is not known. A lead whose account is
known, and who is alone there, has zeros.
""",
    (
        Spec(
            "What colleagues do counts; what the lead does itself, or others do, does not",
            """
            days          | 01234567
            ann           | xx
            ann, account  | A
            bob           | ..xp
            bob, account  | A
            cleo          | ...xxx
            cleo, account | B
            look          |        ^
            """,
            """
                                             | ann | bob | cleo
            colleagues                       | 1   | 1   | 0
            colleagues_active_7d             | 1   | 1   | 0
            colleagues_engagement_count_7d   | 2   | 2   | 0
            colleagues_engagement_recency    | 4   | 6   | unknown
            colleagues_high_intent_count_7d  | 1   | 0   | 0
            colleagues_high_intent_recency   | 4   | unknown | unknown
            colleagues_kinds_30d             | 2   | 1   | 0
            engagement_count_7d              | 2   | 2   | 3
            """,
        ),
        Spec(
            "An account that is not known is not an account without colleagues",
            """
            days         | 0123
            ann          | x
            bob          | x
            bob, account | A
            look         |    ^
            """,
            """
                                           | ann     | bob
            colleagues                     | unknown | 0
            colleagues_active_7d           | unknown | 0
            colleagues_engagement_count_7d | unknown | 0
            colleagues_trend_7d_30d        | unknown | unknown
            """,
        ),
        Spec(
            "Who is a colleague is asked as of the moment",
            """
            days          | 01234567
            ann           | x
            ann, account  | A
            bob           | x
            bob, account  | ...A
            look          |    A   B
            """,
            """
                                           | ann at A | ann at B | bob at A | bob at B
            colleagues                     | 0        | 1        | unknown  | 1
            colleagues_active_7d           | 0        | 1        | unknown  | 1
            colleagues_engagement_count_7d | 0        | 1        | unknown  | 1
            """,
            because="At A it becomes known where Bob works: not before that moment. What he did earlier counts from "
            "then on.",
        ),
        Spec(
            "Who leaves is a colleague no more; what was done until then stays with the account",
            """
            days         | 012345678
            ann, account | A
            bob          | .x...x
            bob, account | A..B
            look         |   A     B
            """,
            """
                                            | ann at A | ann at B | bob at A | bob at B
            colleagues                      | 1        | 0        | 1        | 0
            colleagues_engagement_count_30d | 1        | 1        | 0        | 0
            colleagues_engagement_recency   | 1        | 7        | unknown  | unknown
            """,
        ),
        Spec(
            "A colleague's late arrival is invisible before it arrives",
            """
            days         | 01234567
            ann          | x
            ann, account | A
            bob          | ..d
              known      | .....d
            bob, account | A
            look         |     A  B
            """,
            """
                                            | ann at A | ann at B | bob at A | bob at B
            colleagues_high_intent_count_7d | 0        | 1        | 0        | 0
            colleagues_high_intent_recency  | unknown  | 5        | unknown  | unknown
            """,
        ),
        Spec(
            "Colleagues of rank are counted apart",
            """
            days            | 01234567
            ann, account    | A
            bob             | .x
            bob, account    | A
            bob, seniority  | v
            cleo            | ..x
            cleo, account   | A
            cleo, seniority | m
            look            |        ^
            """,
            """
                                       | ann | bob | cleo
            colleagues                 | 2   | 2   | 2
            colleagues_active_7d       | 2   | 1   | 1
            senior_colleagues_active_7d | 1  | 0   | 1
            seniority                  | unknown | vp | manager
            """,
            values={"v": "vp", "m": "manager"},
        ),
        Spec(
            "Whether the account is warming up",
            """
            days         | 0123456789012345678901234567890
            ann, account | A
            bob          | x.........x............p.....x
            bob, account | A
            look         |                               ^
            """,
            """
                                    | ann        | bob
            colleagues_trend_7d_30d | 2/7 - 2/23 | unknown
            colleagues_active_30d   | 1          | 0
            """,
        ),
        Spec(
            "Whether colleagues were qualified or have bought",
            """
            days         | 01234567
            ann, account | A
            bob, stage   | lq..w
            bob, account | A
            look         |        ^
            """,
            """
                                      | ann | bob
            colleagues_sql_count_life | 1   | 0
            colleagues_sql_recency    | 6   | unknown
            colleagues_won_count_life | 1   | 0
            colleagues_won_recency    | 3   | unknown
            """,
        ),
    ),
)

CHAPTERS = (ACCOUNT,)
