from __future__ import annotations

from datetime import datetime, timezone

import pytest

from romaine.errors import FormatError
from romaine.formats import ImportResult, read
from romaine.memory.records import Role
from tests.formats.samples import HEADER, jsonl, message


def chat(*messages: object, **options: object) -> ImportResult:
    return read(("chat.jsonl", jsonl(HEADER, *messages)), **options)  # type: ignore[arg-type]


def test_messages_become_turns_with_speaker_role_and_time() -> None:
    result = chat(message("We close at ten."), message("Good.", "Ana"))
    assert result.format == "sillytavern-chat"
    assert (result.user_name, result.character_name) == ("Ana", "Cassian")
    assert [(turn.text, turn.speaker, turn.role) for turn in result.turns] == [
        ("We close at ten.", "Cassian", Role.CHARACTER),
        ("Good.", "Ana", Role.USER),
    ]
    assert result.turns[0].at == datetime(2024, 6, 3, 17, 12, tzinfo=timezone.utc)


def test_the_shown_swipe_is_the_text_and_the_others_are_no_turns() -> None:
    result = chat(message("old", swipes=["a dog", "a heron", "a bottle"], swipe_id=1))
    assert [turn.text for turn in result.turns] == ["a heron"]
    assert result.skipped == ()


@pytest.mark.parametrize("swipe_id", [3, -1, "1", None, 1.0])
def test_a_swipe_that_is_not_there_is_reported_and_the_message_taken(swipe_id: object) -> None:
    result = chat(message("a heron", swipes=["a dog", "a cat", "a rat"], swipe_id=swipe_id))
    assert [turn.text for turn in result.turns] == ["a heron"]
    assert result.skipped[0].where == "line 2"
    assert "swipe_id" in result.skipped[0].why


def test_hidden_messages_are_skipped_unless_asked_for() -> None:
    hidden = message("A secret.", is_system=True)
    comment = message("Describe dusk.", "System", is_system=True, extra={"type": "comment"})
    assert [entry.where for entry in chat(hidden, comment).skipped] == ["line 2", "line 3"]
    shown = chat(hidden, comment, include_hidden=True)
    assert [turn.role for turn in shown.turns] == [Role.CHARACTER, Role.SYSTEM]


def test_a_narrator_message_keeps_its_role() -> None:
    (turn,) = chat(message("Weeks pass.", "Narrator", extra={"type": "narrator"})).turns
    assert turn.role is Role.NARRATOR


def test_in_a_group_chat_the_name_is_the_speaker_and_there_is_no_one_character() -> None:
    header = HEADER | {"user_name": "unused", "character_name": "unused"}
    result = read(("group.jsonl", jsonl(header, message("One.", "Ilse"), message("Two.", "Osk"))))
    assert [turn.speaker for turn in result.turns] == ["Ilse", "Osk"]
    assert result.character_name is None


def test_macros_are_filled_where_the_names_are_known() -> None:
    text = "{{char}} nods at {{ USER }}; {{random}} stays."
    assert chat(message(text)).turns[0].text == "Cassian nods at Ana; {{random}} stays."
    unnamed = read(("chat.jsonl", jsonl({"chat_metadata": {}}, message(text))))
    assert unnamed.turns[0].text == text


def test_the_callers_names_win_over_the_files() -> None:
    result = chat(message("{{user}}"), user_name="Anna")
    assert result.turns[0].text == "Anna"
    assert result.user_name == "Anna"


def test_text_is_otherwise_never_altered() -> None:
    text = '  *He nods.*\r\n\t"Sit—"\u200b \u0000 ' + "é" + "👩‍👩‍👧 "
    assert chat(message(text)).turns[0].text == text


class TestSourceIds:
    def ids(self, *messages: object) -> list[str | None]:
        return [turn.source_id for turn in chat(*messages).turns]

    def test_equal_minutes_and_speakers_still_differ(self) -> None:
        ids = self.ids(message("a"), message("a"), message("a"), message("a", "Ana"))
        assert len(set(ids)) == 4

    def test_reading_again_gives_the_same(self) -> None:
        messages = [message("a"), message("b"), message("c", "Ana")]
        assert self.ids(*messages) == self.ids(*messages)

    def test_an_edit_keeps_the_id(self) -> None:
        assert self.ids(message("a")) == self.ids(message("b"))

    def test_another_swipe_keeps_the_id_though_its_time_is_later(self) -> None:
        first = message("a", swipes=["a"], swipe_id=0)
        later = message(
            "b",
            send_date="June 3, 2024 6:40pm",
            swipes=["a", "b"],
            swipe_id=1,
            swipe_info=[{"send_date": "June 3, 2024 5:12pm"}, {"send_date": "June 3, 2024 6:40pm"}],
        )
        assert self.ids(first) == self.ids(later)

    def test_a_grown_chat_keeps_the_ids_it_had(self) -> None:
        old = [message("a"), message("b")]
        assert self.ids(*old, message("c"))[:2] == self.ids(*old)

    def test_a_message_deleted_before_does_not_shift_them(self) -> None:
        first, second = message("a"), message("b", send_date="June 3, 2024 5:20pm")
        assert self.ids(first, second)[1:] == self.ids(second)

    def test_hiding_a_message_does_not_shift_those_of_the_same_minute(self) -> None:
        shown = self.ids(message("a"), message("b"))
        assert self.ids(message("a", is_system=True), message("b")) == shown[1:]

    def test_without_a_time_the_line_stands_in(self) -> None:
        assert self.ids(message("a", send_date=None)) == ["line 2"]


def test_a_chat_without_a_header_is_read() -> None:
    result = read(("chat.jsonl", jsonl(message("One."), message("Two."))))
    assert len(result.turns) == 2


def test_odd_lines_are_reported_by_number() -> None:
    result = chat(message("ok"), ["a list"], {"note": "no mes"}, message("   "), message(None), 7)  # type: ignore[arg-type]
    assert [entry.where for entry in result.skipped] == ["line 3", "line 4", "line 5", "line 6", "line 7"]
    assert len(result.turns) == 1


def test_a_broken_line_is_one_error_and_nothing_is_taken() -> None:
    data = jsonl(HEADER, message("ok")) + b'{"name": "Cassian", "mes": "cut o'
    with pytest.raises(FormatError, match="line 3 is not valid JSON"):
        read(("chat.jsonl", data))


def test_byte_order_mark_blank_lines_and_carriage_returns_are_tolerated() -> None:
    data = b"\xef\xbb\xbf" + jsonl(HEADER, message("One.")).replace(b"\n", b"\r\n\r\n")
    assert [turn.text for turn in read(("chat.jsonl", data)).turns] == ["One."]
