"""The numbers a made-up market runs on: each with its unit, and why it is what it is.

Days are the unit of time inside the simulation (floats, day 0 is the start); chances given "by
day" are hazards of one open lead. Log-odds are natural.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime


@dataclass(frozen=True)
class Arrivals:
    """When leads come, and with which colleagues."""

    starts_at: datetime = datetime(2024, 9, 2, tzinfo=UTC)
    """Day 0, a Monday. Fixed, so that a seed means the same market for ever."""
    days: int = 425
    """Days observed (about 14 months): everything at or after the last is cut off."""
    weekend_factor: float = 0.35
    """Arrivals on a Saturday or Sunday per arrival on a working day."""
    growth: float = 1.2
    """Arrivals a day at the end per arrival a day at the start."""
    account_size: float = 1.6
    """Mean leads per account (geometric): most firms send one person."""
    colleague_days: float = 35.0
    """Mean days from an account's first lead to each colleague."""
    no_account_share: float = 0.3
    """Share of lone leads whose firm is not known: free mail addresses."""


@dataclass(frozen=True)
class Intent:
    """What leads want, which nobody sees: bumps that rise, peak and cool."""

    buyer_log_odds: float = 0.3
    """Log-odds of a buyer against a silent lead, average fit and source."""
    looker_log_odds: float = -0.3
    """Log-odds of a looker against a silent lead."""
    fit_slope: float = 0.55
    """Log-odds of being a buyer per standard deviation of fit."""
    account_slope: float = 0.6
    """Log-odds of being a buyer per standard deviation of the account's hidden demand."""
    hot_on_arrival: float = 0.45
    """Share of leads whose interest is at its height within days of arriving."""
    first_peak_days: float = 4.0
    """Mean days from arriving to the peak, for those."""
    later_peak_days: float = 50.0
    """Mean days from arriving to the peak, for the others: most budgets are not open today."""
    second_bump_share: float = 0.45
    """Share of leads with a second bump of interest."""
    height: float = 1.0
    """Median height of a bump. About 1 is a lead that is choosing; 0 is none."""
    height_spread: float = 0.45
    """Standard deviation of the log height."""
    rise_days: float = 6.0
    """Median days a bump takes to rise (one standard deviation of its bell)."""
    cool_days: float = 13.0
    """Median days a bump takes to cool: longer than to rise."""
    width_spread: float = 0.5
    """Standard deviation of the log of both widths."""
    silent_height: float = 0.75
    """Height of a silent lead's bumps, relative to the others'."""
    account_height: float = 0.5
    """Height of the bump colleagues share, per positive standard deviation of demand."""


@dataclass(frozen=True)
class Activity:
    """What leads do and receive: what the log can see of their interest."""

    chattiness_spread: float = 0.7
    """Standard deviation of the log of a lead's own activity level, whatever its intent."""
    looker_chattiness: float = 1.5
    """Lookers are this many times as active."""
    silent_chattiness: float = 0.22
    """Silent leads are this many times as active, also when they want to buy."""
    idle_sessions: float = 0.010
    """Web sessions a day without any interest."""
    interest_sessions: float = 0.15
    """Further web sessions a day per unit of interest."""
    curious_sessions: float = 0.12
    """Further web sessions a day right after arriving."""
    curious_days: float = 5.0
    """How fast that first curiosity fades (mean life)."""
    views_per_session: float = 3.2
    """Mean views in a session (geometric)."""
    view_gap_minutes: float = 1.6
    """Mean minutes between views of a session."""
    demo_rate: float = 0.0085
    """Demo requests a day per squared unit of intent."""
    contact_rate: float = 0.004
    """Requests to be contacted a day per squared unit of intent."""
    idle_request_rate: float = 0.0004
    """Requests a day of those who do not want to buy: students, sellers, the curious."""
    webinar_rate: float = 0.045
    """Chance to attend a fortnightly webinar per unit of interest."""
    ad_rate: float = 0.012
    """Ad clicks a day per unit of interest, and a third of it without."""
    trial_share: float = 0.14
    """Share of leads, lookers as well, who start a product trial around their peak."""
    trial_days: float = 14.0
    """Length of a trial."""
    trial_use_rate: float = 0.6
    """Uses a day during the trial, at full interest."""
    weekend_factor: float = 0.3
    """Activity at weekends per activity on working days."""


@dataclass(frozen=True)
class Mail:
    """The nurture schedule and what comes back."""

    steps: tuple[float, ...] = (1, 4, 8, 15, 22, 29, 36, 43, 50, 57)
    """Days after arriving when the nurture track writes."""
    then_every_days: float = 21.0
    """Days between its mails after the last step."""
    open_log_odds: float = -1.5
    """Log-odds that a mail is opened, without interest."""
    open_interest: float = 0.8
    """Further log-odds per unit of interest."""
    open_chattiness: float = 0.7
    """Further log-odds per unit of log chattiness."""
    click_log_odds: float = -2.2
    """Log-odds that an opened mail is clicked, without interest."""
    click_interest: float = 0.8
    """Further log-odds per unit of interest."""
    machine_share: float = 0.15
    """Share of leads whose mail programme opens everything by itself: opens that mean nothing."""
    unsubscribe_chance: float = 0.004
    """Chance per mail of unsubscribing; halved by a unit of interest."""


@dataclass(frozen=True)
class HandoffRules:
    """When marketing hands over: confounded on purpose, as in life."""

    points_needed: float = 36.0
    """Points at which the threshold rule fires at half its rate."""
    points_after_return: float = 0.4
    """What is left of a lead's activity points when it comes back from sales."""
    points_noise: float = 3.5
    """How blurred the threshold is, in points: lists are pulled by hand."""
    points_half_life_days: float = 14.0
    """Half-life of activity points; fit points do not fade."""
    threshold_by_day: float = 0.30
    """Chance by working day of a lead far above the threshold to be handed off."""
    discretion_by_day: float = 0.0018
    """Chance by working day that a seller picks an average lead from the list."""
    discretion_fit: float = 0.6
    """Further log-odds of being picked per standard deviation of fit."""
    discretion_heat: float = 0.13
    """Further log-odds of being picked per point earned in the last days."""
    heat_half_life_days: float = 3.0
    """How fast heat fades: sellers look at the last days only."""
    insight: float = 0.0
    """Further log-odds of being picked per unit of what the log does not hold (intent and need):
    above 0 the handoffs are confounded by something unobserved."""
    exploration_by_day: float = 0.0
    """Chance by working day that a nurtured lead is handed off by lot, whoever it is; logged."""
    raiser_chance: float = 0.95
    """Chance that a request for a demo or a call is handed off at once."""
    rest_days: float = 14.0
    """Days a returned lead is left alone by the threshold rule and by sellers."""
    weekend_factor: float = 0.0
    """Handoffs by rule or discretion at weekends, per handoff on a working day."""
    self_conversion_by_day: float = 0.0008
    """Chance by day, per unit of intent, to become an SQL with no handoff (calls the founder)."""
    quiet_after_days: float = 45.0
    """Days without engagement after which marketing may close a lead."""
    quiet_by_day: float = 0.08
    """Chance by day of being closed once quiet for that long."""
    closing_by_day: float = 0.0
    """Chance by day of being closed whatever the lead does (for the world without signal)."""


@dataclass(frozen=True)
class Sales:
    """What sales makes of a handoff."""

    headroom: float = 1.05
    """Handoffs sales can take up a working day, per handoff a working day of late: sales is
    staffed by what comes, with little to spare, so that queues build up in bad weeks."""
    staffing_days: float = 12.0
    """How fast staffing follows, in working days (mean life of the average it goes by)."""
    overtime: float = 0.10
    """Share of those left waiting that is taken up on top of that, each working day."""
    availability_spread: float = 0.4
    """Standard deviation of the log of each week's availability: fairs, holidays, illness."""
    answer_hours: float = 3.0
    """Mean hours from being next in the queue to the first answer."""
    accept_log_odds: float = 1.0
    """Log-odds that a handoff of average fit, without intent, is accepted."""
    accept_fit: float = 0.6
    """Further log-odds per standard deviation of fit."""
    accept_intent: float = 0.5
    """Further log-odds per unit of intent at the handoff: it shows on the phone."""
    accept_raiser: float = 1.0
    """Further log-odds for hand-raisers."""
    qualify_log_odds: float = -1.0
    """Log-odds that an accepted handoff becomes an SQL, without intent."""
    qualify_intent: float = 1.7
    """Further log-odds per unit of intent at the handoff."""
    qualify_fit: float = 0.5
    """Further log-odds per standard deviation of fit."""
    qualify_need: float = 0.6
    """Further log-odds per standard deviation of need, which leaves no trace in the log."""
    qualify_delay: float = -0.12
    """Further log-odds per day from handoff to answer."""
    qualify_return: float = -0.7
    """Further log-odds per earlier return."""
    qualify_looker: float = -1.0
    """Further log-odds of lookers."""
    qualify_days: float = 4.5
    """Median days from acceptance to SQL."""
    return_days: float = 7.0
    """Median days from acceptance to being returned."""
    drop_share: float = 0.18
    """Share of accepted handoffs without success that are closed as lost, not returned."""
    opportunity_chance: float = 0.75
    """Chance that an SQL becomes an opportunity."""
    opportunity_days: float = 6.0
    """Median days from SQL to opportunity, or to the loss of it."""
    win_log_odds: float = -1.3
    """Log-odds that an opportunity is won, without intent. Lookers never buy."""
    win_intent: float = 0.5
    """Further log-odds per unit of intent at the handoff."""
    win_need: float = 0.4
    """Further log-odds per standard deviation of need."""
    close_days: float = 32.0
    """Median days from opportunity to won or lost."""
    time_spread: float = 0.6
    """Standard deviation of the log of all these times."""
    around_the_clock: bool = False
    """Whether sales answers at any hour, weekends as well."""
    sellers: int = 12
    """Sellers, by name in `actor`."""


@dataclass(frozen=True)
class Recording:
    """How the truth reaches the log: late, with gaps, sometimes overwritten."""

    enriched_share: float = 0.6
    """Share of leads with a company address whose firm is looked up 2 to 20 days later."""
    job_change_share: float = 0.04
    """Share of leads who change jobs while they are watched."""
    late_share: float = 0.10
    """Share of web events that arrive minutes to hours late."""
    very_late_share: float = 0.02
    """Share of web events that arrive up to three days late."""
    late_stage_share: float = 0.12
    """Share of sellers' stage changes entered hours to two days late."""
    leak_share: float = 0.0
    """Share of the leads that reached SQL whose `contract_type` was filled in over the original
    row: a field that reveals the outcome. 0 leaves the field out."""


@dataclass(frozen=True)
class World:
    """One made-up market."""

    name: str = "plain"
    arrivals: Arrivals = field(default_factory=Arrivals)
    intent: Intent = field(default_factory=Intent)
    activity: Activity = field(default_factory=Activity)
    mail: Mail = field(default_factory=Mail)
    handoffs: HandoffRules = field(default_factory=HandoffRules)
    sales: Sales = field(default_factory=Sales)
    recording: Recording = field(default_factory=Recording)
