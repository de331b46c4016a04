"""What can go wrong on the wire. All are OSErrors, as those of the sockets below.

HttpError
├── ConnectFailed           nobody listens, no such host, TLS refused
├── ConnectionLost          ended before the answer was whole; `answered` when part of it had come
├── MalformedResponse       what came is not HTTP/1.1, or more than was asked for
└── BodyTooLarge            more than the reader would take
"""

from __future__ import annotations


class HttpError(OSError):
    pass


class ConnectFailed(HttpError):
    pass


class ConnectionLost(HttpError):
    def __init__(self, message: str, *, answered: bool) -> None:
        super().__init__(message)
        self.answered = answered


class MalformedResponse(HttpError):
    pass


class BodyTooLarge(HttpError):
    pass
