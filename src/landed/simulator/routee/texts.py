"""What Routee says about a text: how many parts it makes, and what GSM-7 has no sign for."""

from typing import Any

from landed.domain.segments import Encoding, Segments, measure


def analysis(text: str, *, transcodes: bool) -> tuple[Segments, dict[str, Any]]:
    """How the text will go, and the `bodyAnalysis` that tells of it.

    Raises:
        InputInvalid: half of a surrogate pair is in it.
    """
    segments = measure(text)
    transcoded = measure(transcode(text, segments))
    content: dict[str, Any] = {
        "parts": len(segments.parts),
        "unicode": segments.encoding is Encoding.UCS2,
        "characters": segments.characters,
        "transcode": {"message": "".join(transcoded.parts), "parts": len(transcoded.parts)},
        "unsupportedGSMCharacters": [each.text for each in segments.expensive],
    }
    return (transcoded if transcodes else segments), content


def transcode(text: str, segments: Segments) -> str:
    """The text with what GSM-7 can say instead; a sign that has no such thing stays."""
    for each in segments.expensive:
        if each.replacement is not None:
            text = text.replace(each.text, each.replacement)
    return text
