"""Why a lookup failed, one class for each thing that a caller can do about it."""

import grpc


class TarnError(Exception):
    """A lookup that failed. The message names the server, the gRPC status and what it said.

    Subclasses say what can be done. This class itself is a bug, of the server or on the way to it.
    """

    #: Whether the same call may succeed later: then a fallback is right, and an alarm may wait.
    is_transient = False

    def __init__(self, target: str, code: grpc.StatusCode, details: str) -> None:
        super().__init__(f"{target}: {code.name}: {details}")
        self.target = target
        self.code = code
        self.details = details


class ForkedError(RuntimeError):
    """The process was forked in a moment that leaves gRPC unusable in it, for all clients.

    gRPC's threads stay behind in the process that made them. Here a call would wait for them,
    beyond its deadline, or end the process.
    """

    def __init__(self, pid: int, reason: str) -> None:
        super().__init__(
            f"this process ({pid}) was forked while {reason}, and gRPC does not work in it: use"
            ' clients only after the fork, or start processes by multiprocessing\'s "spawn" or'
            ' "forkserver"'
        )


class InvalidRequestError(TarnError):
    """The request is wrong, and the message names its field. Trying again won't help."""


class NotReadyError(TarnError):
    """The service has nothing to answer from: a view is not released, or it is not fitted."""


class NotAllowedError(TarnError):
    """The server has callers; this is none of them, or may not read what it asks for."""


class UnavailableError(TarnError):
    """Nobody answered, or the server can't reach its Redis. The client has tried several times."""

    is_transient = True


class OverloadedError(TarnError):
    """The server has too many lookups under way, or the request is too large for it. Back off."""

    is_transient = True


class DeadlineExceededError(TarnError):
    """The deadline was over before the answer came."""

    is_transient = True


_BY_CODE: dict[grpc.StatusCode, type[TarnError]] = {
    grpc.StatusCode.INVALID_ARGUMENT: InvalidRequestError,
    grpc.StatusCode.FAILED_PRECONDITION: NotReadyError,
    grpc.StatusCode.UNAUTHENTICATED: NotAllowedError,
    grpc.StatusCode.PERMISSION_DENIED: NotAllowedError,
    grpc.StatusCode.UNAVAILABLE: UnavailableError,
    grpc.StatusCode.RESOURCE_EXHAUSTED: OverloadedError,
    grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineExceededError,
}


def of(target: str, code: grpc.StatusCode, details: str | None) -> TarnError:
    """Return the error of a gRPC status."""
    return _BY_CODE.get(code, TarnError)(target, code, details or "no details")
