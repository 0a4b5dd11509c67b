# Each target does all of its own set-up: a fresh machine needs nothing but Python 3.10+ and make.
PYTHON ?= python3
VENV ?= .venv
PY := $(VENV)/bin/python

.PHONY: demo test lint types examples bench clean

demo: $(VENV)/.installed
	$(VENV)/bin/romaine demo

test: $(VENV)/.installed-test
	$(PY) -m pytest

lint: $(VENV)/.installed-test
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .

types: $(VENV)/.installed-test
	$(PY) -m mypy

examples: $(VENV)/.installed
	for script in examples/[0-9]*.py; do echo "== $$script"; $(PY) $$script || exit 1; done

bench: $(VENV)/.installed-bench .venv-st-onnx/.installed
	$(PY) benchmarks/startup.py
	$(PY) benchmarks/static.py
	$(PY) benchmarks/onnx_minilm.py --st-onnx-python .venv-st-onnx/bin/python
	$(PY) benchmarks/streaming.py
	$(PY) benchmarks/memory.py
	$(PY) benchmarks/scopes.py
	$(PY) benchmarks/reliability.py

$(PY):
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(PY) pyproject.toml
	$(PY) -m pip install --quiet --disable-pip-version-check -e .
	@touch $@

# constraints.txt pins torch: a newer one brings gigabytes of CUDA along
$(VENV)/.installed-test: $(PY) pyproject.toml constraints.txt
	$(PY) -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test]'
	@touch $@ $(VENV)/.installed

$(VENV)/.installed-bench: $(VENV)/.installed-test
	$(PY) -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[bench]'
	@touch $@

# sentence-transformers' ONNX backend needs optimum, which does not install beside transformers 5
.venv-st-onnx/.installed:
	$(PYTHON) -m venv .venv-st-onnx
	.venv-st-onnx/bin/pip install --quiet --disable-pip-version-check -c constraints.txt \
		torch 'sentence-transformers[onnx]>=5.1,<6' 'transformers<5'
	@touch $@

clean:
	rm -rf $(VENV) .venv-st-onnx dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis
