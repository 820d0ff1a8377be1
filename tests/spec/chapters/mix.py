"""Of what kinds, by which ways, and how it began and went on."""

from tests.spec.spec import Chapter, Spec
from tests.spec.timeline import Mark

MIX = Chapter(
    "channel and content mix",
    """
How varied the activity is, and what share of it is of one sort. A lead of whom half the activity is pricing pages and
demo requests is another lead than one with as many blog views.
""",
    (
        Spec(
            "Different channels and different kinds are counted once each",
            """
            10 days | 012345
            ann     | w.xxe
            ann     | ..pn
            look    |      ^
            """,
            """
                          | ann
            channels_30d  | 2
            channels_life | 3
            kinds_30d     | 3
            kinds_life    | 4
            """,
            marks={"n": Mark("page_view")},
            because="An activity without a channel adds none.",
        ),
        Spec(
            "A share is of all engagement in the same window",
            """
            10 days | 012345
            ann     | b.xpe
            ann     | ..rd
            bob     | b
            look    |      ^
            """,
            """
                                   | ann | bob
            high_intent_share_30d  | 2/4 | unknown
            high_intent_share_life | 2/5 | 0
            web_share_30d          | 2/4 | unknown
            email_share_30d        | 1/4 | unknown
            content_share_30d      | 0   | unknown
            content_share_life     | 1/5 | 1
            """,
            because="The e-mail that was only received (`r`) is no engagement. Of nothing there is no share.",
        ),
        Spec(
            "Reactions are measured by the e-mails that were received",
            """
            days | 01234567
            ann  | r.r.r.r
            ann  | .e...ek
            bob  | re
            bob  | ..e
            cleo | .e
            look |        ^
            """,
            """
                                 | ann | bob | cleo
            email_open_rate_90d  | 2/4 | 2   | unknown
            email_click_rate_90d | 1/4 | 0   | unknown
            """,
            because="Who opens one mail twice stands at two: a sign of interest, not an error.",
        ),
    ),
)

TOUCHES = Chapter(
    "first and last touch",
    """
How a lead came, and what it did last. First touch is where marketing looks for what its money bought.
""",
    (
        Spec(
            "The first and the latest activity, and the first and latest channel that is known",
            """
            days | 0123456
            ann  | n.e.pn
            bob  | n
            look |       ^
            """,
            """
                                | ann          | bob
            first_touch_kind    | content_download | content_download
            first_touch_channel | email        | unknown
            last_touch_kind     | content_download | content_download
            last_touch_channel  | web          | unknown
            """,
            marks={"n": Mark("content_download")},
            because="A download whose channel nobody recorded is still the first activity.",
        ),
    ),
)

CHAPTERS = (MIX, TOUCHES)
