"""Ids and times that the SillyTavern extension makes of messages are those that `romaine import` makes."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest

from romaine.formats import read
from romaine.formats.times import parse_time
from tests.apps.tavern import EXTENSION

TIMES = [
    *("June 3, 2024 5:12pm", "December 31, 2023 12:00am", "Jan 5, 2024 12:30pm", "June 3, 2024 17:12"),
    *(
        "2024-6-3@17h12m",
        "2024-6-3 @17h 12m 30s 125ms",
        "2024-06-03T17:12:30.125Z",
        "2024-06-03T17:12:30+02:00",
    ),
    *(
        "2024-06-03 17:12:30",
        1717434750125,
        "1717434750125",
        1717434750,
        "",
        "yesterday",
        None,
        "Foo 3, 2024 1:00pm",
    ),
]
_SCRIPT = """
import { idsOf, timeOf, turnsOf } from 'FILE';
const [times, chat] = JSON.parse(process.argv[1]);
const names = { user: 'Ana', character: 'Cassian' };
const turns = turnsOf(chat, names, { hidden: false, forgotten: ['2024-06-03T17:12:00.000+00:00 Ana #2'] });
console.log(JSON.stringify({ times: times.map(timeOf), ids: idsOf(chat, names), turns }));
"""
CHAT = [
    {"name": "Ana", "is_user": True, "mes": "one", "send_date": "June 3, 2024 5:12pm"},
    {"name": "Ana", "is_user": True, "mes": "two", "send_date": "June 3, 2024 5:12pm"},
    {"name": "Ana", "is_user": True, "mes": "{{user}} and {{ CHAR }}", "send_date": "June 3, 2024 5:12pm"},
    {
        "name": "Cassian",
        "mes": "swiped",
        "swipe_id": 1,
        "swipes": ["first", "swiped"],
        "swipe_info": [{"send_date": 1717434750125}, {"send_date": 1717434999000}],
        "send_date": 1717434999000,
    },
    {"name": "", "mes": "nameless", "send_date": "2024-06-03T18:00:00.000Z"},
    {"name": "Cassian", "mes": "timeless"},
    {"name": "Cassian", "mes": "hidden", "is_system": True, "send_date": "2024-06-03T19:00:00.000Z"},
    {"name": "Note", "mes": "a help text", "is_system": True, "extra": {"type": "help"}},
    {
        "name": "Narrator",
        "mes": "It rains.",
        "send_date": "2024-06-03T20:00:00Z",
        "extra": {"type": "narrator"},
    },
]


@pytest.fixture(scope="module")
def made():
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    script = _SCRIPT.replace("FILE", (EXTENSION / "messages.js").as_uri())
    command = ["node", "--input-type=module", "-e", script, json.dumps([TIMES, CHAT])]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_times_are_the_importers(made):
    moments = [parse_time(time) for time in TIMES]
    assert made["times"] == [round(moment.timestamp() * 1000) if moment else None for moment in moments]


def test_turns_are_the_importers(made, tmp_path):
    file = tmp_path / "chat.jsonl"
    header = {"user_name": "Ana", "character_name": "Cassian", "chat_metadata": {}}
    file.write_text("\n".join(map(json.dumps, [header, *CHAT])))
    (chat,) = read(file).chats
    told = [(t.source_id, t.text, t.speaker, str(t.role.value)) for t in chat.turns]
    ours = [(t["source_id"], t["text"], t["speaker"], t["role"]) for t in made["turns"]]
    assert ours == [turn for turn in told if not turn[0].endswith("#2")]  # which the user had forgotten
    assert made["ids"][3] == "2024-06-03T17:12:30.125+00:00 Cassian"
