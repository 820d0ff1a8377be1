"""Bodies that come packed: unpacked as far as allowed, and no further."""

import zlib

from serving.errors import BodyTooLargeError, RefusedError

GZIP_WITH_HEADER = 16 + zlib.MAX_WBITS

PACKED = frozenset({"gzip", "x-gzip"})


class BodyNotGzipError(RefusedError):
    """A body that is declared as packed and cannot be unpacked."""

    status, slug, title = 422, "body-not-gzip", "Body cannot be unpacked"
    fix = "Pack the body as gzip, whole, or leave out the header Content-Encoding."

    def __init__(self) -> None:
        super().__init__("The body is declared as gzip, and is none, or not all of one.")


def inflate(body: bytes, encoding: str, most_bytes: int) -> bytes:
    """Unpack a body.

    Parameters
    ----------
    body
        As it came.
    encoding
        What Content-Encoding says; of another than gzip the body is left as it is.
    most_bytes
        Most bytes to make of it: a small body can hold a thousand times its size in zeros.

    Raises
    ------
    BodyTooLargeError, BodyNotGzipError
        If it becomes larger, or is no gzip.

    Examples
    --------
    >>> import gzip
    >>> inflate(gzip.compress(b"{}"), "gzip", 100)
    b'{}'
    """
    if encoding.strip().lower() not in PACKED:
        return body
    unpacking = zlib.decompressobj(GZIP_WITH_HEADER)
    try:
        unpacked = unpacking.decompress(body, most_bytes + 1)
    except zlib.error:
        raise BodyNotGzipError from None
    if len(unpacked) > most_bytes:
        raise BodyTooLargeError(most_bytes)
    if not unpacking.eof or unpacking.unused_data:
        raise BodyNotGzipError
    return unpacked
