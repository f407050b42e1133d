"""Where a server of ours may listen: on this machine, unless a person said otherwise."""

from __future__ import annotations

from dataclasses import dataclass

from beast_dream_snow_loader.errors import BadArgument
from beast_dream_snow_loader.transport.manners import is_loopback

_HOW = "Write --listen 127.0.0.1:9464."


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    host: str
    port: int

    @classmethod
    def parse(cls, text: str, *, allow_remote: bool) -> Address:
        """``host:port``, an IPv6 address in brackets. BadArgument otherwise, and for what other machines can reach."""
        host, _, port = text.rpartition(":")
        host = host.removeprefix("[").removesuffix("]")
        if not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
            raise BadArgument(f"--listen {text}: an address is host:port.", next_step=_HOW)
        if not allow_remote and not is_loopback(host):
            raise BadArgument(
                f"--listen {text}: other machines could read it, without a login and unencrypted.",
                next_step=f"{_HOW} Where the network keeps strangers out, add --allow-remote.",
            )
        return cls(host=host, port=int(port))
