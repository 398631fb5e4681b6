"""XenAPI's errors, each declared once: code, names of its parameters, and the sentence a person reads.

`raise errors.VM_BAD_POWER_STATE(vm, "Halted", "Running")`. Only `api/` turns an ApiError into a failure on the wire.
"""

from dataclasses import dataclass


class ApiError(Exception):
    """A refusal or failure that a caller of XenAPI is told, as `[code, parameter…]`."""

    def __init__(self, code: str, *params: object) -> None:
        self.code = code
        self.params = tuple(str(param) for param in params)
        super().__init__(code, *self.params)

    @property
    def description(self) -> list[str]:
        """`[code, parameter…]`, as the wire carries it."""
        return [self.code, *self.params]


@dataclass(frozen=True, slots=True)
class ErrorCode:
    """A declared error; calling it with its parameters builds the exception."""

    code: str
    params: tuple[str, ...]
    doc: str
    variadic: bool = False  # the last parameter may be repeated or left out

    def __call__(self, *params: object) -> ApiError:
        assert len(params) == len(self.params) or self.variadic, f"{self.code} takes {self.params}"
        return ApiError(self.code, *params)


CODES: dict[str, ErrorCode] = {}


def _code(code: str, params: tuple[str, ...], doc: str, *, variadic: bool = False) -> ErrorCode:
    CODES[code] = ErrorCode(code, params, doc, variadic)
    return CODES[code]


HANDLE_INVALID = _code("HANDLE_INVALID", ("class", "handle"), "No object has this reference; it may have been deleted.")
UUID_INVALID = _code("UUID_INVALID", ("type", "uuid"), "No object of this class has this uuid.")
INTERNAL_ERROR = _code("INTERNAL_ERROR", ("message",), "The server failed in a way it does not know; see its log.")
NOT_IMPLEMENTED = _code("NOT_IMPLEMENTED", ("function",), "This message is declared and not implemented yet.")
