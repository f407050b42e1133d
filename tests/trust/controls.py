"""Each control of docs/reference/asvs.md taken out of a copy of the program, and the test that then fails (S14).

``python -m tests.trust.controls`` takes out each in turn; ``--write`` writes the page. Items are those of the OWASP
Application Security Verification Standard 5.0.
"""

# ruff: noqa: E501 - what is taken out is quoted as it stands, line for line

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.crash.harness import ROOT
from tests.crash.planted import PACKAGE, Edit
from tests.docs.tables import table

PAGE = ROOT / "docs" / "reference" / "asvs.md"


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """``items`` of the standard; ``does`` in words; ``edit`` takes it out; ``test`` fails then: a pytest id."""

    items: tuple[str, ...]
    does: str
    edit: Edit
    test: str


def _control(items: str, does: str, test: str, module: str, old: str, new: str) -> Control:
    edit = Edit(module=module, old=old, new=new)
    return Control(items=tuple(items.split()), does=does, edit=edit, test=f"tests/{test}")


# fmt: off
CONTROLS: Sequence[Control] = (
    _control("1.1.1 1.1.2", "text from elsewhere is escaped once, at the sink that shows it",
             "trust/test_hostile.py::test_a_name_acts_on_nothing_wherever_it_is_shown[table]",
             "cli/tables.py", 'Text(shown("" if cell is None else str(cell)))', 'Text("" if cell is None else str(cell))'),
    _control("1.2.1", "Markdown for reviews carries no live HTML, link or cell",
             "trust/test_hostile.py::test_a_name_acts_on_nothing_wherever_it_is_shown[Markdown]",
             "cli/markdown.py", ".translate(_ENTITIES)", ""),
    _control("1.2.1 1.3.7", "the page of a report is one template of ours, and what fills it is text",
             "history/test_page.py::test_names_of_devices_are_text_and_nothing_else",
             "operations/reporting/page.py", "        autoescape=True,\n", ""),
    _control("1.2.10", "a cell that a spreadsheet would reckon with is text",
             "history/test_page.py::test_a_spreadsheet_reckons_with_no_cell",
             "cli/render_report.py", 'if isinstance(told, str) and told.startswith(_FORMULA) else told', "if told is None else told"),
    _control("1.2.2 2.2.1", "a table name in a path is a name, and nothing else",
             "servicenow/test_table.py::test_a_table_name_cannot_leave_the_path",
             "servicenow/query.py", "    if not _TABLE.match(table):", "    if not table:"),
    _control("1.2.4", "a value in a query ends no term",
             "trust/test_hostile.py::test_a_value_is_the_value_of_one_term_or_is_not_asked_for",
             "servicenow/query.py", 'if "^" in value or any(', "if any("),
    _control("1.2.5", "programs are started without a shell",
             "operations/test_credentials.py::test_a_command_is_run_without_a_shell_and_without_the_key_to_the_vault",
             "operations/children.py", "        command,\n        stdin=", '        " ".join(command),\n        shell=True,\n        stdin='),
    _control("1.2.5", "a path in a unit is one word to the shell that reads it",
             "scenarios/test_schedules.py::test_a_path_with_everything_in_it_arrives_as_it_is[cron]",
             "operations/scheduling/quoting.py", "shlex.join(_words(value))", '" ".join(_words(value))'),
    _control("1.2.9", "a secret that is looked for broken up is no pattern",
             "operations/test_redaction.py::test_a_secret_is_masked_in_every_form_it_may_come_back_in[wrapped]",
             "redaction.py", "map(re.escape, ", "map(str, "),
    _control("1.3.11", "what a device is called makes no line and no header in a mail",
             "scenarios/test_notifications.py::test_devices_with_hostile_names_do_nothing_in_a_message",
             "app/notify_message.py", "return shown(masked(text), _LONGEST)", "return masked(text)"),
    _control("1.3.2 1.5.2", "no code is made from data",
             "trust/test_sources.py::test_no_code_is_made_from_data_and_no_shell_is_asked",
             "app/layers.py", "import tomllib\n", "import pickle\nimport tomllib\n"),
    _control("1.3.6", "no address where a cloud gives out the machine's credentials is called",
             "trust/test_tls.py::test_a_link_local_address_is_refused",
             "transport/manners.py", "    return bool(inner.is_link_local)", "    return False"),
    _control("14.2.1 16.2.5", "the path of a webhook is a secret as its address is",
             "scenarios/test_notifications.py::test_no_secret_of_a_channel_is_in_any_output",
             "app/notify_channels.py", 'Secret(path.rstrip("/"))', "pass"),
    _control("15.3.2", "a redirect is an answer, and not followed",
             "servicenow/test_table.py::test_no_link_and_no_redirect_leads_to_another_origin",
             "transport/http.py", "            answer = lane.adapter.send(\n                self._prepared(lane.session, request),\n                stream=True,\n",
             "            answer = lane.session.send(\n                self._prepared(lane.session, request),\n                stream=True,\n                allow_redirects=True,\n"),
    _control("1.5.3 15.3.5", "JSON that is none, however deep, is no answer",
             "trust/test_abuse.py::test_json_as_deep_as_a_mine_is_no_answer_and_no_crash",
             "servicenow/answers.py", "        return _unparsable(response, body)\n", "        raise\n"),
    _control("5.2.1 5.2.3", "what is packed to burst is not unpacked",
             "trust/test_abuse.py::test_a_gigabyte_packed_into_a_megabyte_ends_early_with_the_usual_limits",
             "transport/reading.py", "size > _RATIO * stream.tell()", "size < 0"),
    _control("5.3.2", "a name from a setting stays within its directory",
             "operations/test_credentials.py::test_a_credential_of_systemd_is_a_name_within_its_directory",
             "operations/secret_files.py", 'or Path(name).name != name or name == ".."', ""),
    _control("12.1.1", "TLS 1.2 or later",
             "trust/test_tls.py::test_an_old_protocol_is_not_spoken",
             "transport/tls.py", "    made.minimum_version = ssl.TLSVersion.TLSv1_2\n",
             '    made.set_ciphers("ALL:@SECLEVEL=0")\n    made.minimum_version = ssl.TLSVersion.TLSv1\n'),
    _control("12.2.1 12.3.1", "plain http goes to this machine only",
             "trust/test_tls.py::test_a_server_without_tls_gets_a_greeting_and_no_login",
             "transport/manners.py", 'if address.scheme == "https" or (', 'if address.scheme or ('),
    _control("12.3.2", "the certificate is that of the host, by an authority that is believed",
             "trust/test_tls.py::test_a_certificate_that_does_not_fit_ends_it_before_the_login_is_sent",
             "transport/tls.py", "        made = _with_authorities(chosen.ca_file)\n",
             "        made = _with_authorities(chosen.ca_file)\n        made.check_hostname = False\n"),
    _control("12.3.2", "a mail server that nobody vouches for gets no login",
             "scenarios/test_notifications.py::test_mail_that_would_not_be_safe_is_not_sent[unknown authority-5]",
             "transport/mail.py", "context(Trust(ca_file=mailbox.ca_file))", "context(Trust(checked=False))"),
    _control("12.3.4", "a self-signed console is pinned",
             "trust/test_tls.py::test_a_pinned_certificate_is_believed_though_nobody_vouches_for_it_and_no_other",
             "transport/connections.py", '"assert_fingerprint": pin or None', '"assert_fingerprint": None'),
    _control("13.1.3 16.5.2", "a program that hangs is ended with all it started",
             "operations/test_credentials.py::test_a_command_that_hangs_is_ended_with_all_it_started_and_waited_for_no_longer",
             "operations/children.py", "            os.killpg(child.pid, signal.SIGKILL)", "            os.kill(child.pid, signal.SIGKILL)"),
    _control("13.2.2 13.3.2", "a program that is started gets no secret of ours",
             "operations/test_credentials.py::test_no_child_gets_a_secret_that_is_not_its_own",
             "operations/children.py", "if not (name.startswith(_OURS) or name in private or is_held(value))", "if name"),
    _control("13.2.4", "a login goes to the instance it is for, and nowhere else",
             "servicenow/test_authentication.py::test_credentials_go_to_the_instance_only",
             "servicenow/authentication.py", "if not self._logins or urlsplit(request.url)[:2] != self._origin:", "if not self._logins:"),
    _control("13.2.3 13.3.1", "secrets come from the vault first",
             "scenarios/test_credentials.py::test_a_reference_to_1password_goes_before_the_environment_and_is_read_once",
             "app/config.py", "    if settings.credentials.by_1password(named):", "    if False:"),
    _control("13.3.1", "a secret in a file that others may read is refused",
             "operations/test_credentials.py::test_a_file_that_others_may_read_or_change_is_refused_with_the_command_that_mends_it",
             "operations/secret_files.py", "        _refuse(file, found)\n", ""),
    _control("13.3.4 16.3.4", "a credential that is refused, or falls back, is told",
             "scenarios/test_credentials.py::test_where_1password_does_not_answer_the_environment_is_used_and_that_is_said_aloud",
             "app/credentials.py", '        listener(_told("credentials.fallback", Severity.WARNING, message))\n', ""),
    _control("14.2.1 14.2.4", "a secret is shown in no form, wherever it comes back from",
             "operations/test_redaction.py::test_a_document_is_masked_in_its_values_and_keeps_its_names",
             "redaction.py", "    return value if _known.hide(whole) == whole else _masked_values(value)", "    return value"),
    _control("14.2.4", "a secret cannot be formatted",
             "operations/test_credentials.py::test_a_secret_does_not_travel_by_accident",
             "redaction.py", "    def __format__(self, spec: str) -> str:\n        return HIDDEN",
             "    def __format__(self, spec: str) -> str:\n        return self._value"),
    _control("14.2.7", "files with data are their owner's alone",
             "trust/test_files.py::test_every_file_with_data_is_0600_and_every_directory_of_ours_0700_whatever_the_umask[0o277]",
             "state/private_files.py", "                os.fchmod(descriptor, mode)  # a umask", "                pass  # a umask"),
    _control("15.3.3", "a setting that is none is refused",
             "trust/test_settings.py::test_a_setting_that_is_none_is_refused",
             "servicenow/config.py", 'extra="forbid", ', 'extra="allow", '),
    _control("15.4.1 15.4.2", "threads share one token, and one login",
             "servicenow/test_authentication.py::test_many_threads_share_one_token",
             "servicenow/logins.py", "        with self._lock:\n            fresh =", "        if True:\n            fresh ="),
    _control("16.2.1 16.2.2", "each line of the log says when, in UTC, and by which run",
             "operations/test_logging.py::test_a_line_carries_time_level_correlation_and_values",
             "operations/log_lines.py", '        line.setdefault("correlation_id", current)\n', "        pass\n"),
    _control("16.2.5", "the log shows what is on its list, and nothing else",
             "operations/test_logging.py::test_a_value_under_a_name_that_is_not_listed_is_hidden",
             "operations/log_lines.py", "_plain(allow({name: value}, LOGGED)[name])", "_plain(value)"),
    _control("16.2.5", "nor a secret within it",
             "operations/test_logging.py::test_a_secret_that_the_process_has_held_is_masked_whoever_says_it",
             "operations/log_lines.py", "    return shown(masked(str(value)), limit=_TEXT_MAX)", "    return shown(str(value), limit=_TEXT_MAX)"),
    _control("16.4.1", "no text breaks a line of the log, or acts on who reads it",
             "trust/test_hostile.py::test_a_name_acts_on_nothing_wherever_it_is_shown[log, console]",
             "operations/log_lines.py", "    return shown(masked(str(value)), limit=_TEXT_MAX)", "    return masked(str(value))"),
    _control("16.4.2", "the log is its owner's alone",
             "operations/test_logging.py::test_the_file_is_its_owners_alone_after_every_rotation",
             "operations/log_file.py", "descriptor = os.open(self._file, _FLAGS, 0o600)",
             "descriptor = os.open(self._file, _FLAGS, 0o644)\n        self._descriptor = descriptor\n        return descriptor"),
    _control("16.5.1 16.5.4", "what nobody expected is told without its text",
             "scenarios/test_last_words.py::test_no_exit_code_is_left_out",
             "cli/conclude.py", 'f"This is a defect of snowload: {type(error).__name__}."', 'f"This is a defect of snowload: {error}."'),
)
# fmt: on

OTHERWISE: Sequence[tuple[str, str]] = (
    (
        "1.3.12",
        "patterns over foreign text have no nested repetition; `tests/unifi/test_mutations.py` bounds their time",
    ),
    (
        "2.3.3",
        "all or nothing, in one transaction: taken apart by `make crash` (tests/crash/planted.py)",
    ),
    ("13.1.2", "places and waiting of each service: docs/explanation/overload.md"),
    (
        "13.2.5 13.2.6",
        "there is no list of addresses to call, and none comes from an answer: redirects and links are not followed",
    ),
    ("15.1.2 15.2.4", "dependencies are pinned by hash: constraints.txt"),
    (
        "16.1.1",
        "what is logged: docs/reference/events.md, which tests/architecture/test_events.py keeps true",
    ),
    (
        "16.5.3",
        "without its entry in the audit trail a change is not made: docs/guides/audit.md",
    ),
)
"""Items that apply and have no one line to take out."""


def page() -> str:
    rows = [(", ".join(one.items), one.does, f"`{one.test.removeprefix('tests/')}`") for one in CONTROLS]
    rest = [(", ".join(items.split()), why) for items, why in OTHERWISE]
    return (
        "# Controls by OWASP ASVS 5.0\n\n"
        "What applies to a command of the items of the standard, and the test that fails when the control is taken out:\n"
        "`make controls` takes out each in turn, in a copy of the program.\n\n"
        f"{table(('items', 'control', 'test'), rows)}\n\n"
        "## Without a line of their own\n\n"
        f"{table(('items', 'how'), rest)}\n"
    )


def unnoticed(control: Control) -> str:
    """Why the control does not count: its test passes without it. Empty when it is noticed."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        shutil.copytree(ROOT / PACKAGE, copy / PACKAGE, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copytree(ROOT / "config", copy / "config")
        control.edit.make(copy)
        code = _tested([control.test], copy)
    return "" if code == 1 else f"{control.test} ended with {code} without: {control.does}"


def _tested(tests: Sequence[str], package: Path) -> int:
    """pytest's exit code: 1 is a test that failed. It works in a directory of its own: without a control, a test may do
    what the control is there to prevent."""
    environ = {**os.environ, "PYTHONPATH": f"{package}{os.pathsep}{ROOT}", "PYTHONDONTWRITEBYTECODE": "1"}
    options = ["-q", "-x", "-n", "0", "-c", str(ROOT / "pyproject.toml"), f"--rootdir={ROOT}"]
    command = [sys.executable, "-P", "-m", "pytest", *options, *(str(ROOT / test) for test in tests)]
    with tempfile.TemporaryDirectory() as scratch:
        return subprocess.run(command, cwd=scratch, env=environ, capture_output=True, text=True, check=False).returncode


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="the page, and nothing else")
    parser.add_argument("--only", type=int, action="append", help="the number of a control")
    chosen = parser.parse_args()
    if chosen.write:
        PAGE.write_text(page(), encoding="utf-8")
        return 0
    if code := _tested([one.test for _, one in _chosen(chosen.only)], ROOT):
        sys.stdout.write(f"the tests end with {code} though nothing is taken out\n")
        return 1
    wrong = 0
    for number, control in _chosen(chosen.only):
        why = unnoticed(control)
        wrong += bool(why)
        sys.stdout.write(f"{number} {', '.join(control.items)} {control.does}: {why or 'noticed'}\n")
        sys.stdout.flush()
    sys.stdout.write(f"{len(list(_chosen(chosen.only)))} controls, {wrong} that nobody would miss\n")
    return 1 if wrong else 0


def _chosen(only: Sequence[int] | None) -> Iterator[tuple[int, Control]]:
    return ((number, one) for number, one in enumerate(CONTROLS) if only is None or number in only)


if __name__ == "__main__":
    sys.exit(main())
