"""What an error is: its code, the names of its parameters, and the sentence a person reads."""

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


def code(name: str, params: tuple[str, ...], doc: str, *, variadic: bool = False) -> ErrorCode:
    """Declare an error."""
    CODES[name] = ErrorCode(name, params, doc, variadic)
    return CODES[name]
