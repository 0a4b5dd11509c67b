from __future__ import annotations

import gzip
import string

from romaine.train.dictionaries import read_dictionary, read_wordnet

ARTICLES = {
    "Harbour": 'Harbour \\Har"bour\\, n. [OE. herbor.]\n   1. A place where ships find shelter; a haven.\n'
    "      [1913 Webster]\n\n   2. Any place of rest for the weary traveller.\n      --Dryden.\n\n",
    "Key": "Key \\Key\\, n.\n   An instrument that opens a lock.\n\n",
}


def base64(value):
    digits = string.ascii_uppercase + string.ascii_lowercase + string.digits + "+/"
    text = ""
    while value or not text:
        value, digit = divmod(value, 64)
        text = digits[digit] + text
    return text


def test_a_dictd_dictionary(tmp_path):
    content, lines, at = "", ["00-database-info\tA\tB"], 0
    for word, article in ARTICLES.items():
        content += article
        lines.append(f"{word}\t{base64(at)}\t{base64(len(article))}")
        at += len(article)
    lines.append(f"Dead harbour\t{base64(0)}\t{base64(len(ARTICLES['Harbour']))}")
    (tmp_path / "small.index").write_text("\n".join(lines) + "\n", encoding="utf-8")
    expected = [
        ("Harbour", "A place where ships find shelter"),
        ("Harbour", "Any place of rest for the weary traveller"),
        ("Key", "An instrument that opens a lock"),
    ]
    (tmp_path / "small.dict").write_text(content, encoding="utf-8")
    assert list(read_dictionary(tmp_path / "small.index")) == expected
    (tmp_path / "small.dict").unlink()
    (tmp_path / "small.dict.dz").write_bytes(gzip.compress(content.encode()))
    assert list(read_dictionary(tmp_path / "small.index")) == expected


def test_a_wordnet_file(tmp_path):
    path = tmp_path / "data.noun"
    path.write_text(
        "  1 This software is licensed\n"
        '00001 03 n 02 sea_harbour 0 haven(a) 0 001 @ 00002 n 0000 | a sheltered port; "he reached it"  \n',
        encoding="utf-8",
    )
    assert list(read_wordnet(path)) == [("sea harbour", "a sheltered port"), ("haven", "a sheltered port")]
