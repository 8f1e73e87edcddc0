"""What goes wrong with a request, in the shape that OpenAI's clients read."""

from typing import Any

from sluice_core.errors import UserError
from sluice_core.surrogates import spelled_out

KINDS = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}


class ApiError(UserError):
    """A request that is not answered as asked: a status, and words that say why."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        """Describe it.

        Args:
            status: of HTTP, from 400.
            message: what was wrong and what to do.
            param: the field of the request that is to blame.
            code: a word for programs.
            headers: of the response.
        """
        super().__init__(message)
        self.status, self.param, self.code, self.headers = status, param, code, headers or {}

    def body(self) -> dict[str, Any]:
        """`{"error": {"message", "type", "param", "code"}}`."""
        kind = KINDS.get(self.status, "server_error" if self.status >= 500 else "invalid_request_error")
        param = None if self.param is None else spelled_out(self.param)
        return {"error": {"message": spelled_out(str(self)), "type": kind, "param": param, "code": self.code}}


def too_busy(seconds: float) -> ApiError:
    """Turned away for now; `seconds` is a guess of when there is room."""
    wait = max(1, round(seconds))
    return ApiError(
        429,
        f"the server has as many requests as it takes; try again in {wait} s",
        code="queue_full",
        headers={"Retry-After": str(wait)},
    )
