"""Refusals in Discord's own shape. Source: developer documentation, "Opcodes and Status Codes", JSON error codes."""

from typing import NamedTuple

from tests.discord_server.records import JsonObject


class Refusal(NamedTuple):
    """HTTP status, Discord's error code, Discord's words."""

    status: int
    code: int
    message: str


UNAUTHORIZED = Refusal(401, 0, "401: Unauthorized")
NO_SUCH_ROUTE = Refusal(404, 0, "404: Not Found")
UNKNOWN_APPLICATION = Refusal(404, 10002, "Unknown Application")
UNKNOWN_CHANNEL = Refusal(404, 10003, "Unknown Channel")
UNKNOWN_GUILD = Refusal(404, 10004, "Unknown Guild")
UNKNOWN_MEMBER = Refusal(404, 10007, "Unknown Member")
UNKNOWN_MESSAGE = Refusal(404, 10008, "Unknown Message")
UNKNOWN_USER = Refusal(404, 10013, "Unknown User")
UNKNOWN_WEBHOOK = Refusal(404, 10015, "Unknown Webhook")
UNKNOWN_INTERACTION = Refusal(404, 10062, "Unknown interaction")
TOO_LARGE = Refusal(413, 40005, "Request entity too large")
ALREADY_ACKNOWLEDGED = Refusal(400, 40060, "Interaction has already been acknowledged.")
MISSING_ACCESS = Refusal(403, 50001, "Missing Access")
NOT_YOUR_MESSAGE = Refusal(403, 50005, "Cannot edit a message authored by another user")
EMPTY_MESSAGE = Refusal(400, 50006, "Cannot send an empty message")
CANNOT_SEND_TO_USER = Refusal(403, 50007, "Cannot send messages to this user")
NOT_A_TEXT_CHANNEL = Refusal(400, 50008, "Cannot send messages in a non-text channel")
MISSING_PERMISSIONS = Refusal(403, 50013, "Missing Permissions")
INVALID_WEBHOOK_TOKEN = Refusal(401, 50027, "Invalid Webhook Token")
INVALID_RECIPIENT = Refusal(400, 50033, "Invalid Recipient(s)")
INVALID_FORM = Refusal(400, 50035, "Invalid Form Body")
INVALID_JSON = Refusal(400, 50109, "The request body contains invalid JSON.")


class ApiError(Exception):
    """An answer other than success; `errors` names the fields of an invalid form."""

    def __init__(self, refusal: Refusal, errors: JsonObject | None = None) -> None:
        super().__init__(f"{refusal.code}: {refusal.message}")
        self.refusal = refusal
        self.errors = errors

    def body(self) -> JsonObject:
        """The JSON a client reads."""
        body: JsonObject = {"message": self.refusal.message, "code": self.refusal.code}
        return body if self.errors is None else body | {"errors": self.errors}


class FormErrors:
    """Collects the faults of a form by field, nested the way Discord nests them."""

    def __init__(self) -> None:
        self._tree: JsonObject = {}

    def add(self, path: tuple[str | int, ...], code: str, message: str) -> None:
        """One fault of one field."""
        node = self._tree
        for part in path:
            node = node.setdefault(str(part), {})
        node.setdefault("_errors", []).append({"code": code, "message": message})

    def longest(self, path: tuple[str | int, ...], text: object, limit: int) -> None:
        """Text of more than `limit` characters is a fault."""
        if isinstance(text, str) and len(text) > limit:
            self.add(path, "BASE_TYPE_MAX_LENGTH", f"Must be {limit} or fewer in length.")

    def most(self, path: tuple[str | int, ...], items: list[JsonObject], limit: int) -> None:
        """More than `limit` items are a fault."""
        if len(items) > limit:
            self.add(path, "BASE_TYPE_BAD_LENGTH", f"Must be {limit} or fewer in length.")

    def raise_any(self) -> None:
        """ApiError 50035 when anything was added."""
        if self._tree:
            raise ApiError(INVALID_FORM, self._tree)
