"""POST to addresses that people configured, without becoming their way into our network.

The name is resolved once, every address it has is checked, and the connection goes to an address that
was checked: a name that answers differently the second time gains nothing. No proxy of the environment
is used, no redirect followed, and one deadline holds for the whole exchange, however slowly the other
side drips.
"""

import socket
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from threading import Event, Timer
from urllib.parse import SplitResult, urlsplit

from serving.notify.outbox import SendFailedError
from serving.settings import Network

Address = IPv4Address | IPv6Address
Resolve = Callable[[str, int], Sequence[str]]

MOST_ADDRESSES = 3
"""Addresses of one host that are tried."""

CARRIERS = (ip_network("64:ff9b::/96"), ip_network("64:ff9b:1::/48"))
"""Addresses of IPv6 that carry one of IPv4 in their last four bytes (RFC 6052, RFC 8215)."""


@dataclass(frozen=True)
class OutboundRules:
    """Where what we send may go."""

    plain_hosts: frozenset[str] = frozenset()
    """Hosts that may be reached by http."""
    networks: tuple[Network, ...] = ()
    """Networks that may be reached although they are not public."""
    timeout_seconds: float = 15.0


@dataclass(frozen=True)
class CheckedTarget:
    """An address of the web that was checked, and the addresses of machines behind it."""

    url: SplitResult = field(repr=False)
    host: str
    port: int
    addresses: tuple[str, ...]


def resolve(host: str, port: int) -> list[str]:
    """Ask for the addresses of a host, each once, in the order they were given."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def unwrap(address: Address) -> Address:
    """Give the address of IPv4 that one of IPv6 stands for, or the address itself."""
    if not isinstance(address, IPv6Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if any(address in carrier for carrier in CARRIERS):
        return IPv4Address(address.packed[-4:])
    return address


def is_reachable(text: str, networks: Sequence[Network]) -> bool:
    """Tell whether an address may be connected to: a public one, or one of our networks.

    >>> is_reachable("10.0.0.7", ()), is_reachable("10.0.0.7", (ip_network("10.0.0.0/8"),))
    (False, True)
    >>> is_reachable("::ffff:127.0.0.1", ()), is_reachable("9.9.9.9", ())
    (False, True)
    """
    address = unwrap(ip_address(text.partition("%")[0]))
    if any(address in network for network in networks):
        return True
    return address.is_global and not address.is_multicast


def find_target(url: str, rules: OutboundRules, find: Resolve = resolve) -> CheckedTarget:
    """Check where something is to go.

    Raises
    ------
    SendFailedError
        If the scheme, the host or one of its addresses is not allowed, or there is no such host.
    """
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        raise SendFailedError("The address is none") from None
    if parts.scheme not in {"http", "https"} or not host or parts.username is not None:
        raise SendFailedError("The address is no https address of a host")
    if parts.scheme == "http" and host not in rules.plain_hosts:
        raise SendFailedError("The address has no https, and its host is not in BATON_PLAIN_HOSTS")
    port = port or (443 if parts.scheme == "https" else 80)
    try:
        addresses = tuple(find(host, port))
    except (OSError, UnicodeError):
        raise SendFailedError("The host has no address") from None
    if not addresses or not all(is_reachable(one, rules.networks) for one in addresses):
        raise SendFailedError(
            "The host is in a network that is not public; BATON_PRIVATE_NETWORKS allows some"
        )
    return CheckedTarget(parts, host, port, addresses)


class _Checked(HTTPConnection):
    """A connection that goes to an address that was checked."""

    def __init__(self, target: CheckedTarget, timeout: float) -> None:
        super().__init__(target.host, target.port, timeout=timeout)
        self.target = target

    def connect(self) -> None:
        self.sock = _open_socket(self.target, self.timeout or 0)


class _CheckedTls(HTTPSConnection):
    """The same, behind TLS: the certificate must be the host's, whatever the address."""

    def __init__(self, target: CheckedTarget, timeout: float) -> None:
        self.tls = ssl.create_default_context()
        super().__init__(target.host, target.port, timeout=timeout, context=self.tls)
        self.target = target

    def connect(self) -> None:
        # Held before the handshake, so that the deadline can cut that short, too.
        self.sock = _open_socket(self.target, self.timeout or 0)
        self.sock = self.tls.wrap_socket(self.sock, server_hostname=self.target.host)


def _open_socket(target: CheckedTarget, timeout: float) -> socket.socket:
    problem: OSError | None = None
    tried = target.addresses[:MOST_ADDRESSES]
    for address in tried:
        try:
            sock = socket.create_connection((address, target.port), timeout / len(tried))
            sock.settimeout(timeout)
            return sock
        except OSError as error:
            problem = error
    raise problem or OSError


@dataclass(frozen=True)
class ReceivedResponse:
    """What the other side said."""

    status: int
    retry_after: str | None


def post(
    target: CheckedTarget, body: bytes, headers: Mapping[str, str], timeout: float
) -> ReceivedResponse:
    """Send a body; give the status. What the answer holds is not read.

    Raises
    ------
    SendFailedError
        If there is no answer before the deadline.
    """
    kind = _CheckedTls if target.url.scheme == "https" else _Checked
    connection = kind(target, timeout)
    # A timeout of the socket starts anew with every byte, so somebody watches the whole.
    is_over = Event()
    deadline = Timer(timeout, lambda: _cut(connection, is_over))
    deadline.daemon = True
    deadline.start()
    try:
        path = (target.url.path or "/") + (f"?{target.url.query}" if target.url.query else "")
        connection.request("POST", path, body, dict(headers))
        response = connection.getresponse()
        answer = ReceivedResponse(response.status, response.getheader("Retry-After"))
    except TimeoutError:
        raise SendFailedError("No answer in time") from None
    except (OSError, HTTPException, ValueError) as error:
        # Their words may hold the address, which may hold a secret.
        raise SendFailedError(f"No answer ({type(error).__name__})") from None
    finally:
        deadline.cancel()
        connection.close()
    # A line that is cut among the headers looks like their end.
    if is_over.is_set():
        raise SendFailedError("No answer in time")
    return answer


def _cut(connection: HTTPConnection, is_over: Event) -> None:
    is_over.set()
    sock = connection.sock
    if sock is not None:
        try:
            sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            return


def read_retry_after(text: str | None, at: datetime) -> timedelta | None:
    """Read how long the other side asks us to wait: seconds, or a date.

    What cannot be read, or lies in the past, asks nothing. The outbox bounds the rest.
    """
    if not text:
        return None
    try:
        if text.strip().isdecimal():
            return timedelta(seconds=min(int(text.strip()[:12]), 10**9))
        moment = parsedate_to_datetime(text)
        wait = moment - at
    except (ValueError, TypeError, OverflowError):
        return None
    return wait if wait > timedelta() else None


def check_answer(answer: ReceivedResponse, at: datetime) -> None:
    """Check that the other side took it.

    Raises
    ------
    SendFailedError
        If it answered anything but 2xx; a redirect is one of those.
    """
    if 200 <= answer.status < 300:
        return
    if 300 <= answer.status < 400:
        raise SendFailedError(f"Redirected ({answer.status}); redirects are not followed")
    raise SendFailedError(
        f"Answered {answer.status}", retry_after=read_retry_after(answer.retry_after, at)
    )
