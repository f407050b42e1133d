"""Messages through apprise, the optional library that speaks to a hundred services."""

from __future__ import annotations

from beast_dream_snow_loader.errors import ConfigurationError, NotSent
from beast_dream_snow_loader.redaction import Secret

_STEP = "Check notify.apprise_url, then run: snowload notify test --channel apprise"


def send_by_apprise(urls: Secret, title: str, text: str) -> None:
    """``urls`` are apprise's, separated by blanks. ConfigurationError where the library is missing or does not know
    one of them; NotSent where a service did not take the message."""
    try:
        import apprise
    except ImportError:
        raise ConfigurationError(
            "The package apprise is not installed, and notify.apprise_url needs it.",
            next_step="Install it with: pip install 'beast-dream-snow-loader[notify]'",
        ) from None
    made = apprise.Apprise()
    each = [Secret(url) for url in urls.reveal().split()]  # known one by one, should the library name one in its log
    if not all(made.add(url.reveal()) for url in each):
        raise ConfigurationError("apprise does not know an address in notify.apprise_url.", next_step=_STEP)
    if not made.notify(title=title, body=text, body_format=apprise.NotifyFormat.TEXT):
        raise NotSent("A service behind notify.apprise_url did not take the message.", next_step=_STEP)
