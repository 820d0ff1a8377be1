"""Requests drawn from the described API never make the server fail."""

from pathlib import Path

import pytest

from tests.integration.contract.run_schemathesis import (
    count_cases,
    run_schemathesis,
    running_for_strangers,
)


@pytest.mark.slow
def test_no_request_of_the_described_kind_makes_the_server_fail(
    database_url: str, tmp_path: Path
) -> None:
    # Every check on every operation takes many minutes: `python -m benchmarks --only schemathesis`.
    with running_for_strangers(tmp_path, database_url) as client:
        code, output = run_schemathesis(
            str(client.base_url), tmp_path, examples=1, seconds=20, seed=1,
            phases="examples,coverage", checks="not_a_server_error",
        )  # fmt: skip

    assert code == 0, output[-6_000:]
    assert count_cases(output) > 0, output


def test_a_refused_method_is_reported_all_that_an_address_answers_to(
    database_url: str, tmp_path: Path
) -> None:
    with running_for_strangers(tmp_path, database_url) as client:
        answer = client.options("/v1/leads/ann")

    assert answer.status_code == 405
    assert answer.headers["allow"] == "DELETE, GET, PUT"


def test_a_batch_with_fields_of_its_own_and_half_a_character_are_refused(
    database_url: str, tmp_path: Path
) -> None:
    with running_for_strangers(tmp_path, database_url) as client:
        batch = client.post("/v1/events", json={"events": [], "events_again": []})
        headers = {"Content-Type": "application/json"}
        half = client.post("/v1/leads/ann/what-if", content=b"\xff", headers=headers)

    assert (batch.status_code, half.status_code) == (422, 422)
    assert half.json()["detail"] == "the body is not JSON"
