import pytest

from features.clock import DAY_US
from features.contracts.records import EventRecord, LeadRecord, LeadVersion, StageRecord
from serving.handoff.decision.conditions import ConditionFacts, ConditionResult
from serving.handoff.decision.definitions import QualificationAnswer, facts_at, run_definitions
from serving.handoff.playbook.playbook import Playbook
from serving.handoff.playbook.read import read_playbook

NOW = 400 * DAY_US
IDEAL = {
    "industry": "Software",
    "employees": 250.0,
    "seniority": "vp",
    "region": "europe",
    "budget": 20_000.0,
    "job_title": "VP Marketing",
    "company": "Lumen",
    "email_domain_kind": "company",
}


def event(kind, days_ago=1.0):
    at = int(NOW - days_ago * DAY_US)
    return EventRecord(at, at, kind)


def stage(name, days_ago):
    at = int(NOW - days_ago * DAY_US)
    return StageRecord(at, at, name)


def look(playbook=None, **known):
    known = {"attributes": IDEAL, **known}
    return run_definitions(playbook or Playbook(), ConditionFacts(NOW, **known))


def test_a_lead_that_fits_and_is_engaged_is_an_mql_and_it_states_so():
    found = look(events=(event("demo_request"),))

    assert found.fit.grade == "A"
    assert found.persona.name == "executive"
    assert found.segment == "mid_market"
    assert found.mql.verdict is ConditionResult.MET
    assert found.criteria["engaged"].because == (
        "The lead is engaged: it has 1 high-intent action in the last 30 days."
    )


def test_a_lead_that_shows_no_interest_is_no_mql_and_the_failing_criterion_is_named():
    found = look(events=(event("demo_request", days_ago=31),))

    assert found.mql.verdict is ConditionResult.FAILED
    assert found.mql.failing == ("engaged",)
    assert found.mql.met == ("fits",)
    assert found.mql.because == (
        "Does not meet the definition of MQL. "
        'Not met: "is engaged": it has no high-intent actions in the last 30 days, '
        "it has no content views in the last 90 days and "
        "it has no e-mail clicks in the last 30 days."
    )


def test_what_is_not_known_leaves_several_grades_possible_and_the_definition_unknown():
    found = look(attributes={"industry": "software"}, events=(event("demo_request"),))

    assert found.fit.grade is None
    assert found.fit.possible == ("A", "B", "C")
    assert found.mql.verdict is ConditionResult.UNKNOWN
    assert found.mql.unknown == ("fits",)
    assert "It is not known to meet the definition of MQL." in found.mql.because
    assert found.persona.verdict is ConditionResult.UNKNOWN
    assert found.persona.name is None


def test_unknown_facts_that_cannot_change_the_answer_do_not_make_it_unknown():
    known = {name: IDEAL[name] for name in ("industry", "employees", "seniority")}

    found = look(attributes=known)

    assert found.fit.possible == ("A",)
    assert found.criteria["fits"].verdict is ConditionResult.MET


def test_a_lead_that_must_be_something_and_is_not_has_grade_d():
    playbook = read_playbook(
        """
        [profile]
        ideal = [
            { words = "in Europe", when = { attribute = "region", is = ["europe"] }, must = true },
            { words = "large", when = { attribute = "employees", at_least = 10 }, weight = 50 },
        ]
        """
    )

    assert look(playbook, attributes={"region": "asia", "employees": 99.0}).fit.grade == "D"
    assert look(playbook, attributes={"region": "europe", "employees": 99.0}).fit.grade == "A"
    assert look(playbook, attributes={"employees": 99.0}).fit.possible == ("A", "D")


@pytest.mark.parametrize(
    ("attributes", "persona"),
    [
        ({"seniority": "c_level"}, "executive"),
        ({"job_title": "Vice President, Sales"}, "executive"),
        ({"seniority": "director", "job_title": "Director of IT"}, "head"),
        ({"seniority": "manager", "job_title": "Office Manager"}, "manager"),
        ({"seniority": "intern", "job_title": "Intern"}, None),
    ],
    ids=["by seniority", "by title alone", "director", "manager", "none of them"],
)
def test_a_persona_is_found_by_seniority_or_title(attributes, persona):
    assert look(attributes=attributes).persona.name == persona


def test_a_word_of_a_title_is_a_whole_word():
    found = look(attributes={"seniority": "other", "job_title": "MVP wrangler"})

    assert found.persona.verdict is ConditionResult.FAILED


def test_sal_and_sql_rest_on_what_sales_did_and_recorded():
    bant = {"need": True, "budget": "Yes", "authority": True, "timeline_months": 3.0}
    accepted = (stage("mql", 9), stage("sal", 8))

    assert look().sal.verdict is ConditionResult.FAILED
    assert look(stages=accepted).sal.verdict is ConditionResult.MET
    assert look(stages=accepted, answers=bant).sql.verdict is ConditionResult.MET
    unknown = look(stages=accepted, answers={**bant, "budget": None}).sql
    assert (unknown.verdict, unknown.unknown) == (ConditionResult.UNKNOWN, ("budget",))
    late = look(stages=accepted, answers={**bant, "timeline_months": 12.0}).sql
    assert (late.verdict, late.failing) == (ConditionResult.FAILED, ("timeline",))


def test_what_failed_decides_even_where_other_things_are_unknown():
    found = look(stages=(stage("sal", 3),), answers={"budget": False}).sql

    assert found.verdict is ConditionResult.FAILED
    assert found.unknown == ("need", "authority", "timeline")
    assert found.because == (
        'Does not meet the definition of SQL. Not met: "has a budget": budget is no.'
    )


def test_a_returned_lead_was_not_accepted_in_its_new_round():
    assert (
        look(stages=(stage("sal", 9), stage("returned", 2))).sal.verdict is ConditionResult.FAILED
    )


def test_the_named_criteria_of_the_default_playbook_can_be_asked_one_by_one():
    found = look(
        attributes={**IDEAL, "subscribed": True},
        answers={"purchase": "replacement", "decision_maker": False},
    ).criteria

    assert found["contact_complete"].verdict is ConditionResult.MET
    assert found["subscribed"].verdict is ConditionResult.MET
    assert found["replacement_or_new"].verdict is ConditionResult.MET
    assert found["decision_maker"].verdict is ConditionResult.MET  # its seniority says so
    bare = look(attributes={"subscribed": True}, events=(event("unsubscribe"),)).criteria
    assert bare["contact_complete"].verdict is ConditionResult.FAILED
    assert bare["subscribed"].verdict is ConditionResult.FAILED
    assert bare["decision_maker"].verdict is ConditionResult.UNKNOWN


def test_a_criterion_may_rest_on_the_score_the_persona_and_what_is_excluded():
    playbook = read_playbook(
        """
        [stages.criteria.hot]
        words = "is hot"
        all = [
            { score_from = 60 },
            { persona = ["executive"] },
            { attribute = "industry", is_not = ["education"] },
        ]
        """
    )

    assert look(playbook, score=60.0).criteria["hot"].verdict is ConditionResult.MET
    assert look(playbook, score=59.0).criteria["hot"].verdict is ConditionResult.FAILED
    assert look(playbook).criteria["hot"].verdict is ConditionResult.UNKNOWN
    school = {**IDEAL, "industry": "Education"}
    assert (
        look(playbook, attributes=school, score=60.0).criteria["hot"].verdict
        is ConditionResult.FAILED
    )


def test_a_number_that_is_text_or_missing_is_not_taken_for_one():
    def fits(employees):
        found = look(attributes={"employees": employees}).fit.findings[1]
        return found.verdict

    assert fits("many") is ConditionResult.FAILED
    assert fits("250") is ConditionResult.MET
    assert fits(float("nan")) is ConditionResult.UNKNOWN


def test_definitions_run_on_what_was_known_strictly_before_the_moment():
    lead = LeadRecord(
        "L1",
        created_at=0,
        versions=(LeadVersion(0, {"industry": "retail"}), LeadVersion(NOW, IDEAL)),
        events=(event("demo_request", days_ago=0), EventRecord(NOW - DAY_US, NOW, "demo_request")),
        stages=(StageRecord(NOW - 2 * DAY_US, NOW - 2 * DAY_US, "sal"),),
    )
    answers = [
        QualificationAnswer(NOW, "budget", True),
        QualificationAnswer(NOW - 1, "need", True),
    ]

    before = facts_at(lead, NOW, answers=answers)
    after = facts_at(lead, NOW + 1, answers=answers, score=71.0)

    assert before.attributes == {"industry": "retail"}
    assert (len(before.events), len(after.events)) == (0, 2)
    assert (dict(before.answers), dict(after.answers)) == (
        {"need": True},
        {"need": True, "budget": True},
    )
    assert run_definitions(Playbook(), before).mql.verdict is ConditionResult.FAILED
    assert run_definitions(Playbook(), after).mql.verdict is ConditionResult.MET


def test_an_answer_can_be_taken_back():
    answers = [QualificationAnswer(1, "budget", True), QualificationAnswer(2, "budget", None)]

    facts = facts_at(LeadRecord("L1", 0), NOW, answers=answers)

    assert run_definitions(Playbook(), facts).criteria["budget"].verdict is ConditionResult.UNKNOWN
