"""The channels: each sends one message, by its own way and under its own breaker, and is waited for so long at most."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar
from urllib.parse import urlsplit

from beast_dream_snow_loader.app.credentials import Credentials
from beast_dream_snow_loader.app.notify_config import NotifySettings
from beast_dream_snow_loader.clock import Clock
from beast_dream_snow_loader.core.events import Listener
from beast_dream_snow_loader.core.notices import CHANNELS, PING
from beast_dream_snow_loader.core.shown import shown
from beast_dream_snow_loader.errors import (
    ConfigurationError,
    NotSent,
    OutcomeUnknown,
    Rejected,
    SnowloadError,
)
from beast_dream_snow_loader.operations.circuit_breaker import BreakerRegistry
from beast_dream_snow_loader.operations.correlation import carried
from beast_dream_snow_loader.operations.retry import RetryPolicy
from beast_dream_snow_loader.redaction import Secret, masked
from beast_dream_snow_loader.transport.apprise_door import send_by_apprise
from beast_dream_snow_loader.transport.breaking import Breakers
from beast_dream_snow_loader.transport.http import HttpTransport, ResilientHTTPClient
from beast_dream_snow_loader.transport.mail import Mailbox, send_mail
from beast_dream_snow_loader.transport.messages import Request, Response
from beast_dream_snow_loader.transport.reading import Limits

_ANSWER_BYTES = 65536
_TRY = "snowload notify test"
_FAILURES = (NotSent, OutcomeUnknown)

_PING = f"notify.{PING}"

T = TypeVar("T")
Message = Mapping[str, Any]
"""The document of a message, as its schema says (schemas/notice.schema.json)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What became of one message on one channel: ``error`` None when it was handed over, with a ``remark`` where not
    everybody has it."""

    channel: str
    error: SnowloadError | None = None
    remark: SnowloadError | None = None

    @property
    def repeatable(self) -> bool:
        """It was not handed over. What may have arrived all the same, and would end so again, is not sent twice."""
        unknown = isinstance(self.error, OutcomeUnknown) and not self.error.repeat_helps
        return self.error is not None and not unknown

    def document(self) -> dict[str, str]:
        """Its row: nothing of an address that may be a secret."""
        trouble = self.error or self.remark or SnowloadError("")
        message, step = (shown(masked(text), 500) for text in (trouble.message, trouble.next_step))
        outcome = "sent" if self.error is None else "failed"
        return {"channel": self.channel, "outcome": outcome, "message": message, "next_step": step}


@dataclass(frozen=True, slots=True, kw_only=True)
class Channels:
    """The channels of the settings. ``registry`` has their breakers, by the names ``notify.<channel>``; threads
    that are left behind may use it later."""

    settings: NotifySettings
    credentials: Credentials
    clock: Clock
    listener: Listener
    registry: BreakerRegistry = field(default_factory=BreakerRegistry)

    def send(self, letters: Sequence[tuple[str, Message]]) -> list[Delivery]:
        """Every letter (channel, message): the channels side by side, the letters of each in their order. One that is
        not through in time counts as not sent. Raises nothing that a channel does."""
        found: list[Delivery | None] = [None] * len(letters)
        working, over = [], threading.Event()
        for channel in dict.fromkeys(channel for channel, _ in letters):
            mine = [(place, message) for place, (name, message) in enumerate(letters) if name == channel]
            thread = threading.Thread(target=carried(self._into), args=(found, channel, mine, over), daemon=True)
            thread.start()
            working.append(thread)
        limit = self.settings.total_seconds
        ends = self.clock.monotonic() + limit
        for thread in working:
            thread.join(max(0.0, ends - self.clock.monotonic()))
        over.set()
        late = NotSent(f"It took longer than {limit:g} s.", next_step=f"Run: {_TRY}")
        told = tuple(found)  # what a late thread is just sending is not waited for
        return [one or Delivery(channel=channel, error=late) for one, (channel, _) in zip(told, letters, strict=True)]

    def ping(self, suffix: str, params: Sequence[tuple[str, str]], text: str) -> Delivery:
        """Tell the dead man's switch, once."""
        return _delivered(PING, lambda: self._ping(suffix, params, text))

    def _ping(self, suffix: str, params: Sequence[tuple[str, str]], text: str) -> None:
        mine = self._secrets("ping_url")
        if mine.ping_url is None:
            return
        url = _held(mine.ping_url).rstrip("/")
        request = Request(
            method="POST", url=f"{url}{suffix}", operation=_PING, params=tuple(params), body=text.encode()
        )
        _accepted(_PING, self._http(_PING).send(request))

    def _into(
        self, found: list[Delivery | None], channel: str, letters: Sequence[tuple[int, Message]], over: threading.Event
    ) -> None:
        ways = dict(zip(CHANNELS, (self._webhook, self._smtp, self._apprise), strict=True))
        for place, message in letters:
            if over.is_set():
                return
            found[place] = _delivered(channel, partial(ways[channel], message))

    def _secrets(self, *names: str) -> NotifySettings:
        return self.credentials.resolved(self.settings.only(*names), "notify", self.listener)

    def _http(self, name: str) -> HttpTransport:
        limit = self.settings.timeout_seconds
        return HttpTransport(
            name,
            verify=str(self.settings.ca_file) if self.settings.ca_file else True,
            connect_timeout=limit,
            read_timeout=limit,
            limits=Limits(body_bytes=_ANSWER_BYTES, total_seconds=limit),
            listener=self.listener,
            clock=self.clock,
        )

    def _client(self, name: str) -> ResilientHTTPClient:
        limit = self.settings.timeout_seconds
        return ResilientHTTPClient(
            name,
            http=self._http(name),
            policy=RetryPolicy(max_attempts=2, base_delay_seconds=0.5, deadline_seconds=limit),
            listener=self.listener,
            clock=self.clock,
            breakers=Breakers(self.registry.get(name)),
        )

    def _webhook(self, message: Message) -> SnowloadError | None:
        mine = self._secrets("webhook_url", "webhook_secret")
        if mine.webhook_url is None:
            return None
        body = json.dumps(message, ensure_ascii=True).encode("ascii")
        headers = {"Content-Type": "application/json", "X-Snowload-Notice": str(message["id"])}
        if mine.webhook_secret is not None:
            moment = str(int(self.clock.now().timestamp()))
            headers |= {
                "X-Snowload-Timestamp": moment,
                "X-Snowload-Signature": signed(mine.webhook_secret, moment, body),
            }
        answer = self._client("notify.webhook").post(
            _held(mine.webhook_url), headers=headers, body=body, operation="notify.webhook", repeatable=True
        )
        _accepted("notify.webhook", answer)
        return None

    def _smtp(self, message: Message) -> SnowloadError | None:
        mine = self._secrets("smtp_password")
        mailbox = Mailbox(
            host=mine.smtp_host or "",
            port=mine.port,
            security=mine.smtp_security,
            sender=mine.smtp_sender or "",
            recipients=mine.smtp_recipients,
            username=mine.smtp_username or "",
            password=mine.smtp_password,
            ca_file=mine.ca_file,
            timeout=mine.timeout_seconds,
        )
        title, text, name = str(message["title"]), str(message["text"]), str(message["id"])
        refused = self._under("notify.smtp", lambda: send_mail(mailbox, title, text, name))
        return _some_refused(refused, len(mailbox.recipients)) if refused else None

    def _apprise(self, message: Message) -> SnowloadError | None:
        mine = self._secrets("apprise_url")
        if (urls := mine.apprise_url) is not None:
            title, text = str(message["title"]), str(message["text"])
            self._under("notify.apprise", lambda: send_by_apprise(urls, title, text))
        return None

    def _under(self, name: str, work: Callable[[], T]) -> T:
        return self.registry.get(name).call(work, name, failures=_FAILURES, patient=True)


def _delivered(channel: str, way: Callable[[], SnowloadError | None]) -> Delivery:
    try:
        return Delivery(channel=channel, remark=way())
    except SnowloadError as error:
        return Delivery(channel=channel, error=error)
    except Exception as error:  # noqa: BLE001 - who tells is a listener: a defect in it, or beneath, ends no run
        broken = f"It was not told, by a defect of snowload or of a library: {type(error).__name__}."
        return Delivery(channel=channel, error=SnowloadError(broken, next_step=f"Try it again: {_TRY}"))


def signed(secret: Secret, moment: str, body: bytes) -> str:
    """``sha256=<hex>``: HMAC-SHA256 of ``<timestamp>.<body>``, so that an old message cannot be sent again."""
    digest = hmac.new(secret.reveal().encode(), f"{moment}.".encode() + body, hashlib.sha256)
    return f"sha256={digest.hexdigest()}"


def _some_refused(refused: int, of: int) -> SnowloadError:
    return Rejected(
        f"The mail server refused {refused} of {of} recipients; the others have it.",
        next_step="Check notify.smtp_recipients, then run: snowload notify test --channel smtp",
    )


def _held(url: Secret) -> str:
    """The address, of which no part is shown from now on: a path alone may be the whole secret."""
    text = url.reveal()
    try:
        path = urlsplit(text).path
    except ValueError:
        raise ConfigurationError(
            "An address of [notify] cannot be read.", next_step=f"Check it, then run: {_TRY}"
        ) from None
    if len(path) > 1:
        Secret(path.rstrip("/"))
    return text


def _accepted(service: str, answer: Response) -> None:
    """Rejected for whatever is no success; a redirect is not followed, for it may lead anywhere."""
    if 200 <= answer.status < 300:
        return
    why = "it redirects, which is not followed" if 300 <= answer.status < 400 else f"it answered {answer.status}"
    raise Rejected(
        f"{service} did not take the message: {why}.",
        next_step=f"Check the address, then run: {_TRY}",
        status=answer.status,
    )
