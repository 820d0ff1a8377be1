"""What is said of a fault: its class and where it was raised, never a value."""

from typing import Any

from serving.faults import MOST_PLACES, describe_fault

HERE = "tests/unit/serving/test_faults.py"


class Till:
    """Something with a method that fails."""

    def count(self, address: str) -> int:
        return int(address)


def catch(call: Any) -> Exception:
    try:
        call()
    except Exception as error:  # noqa: BLE001 - what the test is about
        return error
    raise AssertionError("nothing was raised")


def drop_lines(where: list[str]) -> list[str]:
    return [place.partition(":")[0] + " " + place.partition(" ")[2] for place in where]


def test_a_fault_is_reported_by_class_and_places_without_values() -> None:
    fault = describe_fault(catch(lambda: Till().count("ann@example.com")))

    assert fault["error"] == "ValueError"
    assert drop_lines(fault["where"])[-1] == f"{HERE} Till.count"
    line = Till.count.__code__.co_firstlineno + 1
    assert fault["where"][-1] == f"{HERE}:{line} Till.count"
    assert "example.com" not in str(fault)


def test_what_an_error_was_raised_from_is_reported_as_well() -> None:
    def load() -> None:
        try:
            Till().count("ann@example.com")
        except ValueError as error:
            raise LookupError("ann@example.com") from error

    fault = describe_fault(catch(load))

    assert fault["error"] == "LookupError"
    at = fault["where"].index("from ValueError")
    assert ".load" in fault["where"][at - 1]
    assert fault["where"][-1].endswith(" Till.count")
    assert "example.com" not in str(fault)


def test_of_a_deep_fault_the_innermost_places_are_reported() -> None:
    def dig(depth: int) -> int:
        return dig(depth - 1) if depth else 1 // depth

    where = describe_fault(catch(lambda: dig(50)))["where"]

    assert len(where) == MOST_PLACES
    assert all(".dig" in place for place in where)


def test_files_of_libraries_are_reported_by_their_project_alone() -> None:
    import msgspec
    import numpy as np
    from sqlalchemy import make_url

    where = describe_fault(catch(lambda: make_url("no address")))["where"]
    assert where[-1].startswith("sqlalchemy/engine/url.py:")
    for error in (
        catch(lambda: np.linalg.inv(np.zeros((2, 2)))),
        catch(lambda: msgspec.json.decode("{")),
    ):
        assert not any(place.startswith("/") for place in describe_fault(error)["where"])
