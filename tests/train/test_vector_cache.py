from __future__ import annotations

import numpy as np
import pytest

from romaine.errors import OptionError
from romaine.train import vector_cache
from romaine.train.teacher import ModelTeacher, Side
from romaine.train.vector_cache import cached_vectors, encoded, token_vectors


@pytest.fixture(scope="module")
def teacher(small_teacher_folder):
    return ModelTeacher(small_teacher_folder, threads=1)


@pytest.fixture
def texts():
    return [f"silver key {i}" for i in range(130)]


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch):
    monkeypatch.setattr(vector_cache, "_CHUNK", 40)


def test_a_stopped_run_goes_on_where_it_was(teacher, texts, tmp_path):
    whole = cached_vectors(teacher, texts, Side.DOCUMENT, cache=tmp_path / "whole")

    def stop_after_two(count, seen=[]):  # noqa: B006
        seen.append(count)
        if len(seen) == 3:  # the first report is of what was there
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cached_vectors(teacher, texts, Side.DOCUMENT, cache=tmp_path, advance=stop_after_two)
    asked = []
    resumed = cached_vectors(teacher, texts, Side.DOCUMENT, cache=tmp_path, advance=asked.append)
    assert asked == [80, 40, 10]
    np.testing.assert_array_equal(resumed.vectors[resumed.rows], whole.vectors[whole.rows])


def test_other_texts_share_the_cache(teacher, texts, tmp_path):
    cached_vectors(teacher, texts[:100], Side.DOCUMENT, cache=tmp_path)
    asked = []
    found = cached_vectors(teacher, texts[::-1], Side.QUERY, cache=tmp_path, advance=asked.append)
    assert asked == [100, 30]  # without roles a query is like a document
    whole = teacher.encode(texts[::-1], Side.DOCUMENT)
    np.testing.assert_allclose(found.vectors[found.rows], whole, atol=1e-5)


def test_a_text_that_is_there_twice_is_encoded_once(teacher, texts, tmp_path):
    twice = [texts[0], texts[0], *texts[1:50]]
    found = cached_vectors(teacher, twice, Side.DOCUMENT, cache=tmp_path)
    assert len(found.vectors) == 50
    vectors = encoded(teacher, twice, side=Side.DOCUMENT, cache=tmp_path)
    np.testing.assert_array_equal(found.vectors[found.rows], vectors)
    np.testing.assert_allclose(vectors, teacher.encode(twice, Side.DOCUMENT), atol=1e-5)


def test_what_was_written_halfway_is_written_again(teacher, texts, tmp_path):
    cached_vectors(teacher, texts[:50], Side.DOCUMENT, cache=tmp_path)
    for path in tmp_path.iterdir():
        with path.open("ab") as file:
            file.write(b"half")
    found = cached_vectors(teacher, texts, Side.DOCUMENT, cache=tmp_path)
    np.testing.assert_allclose(found.vectors[found.rows], teacher.encode(texts, Side.DOCUMENT), atol=1e-5)


def test_a_cache_that_cannot_be_written_is_named(teacher, texts, tmp_path):
    path = tmp_path / "file"
    path.write_text("x", encoding="utf-8")
    with pytest.raises(OptionError, match="--cache"):
        cached_vectors(teacher, texts, Side.DOCUMENT, cache=path)
    with pytest.raises(OptionError, match="--cache"):
        token_vectors(teacher, cache=path)


def test_damaged_token_vectors_are_named(teacher, tmp_path):
    token_vectors(teacher, cache=tmp_path)
    [path] = tmp_path.glob("tokens-*.npy")
    for content in (b"", b"no array", path.read_bytes()[:-8]):
        path.write_bytes(content)
        with pytest.raises(OptionError, match="delete it"):
            token_vectors(teacher, cache=tmp_path)


def test_token_vectors_are_kept(teacher, tmp_path):
    first = token_vectors(teacher, cache=tmp_path)
    assert first.shape == (teacher.vocabulary().get_vocab_size(), teacher.dim)
    np.testing.assert_array_equal(token_vectors(teacher, cache=tmp_path), first)
    alone = teacher.encode(["lighthouse"], Side.DOCUMENT)[0]
    row = first[teacher.vocabulary().token_to_id("lighthouse")]
    np.testing.assert_allclose(row, alone, atol=1e-5)
