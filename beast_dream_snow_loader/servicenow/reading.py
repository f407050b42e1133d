"""Reads of tables, one or many: many travel in one batch request where the instance offers that."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from beast_dream_snow_loader.errors import NotAuthorised, Rejected, ServerFault, SnowloadError
from beast_dream_snow_loader.servicenow.answers import AnswerKind
from beast_dream_snow_loader.servicenow.apis.batch import BatchApi, Inner
from beast_dream_snow_loader.servicenow.apis.table import TableApi, TableRead
from beast_dream_snow_loader.servicenow.calling import Caller
from beast_dream_snow_loader.servicenow.rows import Row, parse_rows

IDS_PER_READ = 100
"""sys_ids in one ``IN``: 3,300 characters, far below what ends as an error page (servicenow-api 2.3)."""

UNREADABLE = (NotAuthorised, Rejected)
"""The account or the instance says no: function is reduced, the run goes on."""

Rows = list[Row]


class Reader:
    """Thread-safe."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self.table = TableApi(caller)
        self._batch = BatchApi(caller)
        self._batch_offered = True

    def rows(self, read: TableRead) -> Rows:
        return list(self.table.rows(read))

    def many(self, reads: Sequence[TableRead]) -> list[Rows | SnowloadError]:
        """The rows of each read, or why it failed (NotAuthorised, Rejected), in order.

        A read whose page is full is finished on its own. Raises the errors of a call.
        """
        if len(reads) < 2 or not self._batch_offered:
            return [self._single(read) for read in reads]
        limit = self._caller.settings.page_size
        try:
            answers = self._batch.send([Inner(path=read.path(), params=read.params(limit)) for read in reads])
        except (NotAuthorised, Rejected, ServerFault):
            self._batch_offered = False
            return [self._single(read) for read in reads]
        return [
            self._single(read)
            if answer is None or answer.kind is not AnswerKind.SUCCESS or _more(answer.total, answer.result, limit)
            else read.checked(parse_rows(answer.result))
            for read, answer in zip(reads, answers, strict=True)
        ]

    def all_of(self, reads: Sequence[TableRead]) -> Rows:
        """The rows of all these reads. Raises NotAuthorised, Rejected and the errors of a call."""
        rows: Rows = []
        for answer in self.many(reads):
            if isinstance(answer, SnowloadError):
                raise answer
            rows += answer
        return rows

    def _single(self, read: TableRead) -> Rows | SnowloadError:
        try:
            return self.rows(read)
        except UNREADABLE as error:
            return error


def _more(total: int | None, result: object, limit: int) -> bool:
    """Whether rows may follow. Without a total only a page that is not full is taken for the whole."""
    got = len(result) if isinstance(result, list) else 0
    return got >= limit if total is None else total > limit


def chunks(values: Iterable[str], size: int = IDS_PER_READ) -> Iterator[tuple[str, ...]]:
    """The distinct values, in order, so many at a time."""
    remaining = iter(dict.fromkeys(values))
    while chunk := tuple(islice(remaining, size)):
        yield chunk
