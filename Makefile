# Each target does all of its own set-up: a fresh machine needs nothing but Python 3.10+ and make.
PYTHON ?= python3
VENV ?= .venv
PY := $(VENV)/bin/python
PIP_INSTALL := -m pip install --quiet --disable-pip-version-check
FRAMEWORKS := langchain llama-index haystack
MODELS := models/little-gem-multilingual models/oakleaf

.PHONY: demo demo-server test test-apps test-core test-page test-server test-stores test-ray lint types examples docs wheels bench mutants clean \
	$(FRAMEWORKS:%=test-%) $(FRAMEWORKS:%=test-stores-%)

demo: $(VENV)/.installed
	$(VENV)/bin/romaine demo

# A server on a free port, a chat sent through it with curl, and what it recalls
demo-server: .venv-server/.installed
	examples/server_demo.sh .venv-server/bin/python

# The core with all three integrations beside each other, then each integration alone with its framework.
test: test-core test-server $(FRAMEWORKS:%=test-%)

# As many tests at once as there are cores, so one thread for each
test-core: $(VENV)/.installed-test
	OMP_NUM_THREADS=1 $(PY) -m pytest -n auto

$(FRAMEWORKS:%=test-%): test-%: .venv-%/.installed
	cd integrations/$* && ../../.venv-$*/bin/python -m pytest

# Chroma, FAISS, Qdrant, Milvus and pgvector. Not part of `test`: they bring a hundred packages to each framework
test-stores: $(FRAMEWORKS:%=test-stores-%)

$(FRAMEWORKS:%=test-stores-%): test-stores-%: .venv-stores-%/.installed
	cd integrations/stores && ../../.venv-stores-$*/bin/python -m pytest --framework $*

# Bulk embedding on a Ray cluster of three nodes on this machine, one of which is killed
test-ray: .venv-ray/.installed
	.venv-ray/bin/python -m pytest tests/distributed

# The clients of others against a running server; npm's too, where it can install them
test-server: .venv-server/.installed
	.venv-server/bin/python -m pytest tests/server/clients tests/server/test_server_page.py

# The page in a real browser, Debian's chromium: apt-get install chromium
test-page: .venv-apps/.installed
	.venv-apps/bin/python -m pytest tests/apps/page

# The page, and programs of others that talk to the server, in a real browser
test-apps: .venv-apps/.installed
	.venv-apps/bin/python -m pytest tests/apps

lint: $(VENV)/.installed-test
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .

types: $(VENV)/.installed-test
	$(PY) -m mypy
	for name in $(FRAMEWORKS); do (cd integrations/$$name && ../../$(PY) -m mypy) || exit 1; done

examples: $(VENV)/.installed-test
	for script in examples/[0-9]*.py; do echo "== $$script"; $(PY) $$script || exit 1; done

# The site of the pages in docs/, in site/: nothing is loaded from elsewhere, and a broken link is an error
docs: $(VENV)/.installed-docs
	NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs build --strict

# Wheels and sdists of all packages in dist/, checked and tried in an empty environment
wheels: $(PY)
	$(PY) .ci/wheels --out dist

bench: $(VENV)/.installed-bench .venv-st-onnx/.installed
	$(PY) benchmarks/startup.py
	$(PY) benchmarks/static.py
	$(PY) benchmarks/little_gem.py
	$(PY) benchmarks/onnx_minilm.py --st-onnx-python .venv-st-onnx/bin/python
	$(PY) benchmarks/adapters.py
	$(PY) benchmarks/streaming.py
	$(PY) benchmarks/memory.py
	$(PY) benchmarks/scopes.py
	$(PY) benchmarks/reliability.py
	$(PY) benchmarks/server.py

# Small changes of the core that its tests do not notice, a sample of each module's
mutants: $(VENV)/.installed-test
	$(PY) $(PIP_INSTALL) -c constraints.txt -e '.[mutants]'
	OMP_NUM_THREADS=1 $(PY) benchmarks/mutants.py

$(PY):
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(PY) pyproject.toml
	$(PY) $(PIP_INSTALL) -e .
	@touch $@

# constraints.txt pins torch: a newer one brings gigabytes of CUDA along
$(VENV)/.installed-test: $(PY) pyproject.toml constraints.txt $(MODELS:%=%/pyproject.toml) $(FRAMEWORKS:%=integrations/%/pyproject.toml)
	$(PY) $(PIP_INSTALL) -c constraints.txt -e '.[test]' $(MODELS:%=-e %) -e 'integrations/langchain[agents,cache,qdrant]' \
		-e integrations/llama-index -e integrations/haystack
	@touch $@ $(VENV)/.installed

$(VENV)/.installed-docs: $(PY) pyproject.toml
	$(PY) $(PIP_INSTALL) -c constraints.txt -e '.[docs]'
	@touch $@

$(VENV)/.installed-bench: $(VENV)/.installed-test
	$(PY) $(PIP_INSTALL) -c constraints.txt -e '.[bench]'
	@touch $@

.venv-server/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv-server
	.venv-server/bin/python $(PIP_INSTALL) -c constraints.txt -e '.[test-server]'
	@touch $@

# axe-core looks for what people with a screen reader or a keyboard cannot use; without npm it is left out
.venv-apps/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv-apps
	.venv-apps/bin/python $(PIP_INSTALL) -c constraints.txt -e '.[test-apps]'
	command -v npm >/dev/null && npm install --silent --no-fund --no-audit --prefix .venv-apps/npm axe-core@4 || true
	@touch $@

.venv-ray/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv-ray
	.venv-ray/bin/python $(PIP_INSTALL) -c constraints.txt -e '.[test-ray]'
	@touch $@

.venv-%/.installed: integrations/%/pyproject.toml pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv-$*
	.venv-$*/bin/python $(PIP_INSTALL) -c constraints.txt -e . -e 'integrations/$*[test]'
	@touch $@

.venv-stores-%/.installed: integrations/stores/requirements.txt integrations/stores/requirements-%.txt \
		integrations/%/pyproject.toml pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv-stores-$*
	.venv-stores-$*/bin/python $(PIP_INSTALL) -c constraints.txt -e . -e integrations/$* \
		-r integrations/stores/requirements.txt -r integrations/stores/requirements-$*.txt
	@touch $@

# sentence-transformers' ONNX backend needs optimum, which does not install beside transformers 5
.venv-st-onnx/.installed:
	$(PYTHON) -m venv .venv-st-onnx
	.venv-st-onnx/bin/python $(PIP_INSTALL) -c constraints.txt \
		torch 'sentence-transformers[onnx]>=5.1,<6' 'transformers<5'
	@touch $@

clean:
	rm -rf $(VENV) $(FRAMEWORKS:%=.venv-%) $(FRAMEWORKS:%=.venv-stores-%) .venv-apps .venv-server .venv-ray .venv-st-onnx dist build site
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis
