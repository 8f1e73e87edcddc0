"""Errors of requests, in the format that OpenAI's clients read."""

from typing import Any

from sluice_core.errors import UserError
from sluice_core.surrogates import escape_surrogates

ERROR_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}


class ApiError(UserError):
    """A request that is refused or fails: an HTTP status and a message that says why."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        """Describe the error.

        Args:
            status: HTTP status, 400 or above.
            message: what was wrong and what to do.
            param: field of the request that caused the error.
            code: short code for programs.
            headers: further headers of the response.
        """
        super().__init__(message)
        self.status, self.param, self.code, self.headers = status, param, code, headers or {}

    def body(self) -> dict[str, Any]:
        """Return the body of the response: `{"error": {"message", "type", "param", "code"}}`."""
        default = "server_error" if self.status >= 500 else "invalid_request_error"
        return {
            "error": {
                "message": escape_surrogates(str(self)),
                "type": ERROR_TYPES.get(self.status, default),
                "param": None if self.param is None else escape_surrogates(self.param),
                "code": self.code,
            }
        }


def queue_full(seconds: float) -> ApiError:
    """Return the error of a full queue.

    Args:
        seconds: estimated time until there is room, for the header `Retry-After`.
    """
    wait = max(1, round(seconds))
    return ApiError(
        429,
        f"the server has as many requests as it takes; try again in {wait} s",
        code="queue_full",
        headers={"Retry-After": str(wait)},
    )
