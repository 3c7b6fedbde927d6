"""The wire: what a core and its handlers say to each other, byte for byte. ``docs/protocol.md`` is the same in prose.

A body is one version byte and a MessagePack array of messages; a message is an array that begins with its kind. Many
messages travel in one body, and many runs in one message, so that what is said once per turn of a loop costs once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Final, Literal, cast

import msgspec
from msgspec import Meta

from schedule_zero.key import PublicKey
from schedule_zero.run import Cause

VERSION: Final = 1
LARGEST_BODY: Final = 1024 * 1024
LARGEST_ORDERS: Final = 4 * LARGEST_BODY
LARGEST_SCHEMA: Final = 65_536
MOST_PAIRS: Final = 4096
MOST_LINES: Final = 1000

_NoNul = r"^[^\x00]*(?![\s\S])"
Name = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_.\-]+(?![\s\S])")]
RunId = Annotated[str, Meta(min_length=1, max_length=32, pattern=r"^[a-z0-9_]+(?![\s\S])")]
Attempt = Annotated[int, Meta(ge=1, le=1_000_000)]
Pair = tuple[RunId, Attempt]
Pairs = Annotated[list[Pair], Meta(max_length=MOST_PAIRS)]
Note = Annotated[str, Meta(max_length=500, pattern=_NoNul)]
Said = Annotated[str, Meta(max_length=2000, pattern=_NoNul)]
Seconds = Annotated[float, Meta(ge=0, le=86_400 * 366)]
Credit = Annotated[int, Meta(ge=0, le=4096)]


class WireError(Exception):
    """A body that is none: the sentence names what is wrong with it."""


class Message(msgspec.Struct, array_like=True, forbid_unknown_fields=False, gc=False):
    """What every message has in common: fields are told apart by their place, and more may follow in a later version."""


# ── to the core ────────────────────────────────────────────────────────────────────────────────────────────────


class MethodOffer(Message):
    """One method of a handler, as it declares it. ``schema``: JSON Schema of its arguments, as JSON text.

    ``timeout``: seconds one attempt may take, where the schedule says nothing. ``lease``: for how many seconds nobody
    may hear of the process while it does this; None: as WELCOME says.
    """

    name: Name
    doc: Annotated[str, Meta(max_length=4000, pattern=_NoNul)]
    timeout: Seconds | None
    at_most_once: bool
    schema: Annotated[str, Meta(max_length=LARGEST_SCHEMA)]
    lease: Seconds | None = None


class Hello(Message, tag="HELLO"):
    """Who I am and what I can do; the first message of a connection, and the answer to WHO.

    Attributes:
        name: the handler that schedules address. Processes of one name form a pool.
        instance: this process, by a name nobody else has; the same after a reconnect.
        versions: the lowest and the highest version of this protocol it speaks.
        software: what it is, for people: ``schedule-zero-kit 0.1.0``.
        methods: what it can do.
        credit: how many attempts it takes at once.
        held: attempts it runs, or has answered without an acknowledgement. The core adopts them.
        token: a token, where the core asks for one.
        public: the public key that the token goes with, or shall bind, where the connection does not show it.
        version: of the handler, for schedules that ask for one: numbers with dots between them.
        capabilities: what this process has that others of the name may not have, for schedules that need it.
    """

    name: Name
    instance: Name
    versions: tuple[int, int]
    software: Annotated[str, Meta(max_length=100, pattern=_NoNul)]
    methods: Annotated[list[MethodOffer], Meta(max_length=256)]
    credit: Credit
    held: Pairs
    token: Annotated[str, Meta(max_length=200)] | None = None
    public: PublicKey | None = None
    version: Annotated[str, Meta(max_length=64, pattern=_NoNul)] | None = None
    capabilities: Annotated[list[Name], Meta(max_length=64)] | None = None


class Ack(Message, tag="ACK"):
    """These attempts have begun."""

    pairs: Pairs


class Beat(Message, tag="BEAT"):
    """I am alive, and so are these attempts: running, or answered and not acknowledged. Their leases are extended."""

    pairs: Pairs


class Line(Message):
    """One line of a run's log.

    Attributes:
        at: when it was said, by the clock of who said it, microseconds since the epoch.
        left_out: how many lines before it were said, and are not told.
    """

    at: Annotated[int, Meta(ge=0, le=2**53)]
    text: Note
    left_out: Annotated[int, Meta(ge=0, le=2**31)] = 0


class Progress(Message, tag="PROGRESS"):
    """How far an attempt is, and what it logged since it last said so. May be thinned out on its way.

    Attributes:
        fraction: from 0 to 1; None where only lines are told. A note without a fraction is itself a line of the log.
        lines: in the order they were said.
        left_out: how many lines behind the last of them were said, and are not told.
    """

    run_id: RunId
    attempt: Attempt
    fraction: Annotated[float, Meta(ge=0, le=1)] | None
    note: Note
    lines: Annotated[list[Line], Meta(max_length=MOST_LINES)] = []
    left_out: Annotated[int, Meta(ge=0, le=2**31)] = 0


class Ended(Message):
    """How an attempt ended.

    Attributes:
        value: of a success, the result as JSON text.
        cause: of a failure: ``lasting`` (never works), ``passing`` (may work later), ``unknown``.
        error: of a failure, a sentence.
        retry_after: of a passing failure, seconds until the next try; it uses up no attempt.
    """

    run_id: RunId
    attempt: Attempt
    status: Literal["succeeded", "failed", "cancelled"]
    value: Annotated[str, Meta(max_length=65_536)] | None = None
    cause: Cause | None = None
    error: Said | None = None
    retry_after: Seconds | None = None


class Result(Message, tag="RESULT"):
    """Attempts ended. Kept by the handler, and repeated, until RESULT_ACK names them."""

    ended: Annotated[list[Ended], Meta(max_length=MOST_PAIRS)]


class Nack(Message, tag="NACK"):
    """An attempt that was not begun and will not be."""

    run_id: RunId
    attempt: Attempt
    reason: Literal["draining", "overloaded", "unknown_method", "bad_arguments"]


class NewCredit(Message, tag="CREDIT"):
    """How many attempts the handler takes at once from now on; 0 while it cannot work."""

    credit: Credit


class Bye(Message, tag="BYE"):
    """I take nothing more and hold nothing more."""


# ── to the handler ─────────────────────────────────────────────────────────────────────────────────────────────


class Welcome(Message, tag="WELCOME"):
    """You are known.

    Attributes:
        now: the core's clock, microseconds since the epoch.
        cluster: the cores that say the same here work on one database, and each takes answers and beats for all.
    """

    version: int
    lease: Seconds
    beat: Seconds
    largest_body: int
    now: int
    cluster: Annotated[str, Meta(max_length=64)] | None = None


class Refuse(Message, tag="REFUSE"):
    """You are not admitted, and why. Where ``again`` is false, asking again is of no use."""

    reason: Said
    again: bool


class Who(Message, tag="WHO"):
    """I do not know this connection: say HELLO."""


class Order(Message):
    """One attempt to run.

    Attributes:
        args: the arguments, a JSON object as text.
        due: when the run was due, microseconds since the epoch.
        late_by: how many microseconds after that the attempt was given out.
        timeout: seconds the attempt may take from now; the handler's own clock counts them.
    """

    run_id: RunId
    attempt: Attempt
    method: str
    args: str
    schedule_id: str
    guild_id: str | None
    owner_id: str
    due: int
    late_by: int
    timeout: float
    metadata: str


class Run(Message, tag="RUN"):
    """Run these. They are committed: the core remembers that it asked."""

    orders: list[Order]


class Cancel(Message, tag="CANCEL"):
    """Stop this attempt, and say how it ended."""

    run_id: RunId
    attempt: Attempt


class ResultAck(Message, tag="RESULT_ACK"):
    """These results are committed; forget them."""

    pairs: Pairs


class Drain(Message, tag="DRAIN"):
    """You get nothing new. Finish what you hold, then say BYE."""


ToCore = Drain | Hello | Ack | Beat | Progress | Result | Nack | NewCredit | Bye
ToHandler = Welcome | Refuse | Who | Run | Cancel | ResultAck | Drain | Beat

_encoder: Final = msgspec.msgpack.Encoder()
_VERSION_BYTE: Final = bytes([VERSION])


def write(messages: Sequence[msgspec.Struct]) -> bytes:
    """The body of these messages."""
    return _VERSION_BYTE + _encoder.encode(messages)


def bodies(messages: Sequence[bytes], size: int) -> list[bytes]:
    """Messages in their bytes, in order, in as few bodies of about that size as hold them; one message is never split."""
    made: list[bytes] = []
    together: list[msgspec.Raw] = []
    length = 0
    for message in messages:
        if together and (length + len(message) > size or len(together) == MOST_PAIRS):
            made.append(_VERSION_BYTE + _encoder.encode(together))
            together, length = [], 0
        together.append(msgspec.Raw(message))
        length += len(message)
    if together:
        made.append(_VERSION_BYTE + _encoder.encode(together))
    return made


def reader(messages: Any) -> Callable[[bytes], list[Any]]:
    """Reads bodies of these messages. What it returns raises WireError."""
    decode = msgspec.msgpack.Decoder(Annotated[list[messages], Meta(max_length=MOST_PAIRS)]).decode

    def read(body: bytes) -> list[Any]:
        if not body:
            raise WireError("the body is empty")
        if body[0] != VERSION:
            raise WireError(f"the body is of version {body[0]}; this side speaks version {VERSION}")
        try:
            return cast("list[Any]", decode(memoryview(body)[1:]))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise WireError(f"the body cannot be read: {error}") from None

    return read


read_from_handler: Final = reader(ToCore)
"""The messages of a body that a handler sent. Raises WireError."""
read_from_core: Final = reader(ToHandler)
"""The messages of a body that a core sent. Raises WireError."""
