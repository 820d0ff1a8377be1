"""Reading a playbook: what ships is sound, and every mistake is named with its place and its fix."""

import re
import tomllib
from inspect import cleandoc

import pytest

from features.taxonomy import default_taxonomy
from serving.handoff.playbook.errors import InvalidPlaybookError, PlaybookSyntaxError
from serving.handoff.playbook.playbook import Playbook, list_sections
from serving.handoff.playbook.points_table import write_points_table
from serving.handoff.playbook.read import default_text, read_playbook
from serving.handoff.playbook.sections.condition import Condition
from serving.handoff.playbook.sections.section import Section
from serving.handoff.playbook.show import describe
from training.errors import PointsTableError
from training.estimators.points import read_points


def test_the_playbook_that_ships_states_what_holds_if_nobody_states_anything():
    assert read_playbook(default_text()) == Playbook() == read_playbook("")


def test_the_playbook_that_ships_explains_every_field_of_every_section():
    flat = " ".join(line.removeprefix("# ") for line in default_text().splitlines())

    for section in Playbook.model_fields:
        assert f"[{section}" in flat
        table = getattr(Playbook(), section)
        for field in type(table).model_fields if isinstance(table, Section) else ():
            assert re.search(rf"(?<![a-z_]){field}\b", flat), f"{section}.{field}"


def test_whatever_is_left_out_is_as_it_ships():
    playbook = read_playbook("[triggers]\nscore_from = 70")

    assert playbook.triggers.score_from == 70
    assert playbook.triggers.hand_raiser_kinds == Playbook().triggers.hand_raiser_kinds
    assert playbook.sla == Playbook().sla


def test_the_fingerprint_is_of_what_is_stated_and_not_of_how():
    one = read_playbook("[bands]\nA = 70\nB = 60 # a comment")
    same = read_playbook("[bands]\nB = 60.0\nA = 70")

    assert one.fingerprint == same.fingerprint
    assert one.fingerprint != Playbook().fingerprint


def test_a_playbook_cannot_be_changed_once_it_is_read():
    with pytest.raises(Exception, match="frozen"):
        Playbook().bands.A = 1.0


def test_a_file_that_is_no_toml_is_refused_with_the_line():
    with pytest.raises(PlaybookSyntaxError, match=r"mine.toml is not valid TOML: .*line 2"):
        read_playbook("[bands]\nA = = 1", "mine.toml")


SELLER = '[[routing.sellers]]\nid = "ann"\nteam = "sales"\n'
RULE = '[[routing.rules]]\nname = "r"\nteam = "sales"\n'
PRIORITY = '[[sla.priorities]]\nname = "p"\nanswer = "1h"\nfirst_contact = "1h"\ndecision = "1d"\n'
IDEAL = '[[profile.ideal]]\nwords = "x"\nwhen = '

# The text, where the problem is, what is said of it, and what to do.
MISTAKES = {
    "a section that there is not": ("[bandz]", "bandz", "not known here", "mean bands?"),
    "a field that is misspelt": (
        "[triggers]\nscore_form = 1",
        "triggers.score_form",
        "not known here",
        "mean score_from",
    ),
    "a field unlike any": ("[bands]\nzebra = 1", "bands.zebra", "not known", "one of: A, B, C"),
    "a field misspelt deep inside": (
        f"{SELLER}capacity = 3",
        "routing.sellers[0].capacity",
        "not known here",
        "mean capacity_per_day?",
    ),
    "a section that is no table": ("bands = 3", "bands", "must be a table", "Write it as"),
    "a table that is a list": ("[routing]\nterritories = []", "routing.territories", "table", "{"),
    "a list that is a text": ("[routing]\nteams = 'a'", "routing.teams", "must be a list", "["),
    "an empty list": ("[routing]\nteams = []", "routing.teams", "must not be empty", "at least"),
    "a text that is a number": (
        "[[routing.sellers]]\nid = 7\nteam = 'sales'",
        "routing.sellers[0].id",
        "must be a text",
        "in quotes",
    ),
    "an empty text": (
        f"{IDEAL}{{ stage = 'sal' }}\nwords = ''".replace('words = "x"\n', ""),
        "profile.ideal[0].words",
        "must not be empty",
        "between the quotes",
    ),
    "a number that is a text": ("[bands]\nA = 'x'", "bands.A", "must be a number", "0.5"),
    "a whole number with a fraction": (
        f"{SELLER}capacity_per_day = 1.5",
        "routing.sellers[0].capacity_per_day",
        "must be a whole number",
        "without a fraction",
    ),
    "a number too small": (
        f"{SELLER}share = 0",
        "routing.sellers[0].share",
        "greater than 0",
        "Part of the team's leads",
    ),
    "a number too large": ("[bands]\nA = 100", "bands.A", "less than 100", "It means"),
    "a number without end": (
        "[[goals.targets]]\nmeasure = 'sqls'\nat_least = inf",
        "goals.targets[0].at_least",
        "finite",
        "ordinary number",
    ),
    "a switch that is a text": (
        "[goals]\none_person_for_both = 'perhaps'",
        "goals.one_person_for_both",
        "true or false",
        "without quotes",
    ),
    "a date that is none": (
        f"{SELLER}away = [{{ first = 'soon', last = 2026-01-01 }}]",
        "routing.sellers[0].away[0].first",
        "must be a date",
        "2026-12-24",
    ),
    "something missing": (
        "[[routing.sellers]]\nid = 'ann'",
        "routing.sellers[0].team",
        "is missing",
        "Add it: One of the teams",
    ),
    "a word that is not to choose": (
        "[goals]\noutcome = 'money'",
        "goals.outcome",
        "cannot be 'money'",
        "'sql', 'opportunity', 'won'",
    ),
    "a reason that there is not": (
        "[returns.reasons.bored]\ntrack = 'x'\ncooling_days = 1",
        "returns.reasons.bored",
        "cannot be 'bored'",
        "'no_budget'",
    ),
    "a name with blanks": (
        "[[profile.segments]]\nname = 'Big Ones'\nall = [{ stage = 'sal' }]",
        "profile.segments[0].name",
        "cannot be a name",
        "small letters",
    ),
    "a name with blanks as a key": (
        '[sla.calendars."my office"]',
        "sla.calendars.my office",
        "cannot be a name",
        "small letters",
    ),
    # conditions
    "a condition about nothing": (
        f"{IDEAL}{{}}",
        "profile.ideal[0].when",
        "says nothing",
        "one of",
    ),
    "a condition about two things": (
        f'{IDEAL}{{ attribute = "a", answer = "b", is = [1] }}',
        "profile.ideal[0].when",
        "has attribute and answer",
        "exactly one",
    ),
    "a condition that asks nothing": (
        f'{IDEAL}{{ attribute = "a" }}',
        "profile.ideal[0].when",
        "not asked anything",
        "at_least",
    ),
    "a condition asked with what it cannot be": (
        f'{IDEAL}{{ events = "page_view", has_words = ["x"] }}',
        "profile.ideal[0].when",
        "events cannot be asked with has_words",
        "It takes at_least, at_most, days",
    ),
    "a condition whose bounds cross": (
        f'{IDEAL}{{ attribute = "a", at_least = 3, at_most = 2 }}',
        "profile.ideal[0].when",
        "3 lies above at_most 2",
        "Swap",
    ),
    "a value of no kind": (
        f'{IDEAL}{{ attribute = "a", is = [[]] }}',
        "profile.ideal[0].when.is[0]",
        "must be",
        "Write",
    ),
    "no condition at all": (
        "[stages.criteria.x]\nwords = 'x'",
        "stages.criteria.x",
        "no condition",
        "Add one",
    ),
    "events of no kind": (
        "[stages.criteria.x]\nwords = 'x'\nall = [{ events = 'dance', at_least = 1 }]",
        "stages.criteria.x.all[0].events",
        "'dance' is no kind",
        "page_view",
    ),
    # profile and stages
    "a profile that rests on itself": (
        f'{IDEAL}{{ fit = ["A"] }}',
        "profile",
        "cannot rest on fit",
        "Ask for attributes",
    ),
    "grades that rise": ("[profile.grades]\nA = 0.1", "profile.grades", "do not fall", "largest"),
    "two segments of one name": (
        "[profile]\nsegments = [{ name = 'a', all = [{ stage = 'sal' }] }, "
        "{ name = 'a', all = [{ stage = 'sql' }] }]",
        "profile",
        "two are called 'a'",
        "another name",
    ),
    "a persona that there is not": (
        "[stages.criteria.x]\nwords = 'x'\nall = [{ persona = ['king'] }]",
        "stages.criteria.x.all[0].persona",
        "no persona 'king'",
        "executive",
    ),
    "a stage of no criteria": (
        "[stages.mql]\nwords = 'x'",
        "stages.mql",
        "no criterion",
        "Add one",
    ),
    "a criterion that there is not": (
        "[stages.mql]\nwords = 'x'\nall = ['luck']",
        "stages",
        "criterion 'luck'",
        "[stages.criteria.luck]",
    ),
    # scale
    "bands that rise": ("[bands]\nC = 60", "bands", "do not fall", "most points"),
    "a points rule that counts two ways": (
        "[[points.rule]]\nfeature = 'f'\nat_least = 1\nunknown = true\npoints = 1",
        "points.rule[0]",
        "must count one way",
        "at_least, is, unknown and each",
    ),
    "a points rule without points": (
        "[[points.rule]]\nfeature = 'f'\nat_least = 1",
        "points.rule[0]",
        "must say points",
        "Correct it",
    ),
    "a points rule with each and no most": (
        "[[points.rule]]\nfeature = 'f'\neach = 1",
        "points.rule[0]",
        "has each",
        "Give it most",
    ),
    # routing
    "an absence that runs backwards": (
        f"{SELLER}away = [{{ first = 2026-01-02, last = 2026-01-01 }}]",
        "routing.sellers[0].away[0]",
        "lies before first",
        "Swap",
    ),
    "an empty territory": (
        "[routing.territories.x]",
        "routing.territories.x",
        "is empty",
        "countries or regions",
    ),
    "a rule that leads nowhere": (
        "[[routing.rules]]\nname = 'r'",
        "routing.rules[0]",
        "must say who",
        "team or sellers",
    ),
    "a rule for a team that there is not": (
        RULE.replace("sales", "moon"),
        "routing",
        "rule 'r' names the team 'moon'",
        "sales",
    ),
    "a rule for a seller that there is not": (
        "[[routing.rules]]\nname = 'r'\nsellers = ['bob']",
        "routing",
        "names the seller 'bob'",
        "sales-desk",
    ),
    "a rule for a territory that there is not": (
        f"{RULE}territories = ['moon']",
        "routing",
        "names the territory 'moon'",
        "none yet",
    ),
    "a rule for a segment that there is not": (
        f"{RULE}segments = ['moon']",
        "routing.rules[0].segments",
        "no segment 'moon'",
        "hand_raiser, enterprise",
    ),
    "a rule that asks for events": (
        f"{RULE}when = [{{ events = 'page_view', at_least = 1 }}]",
        "routing",
        "asks for events",
        "Routing can ask",
    ),
    "two rules of one name": (f"{RULE}{RULE}", "routing", "rules: two are called 'r'", "another"),
    "one seller twice": (f"{SELLER}{SELLER}", "routing", "two are called 'ann'", "another"),
    "a team without sellers": (
        f"[routing]\nteams = ['sales', 'field']\npool = 'field'\n{SELLER}",
        "routing",
        "'field' gets leads but has no seller",
        "team = 'field'",
    ),
    "a pool that there is not": (
        "[routing]\npool = 'moon'",
        "routing",
        "pool names the team 'moon'",
        "sales",
    ),
    "a seller without a calendar": (
        f"{SELLER}calendar = 'moon'",
        "routing.sellers[0].calendar",
        "no calendar 'moon'",
        "[sla.calendars.moon]",
    ),
    # sla
    "hours that are none": (
        "[sla.calendars.office]\nhours = ['9 to 5']",
        "sla.calendars.office.hours",
        "are no hours",
        'as "mon-fri 09:00-17:30"',
    ),
    "hours of no day": (
        "[sla.calendars.office]\nhours = ['moo 09:00-10:00']",
        "sla.calendars.office.hours",
        "are no hours",
        "mon-fri",
    ),
    "hours that run past Sunday": (
        "[sla.calendars.office]\nhours = ['fri-mon 09:00-10:00']",
        "sla.calendars.office.hours",
        "runs past Sunday",
        "two lines",
    ),
    "hours that end before they begin": (
        "[sla.calendars.office]\nhours = ['mon 22:00-06:00']",
        "sla.calendars.office.hours",
        "ends before it begins",
        "Split a night",
    ),
    "a time of day that is none": (
        "[sla.calendars.office]\nhours = ['mon 09:00-24:30']",
        "sla.calendars.office.hours",
        "is no time",
        "00:00 to 24:00",
    ),
    "hours that overlap": (
        "[sla.calendars.office]\nhours = ['mon-fri 09:00-12:00', 'wed 11:00-13:00']",
        "sla.calendars.office.hours",
        "overlaps",
        "end earlier",
    ),
    "a zone that there is not": (
        "[sla.calendars.office]\ntime_zone = 'Mars/Base'",
        "sla.calendars.office.time_zone",
        "no time zone 'Mars/Base'",
        "Europe/Amsterdam",
    ),
    "a country that there is not": (
        "[sla.calendars.office]\ncountry = 'XX'",
        "sla.calendars.office.country",
        "no public holidays are known for 'XX'",
        "two capital letters",
    ),
    "a part that the country lacks": (
        "[sla.calendars.office]\ncountry = 'DE'\nsubdivision = 'CA'",
        "sla.calendars.office.subdivision",
        "DE has no part 'CA'",
        "BY",
    ),
    "a part of no country": (
        "[sla.calendars.office]\nsubdivision = 'BY'",
        "sla.calendars.office",
        "without country",
        "Add country",
    ),
    "no office calendar left": (
        "[sla.calendars.home]",
        "sla",
        "marketing_calendar names 'office'",
        "home",
    ),
    "a time that is none": (
        PRIORITY.replace('"1d"', '"soon"'),
        "sla.priorities[0].decision",
        "no length of time",
        '"4h"',
    ),
    "a promise that leaves no time": (
        PRIORITY.replace('"1d"', '"0h"'),
        "sla.priorities[0].decision",
        "leaves no time",
        "at least a minute",
    ),
    "a last priority that is not for everyone": (
        f"{PRIORITY}bands = ['A']",
        "sla",
        "must fit everyone",
        "without triggers",
    ),
    "a priority for a segment that there is not": (
        f"{PRIORITY}segments = ['moon']\n{PRIORITY}",
        "sla.priorities[0].segments",
        "no segment 'moon'",
        "small",
    ),
    # notifications
    "a time of day of a digest": (
        "[[notifications.digests]]\nname = 'd'\nto = 'seller'\nholds = ['queue']\nat = '25:00'",
        "notifications.digests[0].at",
        "is no time of day",
        '"08:30"',
    ),
    "two digests of one name": (
        "[[notifications.digests]]\nname = 'd'\nto = 'seller'\nholds = ['queue']\n" * 2,
        "notifications",
        "two are called 'd'",
        "another name",
    ),
    "a digest of no calendar": (
        "[[notifications.digests]]\nname = 'd'\nto = 'seller'\nholds = ['queue']\ncalendar = 'x'",
        "notifications.digests[0].calendar",
        "no calendar 'x'",
        "office",
    ),
    # across sections
    "a plan for a segment that there is not": (
        "[[pursuit.plans]]\nname = 'a'\nsegments = ['moon']\nsteps = [{ day = 0, channel = 'call' }]\n"
        "persistence = { attempts = 1, over_days = 0, channels = 1 }\n"
        "[[pursuit.plans]]\nname = 'b'\nsteps = [{ day = 0, channel = 'call' }]\n"
        "persistence = { attempts = 1, over_days = 0, channels = 1 }",
        "pursuit.plans[0].segments",
        "no segment 'moon'",
        "enterprise",
    ),
    "a template that there is not": (
        "[[pursuit.plans]]\nname = 'b'\nsteps = [{ day = 0, channel = 'call', template = 'x' }]\n"
        "persistence = { attempts = 1, over_days = 0, channels = 1 }",
        "pursuit.plans[0].steps[0].template",
        "no template 'x'",
        "call_first",
    ),
    "an opening for a persona that there is not": (
        "[packet]\nopenings = [{ template = 'call_first', personas = ['king'] }, "
        "{ template = 'email_first' }]",
        "packet.openings[0].personas",
        "no persona 'king'",
        "executive",
    ),
    "a request of no kind": (
        "[triggers]\nhand_raiser_kinds = ['smoke_signal']",
        "triggers.hand_raiser_kinds",
        "'smoke_signal' is no kind",
        "demo_request",
    ),
    "a taxonomy without words": (
        "[taxonomy.kinds.visit]\none = 'visit'",
        "taxonomy",
        "cannot be read",
        "features/default_taxonomy.toml",
    ),
}


@pytest.mark.parametrize(
    ("text", "path", "problem", "fix"), MISTAKES.values(), ids=MISTAKES.keys()
)
def test_a_mistake_is_named_with_its_place_and_what_to_do(text, path, problem, fix):
    with pytest.raises(InvalidPlaybookError) as refused:
        read_playbook(text, "mine.toml")

    found = {one_problem.path: one_problem for one_problem in refused.value.problems}
    assert path in found, [one_problem.words for one_problem in refused.value.problems]
    assert problem in found[path].problem
    assert fix in found[path].fix
    assert str(refused.value).startswith("mine.toml has ")
    assert {error.path for error in refused.value.errors} == set(found)


def test_all_mistakes_are_reported_at_once():
    text = cleandoc(
        """
        [bands]
        A = "x"
        [triggers]
        score_form = 3
        [[routing.sellers]]
        id = "ann"
        """
    )
    with pytest.raises(InvalidPlaybookError, match="has 3 problems") as refused:
        read_playbook(text)

    assert [one_problem.path for one_problem in refused.value.problems] == [
        "bands.A",
        "triggers.score_form",
        "routing.sellers[0].team",
    ]


def test_mistakes_across_sections_are_reported_with_those_of_sections():
    text = cleandoc(
        """
        [bands]
        A = "x"
        [triggers]
        hand_raiser_kinds = ["smoke_signal"]
        [[routing.sellers]]
        id = "ann"
        team = "sales"
        calendar = "moon"
        """
    )
    with pytest.raises(InvalidPlaybookError, match="has 3 problems") as refused:
        read_playbook(text)

    assert [one_problem.path for one_problem in refused.value.problems] == [
        "bands.A",
        "routing.sellers[0].calendar",
        "triggers.hand_raiser_kinds",
    ]


def test_nothing_is_reported_of_what_a_section_that_cannot_be_read_may_hold():
    text = cleandoc(
        """
        [sla.calendars.moon]
        hours = "x"
        [[routing.sellers]]
        id = "ann"
        team = "sales"
        calendar = "moon"
        """
    )
    with pytest.raises(InvalidPlaybookError) as refused:
        read_playbook(text)

    assert {one_problem.section for one_problem in refused.value.problems} == {"sla"}


def test_a_playbook_may_bring_its_own_kinds_of_events():
    kind = default_taxonomy().to_json()
    kind["kinds"] = {**kind["kinds"], "dance": {"one": "dance", "many": "dances"}}
    own = Playbook.model_validate({"taxonomy": kind})

    assert "dance" in own.kinds.kind_names
    assert read_playbook("").kinds.kind_names == default_taxonomy().kind_names


def test_walking_meets_every_condition_with_the_way_to_it():
    one_problem = dict(list_sections(read_playbook(f'{IDEAL}{{ attribute = "a", known = true }}')))

    assert one_problem["profile.ideal[0].when"] == Condition(attribute="a", known=True)
    assert one_problem["stages.criteria.accepted.all[0]"] == Condition(stage="sal")


POINTS = """
[[points.rule]]
feature = "demo_request_count_30d"
at_least = 1
points = 20
[[points.rule]]
feature = "pricing_view_count_30d"
each = 4
most = 16
[[points.rule]]
feature = "industry"
is = ["soft\\"ware", "retail"]
points = -2.5
[[points.rule]]
feature = "engagement_recency"
unknown = true
points = -10
"""


def test_the_points_rules_are_those_that_training_reads():
    table = write_points_table(read_playbook(POINTS))

    ours = [rule.model_dump() for rule in read_playbook(POINTS).points.rule]
    theirs = [
        {field: getattr(rule, field) for field in rule.__struct_fields__}
        for rule in read_points(table).rules
    ]
    assert theirs == ours


@pytest.mark.parametrize(
    "rule",
    [
        "at_least = 1\nunknown = true\npoints = 1",
        "points = 1",
        "at_least = 1",
        "unknown = true\npoints = 1\nmost = 2",
        "each = 2\nmost = -4",
        "each = 0\nmost = 4",
        "each = 2\nmost = 4\npoints = 3",
        "each = 1\nmost = 5000",
    ],
)
def test_training_and_the_playbook_refuse_the_same_rules(rule):
    with pytest.raises(PointsTableError):
        read_points(f'[[rule]]\nfeature = "f"\n{rule}')
    with pytest.raises(InvalidPlaybookError):
        read_playbook(f'[[points.rule]]\nfeature = "f"\n{rule}')


def test_the_table_that_ships_for_cold_starts_is_a_points_section_too():
    from importlib.resources import files

    text = files("training.estimators").joinpath("points.toml").read_text("utf-8")
    rules = tomllib.loads(text)["rule"]

    playbook = Playbook.model_validate({"points": {"rule": rules}})

    assert len(playbook.points.rule) == len(rules)


def test_a_playbook_is_shown_in_words():
    lines = "\n".join(describe(Playbook(), tuple(Playbook.model_fields)))

    assert "at least 1 high-intent action in the last 30 days" in lines
    assert "score_from: 65  · Points (0-100) from which on" in lines
    assert "[taxonomy]\n  as it ships with Baton" in lines
