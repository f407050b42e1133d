"""A small mail server on loopback: STARTTLS, a login, and what it was handed (RFC 5321, 3207, 4954)."""

from __future__ import annotations

import base64
import socketserver
import threading
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Literal

from beast_dream_snow_loader.sandbox.certificate import Certificate


@dataclass(slots=True, kw_only=True)
class Mail:
    """One mail as it was handed over."""

    encrypted: bool
    user: str
    recipients: list[str] = field(default_factory=list)
    data: bytes = b""


class MailServer:
    """Takes mail from ``snowload`` with its password; ``in_clear`` is everything that came unencrypted.

    ``refuses`` are recipients that it does not know. ``breaks_at`` is where it ends each connection without an answer:
    at a command (``"MAIL"``), or at the ``"end"`` of a mail, which it then has. Without a ``certificate`` it takes a
    login in the clear, as none should.
    """

    def __init__(self, certificate: Certificate | None, *, password: str) -> None:
        self.received: list[Mail] = []
        self.in_clear = b""
        self.offers_starttls = certificate is not None
        self.refuses: frozenset[str] = frozenset()
        self.breaks_at: Literal["", "MAIL", "end"] = ""
        self.password = password
        self.context = certificate.server_context() if certificate is not None else None
        owner = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                _Talk(owner, self.request).run()

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]

    def __enter__(self) -> MailServer:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Talk:
    """One connection."""

    def __init__(self, server: MailServer, socket: Any) -> None:
        self.server, self.socket = server, socket
        self.encrypted, self.user = False, ""
        self.lines = socket.makefile("rb")
        self.mail = Mail(encrypted=False, user="")

    def run(self) -> None:
        try:
            self.say("220 mail.example.com")
            while line := self.line():
                if not self.obey(line.rstrip(b"\r\n").decode("ascii", "replace")):
                    return
        except OSError:
            return

    def say(self, text: str) -> None:
        self.socket.sendall(f"{text}\r\n".encode())

    def line(self) -> bytes:
        line: bytes = self.lines.readline()
        if not self.encrypted:
            self.server.in_clear += line
        return line

    def obey(self, line: str) -> bool:
        verb, _, rest = line.partition(" ")
        if verb.upper() == self.server.breaks_at:
            return False
        commands = {"EHLO": self.ehlo, "STARTTLS": self.starttls, "AUTH": self.auth, "DATA": self.data}
        if verb.upper() == "QUIT":
            self.say("221 bye")
            return False
        if verb.upper() in commands:
            return commands[verb.upper()](rest)
        if verb.upper() == "MAIL":
            self.mail = Mail(encrypted=self.encrypted, user=self.user)
            self.say("250 ok" if self.user else "530 log in first")
        elif verb.upper() == "RCPT":
            self.recipient(rest.partition("<")[2].partition(">")[0])
        else:
            self.say("250 ok")
        return True

    def recipient(self, name: str) -> None:
        if name in self.server.refuses:
            self.say("550 no such user")
            return
        self.mail.recipients.append(name)
        self.say("250 ok")

    def ehlo(self, _: str) -> bool:
        offered = ["mail.example.com"]
        offered += ["STARTTLS"] if self.server.offers_starttls and not self.encrypted else []
        offered += ["AUTH PLAIN"] if self.encrypted or self.server.context is None else []
        for place, one in enumerate(offered, start=1):
            self.say(f"250{' ' if place == len(offered) else '-'}{one}")
        return True

    def starttls(self, _: str) -> bool:
        assert self.server.context is not None
        self.say("220 go ahead")
        self.socket = self.server.context.wrap_socket(self.socket, server_side=True)
        self.lines = self.socket.makefile("rb")
        self.encrypted = True
        return True

    def auth(self, rest: str) -> bool:
        _, user, password = base64.b64decode(rest.partition(" ")[2]).decode().split("\0")
        self.user = user if password == self.server.password else ""
        self.say("235 welcome" if self.user else f"535 no, not with {password}")
        return True

    def data(self, _: str) -> bool:
        self.say("354 go on")
        text = b""
        while (line := self.line()) not in (b".\r\n", b""):
            text += line.removeprefix(b".") if line.startswith(b"..") else line
        self.mail.data = text
        self.server.received.append(self.mail)
        if self.server.breaks_at == "end":
            return False
        self.say("250 taken")
        return True
