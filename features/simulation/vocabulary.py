"""The words of the made-up market: firms, people, sources, kinds of events, reasons.

Weights are relative shares; effects are in the unit said beside them.
"""

from dataclasses import dataclass

from features.lifecycle.stages import Stage


@dataclass(frozen=True)
class Choice:
    """One value of an attribute."""

    name: str
    weight: float
    """Relative share of leads or firms that have it."""
    fit: float = 0.0
    """Its part in the fit of a lead, before standardising."""


INDUSTRIES = (
    Choice("software", 0.22, 0.6),
    Choice("manufacturing", 0.17, 0.3),
    Choice("retail", 0.14, -0.2),
    Choice("financial_services", 0.12, 0.4),
    Choice("healthcare", 0.11, 0.1),
    Choice("education", 0.09, -0.7),
    Choice("logistics", 0.08, 0.2),
    Choice("public_sector", 0.07, -0.6),
)
SENIORITIES = (
    Choice("c_level", 0.08, 0.5),
    Choice("vp", 0.09, 0.6),
    Choice("director", 0.18, 0.45),
    Choice("manager", 0.35, 0.0),
    Choice("specialist", 0.30, -0.5),
)
SENIORITY_TITLES = ("Chief {} Officer", "VP {}", "Director of {}", "{} Manager", "{} Specialist")
DEPARTMENTS = (
    Choice("marketing", 0.28, 0.3),
    Choice("sales", 0.20, 0.35),
    Choice("operations", 0.18, 0.0),
    Choice("it", 0.16, -0.05),
    Choice("finance", 0.10, -0.2),
    Choice("hr", 0.08, -0.5),
)
DEPARTMENT_TITLES = ("Marketing", "Sales", "Operations", "IT", "Finance", "Population")
PRODUCTS = (
    Choice("platform", 0.40),
    Choice("analytics", 0.30),
    Choice("automation", 0.20),
    Choice("integrations", 0.10),
)


@dataclass(frozen=True)
class Country:
    """Where a firm is, and what its clock says."""

    name: str
    region: str
    weight: float
    utc_offset_hours: float
    """Winter time all year: daylight saving is left out."""
    fit: float = 0.0


COUNTRIES = (
    Country("US", "north_america", 0.34, -6.0, 0.15),
    Country("CA", "north_america", 0.06, -5.0, 0.1),
    Country("GB", "europe", 0.14, 0.0, 0.1),
    Country("DE", "europe", 0.13, 1.0, 0.05),
    Country("FR", "europe", 0.08, 1.0, 0.0),
    Country("NL", "europe", 0.05, 1.0, 0.05),
    Country("IN", "asia_pacific", 0.08, 5.5, -0.25),
    Country("AU", "asia_pacific", 0.05, 10.0, 0.0),
    Country("SG", "asia_pacific", 0.03, 8.0, 0.0),
    Country("BR", "latin_america", 0.04, -3.0, -0.2),
)


@dataclass(frozen=True)
class LeadSource:
    """Where a lead came from."""

    name: str
    weight_first: float
    """Relative share on the first day."""
    weight_last: float
    """Relative share on the last day: the mix drifts."""
    buyer: float
    """Log-odds of being a buyer."""
    looker: float
    """Log-odds of being a looker."""
    campaigns: tuple[str, ...]
    """Campaigns in the order they ran; none for sources nobody pays for."""
    landing_page: str


SOURCES = (
    LeadSource("organic_search", 0.27, 0.19, 0.1, 0.0, (), "/blog"),
    LeadSource(
        "paid_search",
        0.20,
        0.22,
        0.0,
        0.1,
        ("search_autumn", "search_winter", "search_spring", "search_summer"),
        "/lp/compare",
    ),
    LeadSource(
        "social",
        0.12,
        0.20,
        -0.3,
        0.3,
        ("social_brand", "social_founder", "social_clips"),
        "/lp/guide",
    ),
    LeadSource(
        "webinar",
        0.11,
        0.09,
        0.1,
        0.4,
        ("webinar_basics", "webinar_benchmarks"),
        "/webinars",
    ),
    LeadSource("referral", 0.08, 0.08, 0.8, -0.4, (), "/"),
    LeadSource("partner", 0.07, 0.09, 0.6, -0.2, ("partner_marketplace",), "/partners"),
    LeadSource("event", 0.08, 0.04, 0.2, 0.0, ("fair_autumn", "fair_spring"), "/events"),
    LeadSource(
        "content_syndication",
        0.07,
        0.09,
        -0.7,
        0.4,
        ("syndication_ebook", "syndication_report"),
        "/lp/ebook",
    ),
)


@dataclass(frozen=True)
class EventKind:
    """One kind of event as this market's tools record it."""

    kind: str
    """By the default taxonomy."""
    name: str
    """As the tool calls it."""
    points: float
    """What marketing's points table gives for it."""


EVENT_KINDS = (
    EventKind("page_view", "Page Viewed", 0.5),
    EventKind("blog_view", "Blog Post Viewed", 0.5),
    EventKind("case_study_view", "Case Study Viewed", 2.0),
    EventKind("pricing_view", "Pricing Page Viewed", 4.0),
    EventKind("content_download", "Whitepaper Downloaded", 4.0),
    EventKind("form_submit", "Form Submitted", 3.0),
    EventKind("other", "Chat Widget Opened", 1.0),
    EventKind("webinar_attend", "Webinar Attended", 6.0),
    EventKind("ad_click", "Ad Clicked", 1.0),
    EventKind("product_use", "Trial Used", 2.0),
    EventKind("demo_request", "Demo Requested", 20.0),
    EventKind("contact_request", "Contact Sales", 20.0),
    EventKind("email_receive", "Email Delivered", 0.0),
    EventKind("email_open", "Email Opened", 0.5),
    EventKind("email_click", "Email Link Clicked", 3.0),
    EventKind("unsubscribe", "Email Unsubscribed", -15.0),
)
KIND_NAMES = tuple(kind.kind for kind in EVENT_KINDS)
SESSION_KINDS = 7
"""The first kinds are what happens in a web session."""
SESSION_SHARES = (0.47, 0.22, 0.10, 0.055, 0.05, 0.025, 0.08)
"""How often each happens in a session without interest."""
SESSION_INTENT = (0.0, -0.2, 0.45, 0.95, 0.3, 0.2, 0.1)
"""Log-odds of each per unit of intent: those who choose look at prices."""
SESSION_LOOKER = (0.0, 0.45, 0.15, 0.25, 0.4, 0.1, 0.1)
"""Log-odds of each for lookers: they read and collect, and peek at prices as well."""

CHANNELS = (
    "web",
    "search",
    "social",
    "email",
    "ads",
    "event",
    "chat",
    "phone",
    "partner",
    "product",
)
SESSION_CHANNELS = (
    ("web", 0.46),
    ("search", 0.30),
    ("social", 0.12),
    ("email", 0.08),
    ("partner", 0.04),
)
"""How a session began; its views carry that channel."""

STAGES = tuple(Stage)
SIGNALS = (
    "created",
    "threshold",
    "discretionary",
    "hand_raiser",
    "accepted",
    "rejected",
    "qualified",
    "given_back",
    "self_conversion",
    "proposal",
    "signed",
    "declined",
    "gone_quiet",
    "disqualified",
    "exploration",
)
REASONS = (
    "no_budget",
    "too_early",
    "wrong_person",
    "unreachable",
    "no_response",
    "no_need",
    "competitor",
)
ATTEMPT_CHANNELS = (("call", 0.50), ("email", 0.34), ("social", 0.08), ("meeting", 0.08))
ATTEMPT_RESULTS = {
    "call": ("connected", "no_answer", "voicemail"),
    "email": ("replied", "no_reply", "bounced"),
    "social": ("replied", "no_reply", "no_reply"),
    "meeting": ("held", "no_show", "moved"),
}
