"""Exports of the small models and of all-MiniLM-L6-v2, made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from romaine.export import ExportReport, export_model


@pytest.fixture(scope="session")
def minilm_export(minilm_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> ExportReport:
    return export_model(minilm_folder, tmp_path_factory.mktemp("export"), int8=True, fuse=True)
