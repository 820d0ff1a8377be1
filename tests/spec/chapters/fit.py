"""Who the lead is, as known then."""

from datetime import UTC, datetime

from tests.spec.spec import Chapter, Spec

FIT = Chapter(
    "fit",
    """
One feature for each attribute of your leads, whatever they are: here `industry`, `job_title`, `seniority` (categories), `employees`
(a number), `phone_known` (a flag) and `trial_ends` (a time). Every attribute has a history: a lead of last spring is
judged by what was known of it last spring.
""",
    (
        Spec(
            "An attribute is what was known then, never today's value",
            """
            days           | 0123456789
            ann, industry  | .b...s
            ann, employees | ..5....9
            look           |  AB C  D
            """,
            """
                      | ann at A | ann at B | ann at C | ann at D
            industry  | unknown  | bank     | bank     | software
            employees | unknown  | unknown  | 50       | 50
            """,
            values={"b": "bank", "s": "software", "5": 50.0, "9": 900.0},
            because="What becomes known at the very moment of looking is not yet seen: `industry` at A, `employees` "
            "at B and at D.",
        ),
        Spec(
            "A value can become unknown again",
            """
            days          | 012345
            ann, industry | b..?
            look          |   A  B
            """,
            """
                     | ann at A | ann at B
            industry | bank     | unknown
            """,
            values={"b": "bank", "?": None},
        ),
        Spec(
            "Values too rare to learn from, and values never seen, share one code",
            """
            days          | 0123
            ann, industry | f
            bob, industry | s
            look          |    ^
            """,
            """
                     | ann     | bob
            industry | (other) | software
            """,
            values={"f": "falconry", "s": "software"},
        ),
        Spec(
            "A flag is yes, no, or not known",
            """
            days             | 0123
            ann, phone_known | y
            bob, phone_known | n
            cleo             | x
            look             |    ^
            """,
            """
                        | ann | bob | cleo
            phone_known | yes | no  | unknown
            """,
            values={"y": True, "n": False},
        ),
        Spec(
            "A time becomes the days since then, below zero while it is still to come",
            """
            days            | 0123456789012345
            ann, trial_ends | t
            look            |       A       B
            """,
            """
                            | ann at A | ann at B
            trial_ends_days | -4       | 4
            """,
            values={"t": datetime(2025, 6, 12, tzinfo=UTC)},
        ),
    ),
)

COMPLETENESS = Chapter(
    "completeness",
    """
How much is filled in: of the whole record, and of what is needed to reach the lead. In these drawings a record has
six attributes, two of them (`job_title`, `phone_known`) contact information.
""",
    (
        Spec(
            "Completeness is the share of attributes known at the moment",
            """
            days             | 0123456
            ann, industry    | b
            ann, employees   | ..5
            ann, job_title   | ....h
            ann, phone_known | ....y
            look             |  A B C
            """,
            """
                                 | ann at A | ann at B | ann at C
            record_completeness  | 1/6      | 2/6      | 4/6
            contact_completeness | 0        | 0        | 2/2
            job_title            | unknown  | unknown  | Head of Sales
            """,
            values={"b": "bank", "5": 50.0, "h": "Head of Sales", "y": True},
        ),
        Spec(
            'A flag that says "no phone" is knowledge, but no contact information',
            """
            days             | 0123
            ann, phone_known | n
            look             |    ^
            """,
            """
                                 | ann
            record_completeness  | 1/6
            contact_completeness | 0/2
            """,
            values={"n": False},
        ),
    ),
)

CHAPTERS = (FIT, COMPLETENESS)
