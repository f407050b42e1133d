"""A small mail server on loopback: STARTTLS, a login, and what it was handed (RFC 5321, 3207, 4954)."""

from __future__ import annotations

import base64
import socketserver
import threading
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from beast_dream_snow_loader.sandbox.certificate import Certificate


@dataclass(slots=True, kw_only=True)
class Mail:
    """One mail as it was handed over."""

    encrypted: bool
    user: str
    recipients: list[str] = field(default_factory=list)
    data: bytes = b""


class MailServer:
    """Takes mail from ``snowload`` with its password; ``in_clear`` is everything that came unencrypted."""

    def __init__(self, certificate: Certificate, *, password: str) -> None:
        self.received: list[Mail] = []
        self.in_clear = b""
        self.offers_starttls = True
        self.password = password
        self.context = certificate.server_context()
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
        commands = {"EHLO": self.ehlo, "STARTTLS": self.starttls, "AUTH": self.auth, "DATA": self.data}
        if verb.upper() == "QUIT":
            self.say("221 bye")
            return False
        if verb.upper() in commands:
            commands[verb.upper()](rest)
        elif verb.upper() == "MAIL":
            self.mail = Mail(encrypted=self.encrypted, user=self.user)
            self.say("250 ok" if self.user else "530 log in first")
        elif verb.upper() == "RCPT":
            self.mail.recipients.append(rest.partition("<")[2].partition(">")[0])
            self.say("250 ok")
        else:
            self.say("250 ok")
        return True

    def ehlo(self, _: str) -> None:
        offered = ["mail.example.com"]
        offered += ["STARTTLS"] if self.server.offers_starttls and not self.encrypted else []
        offered += ["AUTH PLAIN"] if self.encrypted else []
        for place, one in enumerate(offered, start=1):
            self.say(f"250{' ' if place == len(offered) else '-'}{one}")

    def starttls(self, _: str) -> None:
        self.say("220 go ahead")
        self.socket = self.server.context.wrap_socket(self.socket, server_side=True)
        self.lines = self.socket.makefile("rb")
        self.encrypted = True

    def auth(self, rest: str) -> None:
        _, user, password = base64.b64decode(rest.partition(" ")[2]).decode().split("\0")
        self.user = user if password == self.server.password else ""
        self.say("235 welcome" if self.user else "535 no")

    def data(self, _: str) -> None:
        self.say("354 go on")
        text = b""
        while (line := self.line()) not in (b".\r\n", b""):
            text += line.removeprefix(b".") if line.startswith(b"..") else line
        self.mail.data = text
        self.server.received.append(self.mail)
        self.say("250 taken")
