"""Where what we send may go: addresses that people configured are not a way into our network."""

import socket
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from threading import Thread

import pytest

from serving.notify.guarded_http import (
    OutboundRules,
    find_target,
    is_reachable,
    post,
    read_retry_after,
)
from serving.notify.outbox import SendFailedError


def find_public(*_: object) -> list[str]:
    return ["9.9.9.9"]


NOW = datetime(2026, 3, 9, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.0.0.7",
        "172.16.3.4",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",  # noqa: S104 - what is refused
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1%eth0",
        "fd00::7",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.7",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::",
        "2001:db8::1",
    ],
)
def test_an_address_that_is_not_public_is_refused_however_it_is_written(address: str) -> None:
    assert not is_reachable(address, ())


def test_public_addresses_and_those_of_networks_we_name_are_reached() -> None:
    ours = (ip_network("10.1.0.0/16"), ip_network("fd00::/8"))

    assert all(is_reachable(address, ()) for address in ("9.9.9.9", "2620:fe::fe"))
    assert all(
        is_reachable(address, ours) for address in ("10.1.2.3", "fd00::7", "::ffff:10.1.2.3")
    )
    assert not is_reachable("10.2.0.1", ours)


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example.com/",
        "ftp://hooks.example.com/",
        "file:///etc/passwd",
        "https://user:word@hooks.example.com/",
        "https:///nowhere",
        "https://hooks.example.com:99999/",
        "https://[::1",
        "",
    ],
)
def test_what_is_no_https_address_of_a_host_is_refused(url: str) -> None:
    with pytest.raises(SendFailedError) as refused:
        find_target(url, OutboundRules(), find_public)
    assert "example" not in str(refused.value)


def test_http_is_for_the_hosts_that_are_named() -> None:
    rules = OutboundRules(frozenset({"hooks.internal"}))

    target = find_target("http://HOOKS.internal/x", rules, find_public)

    assert (target.host, target.port) == ("hooks.internal", 80)


@pytest.mark.parametrize("url", ["https://2130706433/", "https://0x7f.1/", "https://127.1/"])
def test_numbers_that_the_resolver_takes_for_this_machine_are_seen_through(url: str) -> None:
    with pytest.raises(SendFailedError):
        find_target(url, OutboundRules())


def test_one_private_address_among_public_ones_refuses_the_host() -> None:
    with pytest.raises(SendFailedError, match="not public"):
        find_target(
            "https://hooks.example.com/",
            OutboundRules(),
            lambda *_: ["9.9.9.9", "10.0.0.7"],
        )


def test_the_connection_goes_to_the_address_that_was_checked_not_to_a_second_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        asked: list[str] = []

        def find(host: str, port: int) -> list[str]:
            asked.append(host)
            return ["127.0.0.1"] if len(asked) == 1 else ["10.0.0.7"]

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                received.append(connection.recv(65_536))
                connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

        received: list[bytes] = []
        thread = Thread(target=answer)
        thread.start()
        rules = OutboundRules(frozenset({"rebound.test"}), (ip_network("127.0.0.0/8"),))
        target = find_target(f"http://rebound.test:{port}/", rules, find)
        response = post(target, b"{}", {}, 5)
        thread.join()

    assert response.status == 204
    assert asked == ["rebound.test"]
    assert f"Host: rebound.test:{port}".encode() in received[0]


def test_one_deadline_holds_however_slowly_the_other_side_drips() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def drip() -> None:
            connection, _ = server.accept()
            with connection:
                connection.settimeout(0.2)
                try:
                    connection.sendall(b"HTTP/1.1 200 OK\r\n")
                    for _ in range(600):  # two minutes, unless cut
                        connection.sendall(b"X: y\r\n")
                        try:
                            if not connection.recv(65_536):
                                return
                        except TimeoutError:
                            continue
                except OSError:
                    return

        thread = Thread(target=drip)
        thread.start()
        rules = OutboundRules(frozenset({"127.0.0.1"}), (ip_network("127.0.0.0/8"),))
        target = find_target(f"http://127.0.0.1:{port}/", rules)
        with pytest.raises(SendFailedError, match="No answer"):
            post(target, b"{}", {}, 1)
        thread.join()


def test_a_wait_is_read_in_seconds_or_as_a_date() -> None:
    assert read_retry_after("90", NOW) == timedelta(seconds=90)
    assert read_retry_after("Mon, 09 Mar 2026 09:01:00 GMT", NOW) == timedelta(minutes=1)
    for nonsense in (None, "", "soon", "-1", "1.5", "Mon, 09 Mar 2026 08:00:00 GMT", "٣"):
        assert read_retry_after(nonsense, NOW) in {None, timedelta(seconds=3)}
