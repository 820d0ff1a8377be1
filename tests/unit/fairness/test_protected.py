"""Which fields are protected by their names, and who may lift that."""

import pytest

from training.dataset.protected import find_protected, find_reason
from training.errors import ProtectedFieldError


@pytest.mark.parametrize(
    "name",
    [
        "gender", "Sex", "customer_age", "age", "birth_date", "DateOfBirth", "ethnicity",
        "Nationality", "religion", "marital", "marital_status", "has_children", "Salutation",
        "first_name", "FirstName", "lastName", "zip_code", "ZIPCode", "postal_code", "postcode",
        "disability", "union_member", "politicalViews",
    ],
)  # fmt: skip
def test_protected_fields_and_proxies_are_known_by_their_names(name):
    assert find_reason(name)


@pytest.mark.parametrize(
    "name",
    [
        "industry", "lead_age", "company_age", "page_count", "language", "stage", "campaign",
        "employees", "job_title", "country", "product_family", "message", "average_value",
        "domain_name", "company_name", "racecar_model_line", "education", "budget", "region",
    ],
)  # fmt: skip
def test_ordinary_fields_are_not(name):
    assert find_reason(name) == ""


def test_a_company_may_protect_more_and_allow_with_a_reason():
    fields = ["age", "region", "industry"]
    found = find_protected(fields, further=["region"])
    assert [one.field for one in found] == ["age", "region"]
    assert "BATON_PROTECTED_FIELDS" in found[1].words
    allowed = find_protected(fields, allowed={"age": "the offer is for pensioners by law"})
    assert allowed == ()


def test_an_allowance_for_nothing_is_refused():
    with pytest.raises(ProtectedFieldError, match="Left out here: age"):
        find_protected(["age"], allowed={"gender": "a typing error"})
