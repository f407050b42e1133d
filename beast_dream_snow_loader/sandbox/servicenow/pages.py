"""Answers that are no REST answers: the pages a servlet or a load balancer sends."""

from __future__ import annotations

from beast_dream_snow_loader.sandbox.messages import HttpAnswer

_HTML = (("Content-Type", "text/html;charset=UTF-8"),)


def hibernating() -> HttpAnswer:
    """A developer instance asleep: 200, on every path, the token endpoint's too."""
    text = "<html><head><title>Instance Hibernating page</title></head><body>This instance is hibernating</body></html>"
    return HttpAnswer(status=200, headers=_HTML, body=text.encode())


def login_redirect(base_url: str) -> HttpAnswer:
    return HttpAnswer(status=302, headers=(("Location", f"{base_url}/login.do"), *_HTML))


def query_too_long() -> HttpAnswer:
    """The status of this page is not published; 414 is what the servers in front use."""
    text = "<html><head><title>Error</title></head><body>Request-URI Too Long</body></html>"
    return HttpAnswer(status=414, headers=_HTML, body=text.encode())


def not_found() -> HttpAnswer:
    text = "<html><head><title>Page not found</title></head><body>Page not found</body></html>"
    return HttpAnswer(status=404, headers=_HTML, body=text.encode())


def too_busy() -> HttpAnswer:
    """The semaphore's queue is full: before REST runs, so neither envelope nor rate headers."""
    return HttpAnswer(status=429)


def dropped() -> HttpAnswer:
    """The session's queue is full: looks like success, and nothing was done."""
    return HttpAnswer(status=202)
