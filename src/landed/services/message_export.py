"""Message lists as files: all that a question finds, page after page."""

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final

from landed.services.exporting import Format, check_available, written
from landed.services.reading import MessageQuestion, Reader
from landed.services.shapes import MessageShape
from landed.services.tables import columns

#: Messages of a page; two or three of them are in memory at once. A Parquet file has a row group for each.
PAGE: Final = 2_000
_FIELDS: Final = tuple(MessageShape.model_fields)


class MessageExporter:
    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def export(
        self,
        question: MessageQuestion,
        format_: Format,
        *,
        account_id: int | None,
        seen: Callable[[MessageShape], MessageShape] = lambda message: message,
    ) -> AsyncIterator[bytes]:
        """The file in pieces, newest submission first. The first page is read before this returns: what is wrong
        with the question is known before anything is written.

        Args:
            seen: what the one who exports may see of a message.

        Raises:
            InputInvalid: there is no such account, or the format is not installed.
            StoreUnavailable: the database is away, now or amid the file, which then ends without its end.
        """
        check_available(format_)
        first = await self._reader.messages(question, account_id=account_id, cursor=None, limit=PAGE)

        async def pages() -> AsyncIterator[Sequence[MessageShape]]:
            page = first
            while True:
                yield [seen(message) for message in page.data]
                if page.next_cursor is None:
                    return
                page = await self._reader.messages(question, account_id=account_id, cursor=page.next_cursor, limit=PAGE)

        return written(format_, columns(MessageShape, _FIELDS), pages())
