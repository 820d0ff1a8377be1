"""Requests byte by byte, as no client library would send them."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import httpx


@contextmanager
def connect(client: httpx.Client) -> Iterator[socket.socket]:
    """Open a connection to the server a client talks to."""
    with socket.create_connection(
        (client.base_url.host, client.base_url.port or 80), timeout=30
    ) as opened:
        yield opened


def read_answer(opened: socket.socket) -> bytes:
    """Read until the server closes the connection; what it resets counts as closed."""
    read = b""
    try:
        while piece := opened.recv(65_536):
            read += piece
    except ConnectionResetError:
        pass
    return read


def read_status(opened: socket.socket) -> int:
    """Read the status of an answer, without waiting for the end of the connection."""
    line = b""
    while b"\r\n" not in line:
        piece = opened.recv(1)
        if not piece:
            raise ConnectionError(line)
        line += piece
    return int(line.split()[1])
