# make demo, make test, make bench: each installs what it needs, and asks the system only for what is missing.
SHELL := /bin/bash
VENV ?= .venv
PY := $(VENV)/bin/python
APT := $(shell [ "$$(id -u)" = 0 ] || echo sudo) env DEBIAN_FRONTEND=noninteractive apt-get
NPM := npm ci --no-audit --no-fund --ignore-scripts --loglevel=error

.PHONY: demo test lint bench system clean

demo: $(VENV)/.installed
	$(VENV)/bin/anywire demo $(ARGS)

test: system $(VENV)/.tools js_client/node_modules/.installed $(if $(wildcard tests/node/package.json),tests/node/node_modules/.installed) lint
	$(PY) -m pytest $(ARGS)

lint: $(VENV)/.tools
	$(VENV)/bin/ruff check .
	@mkdir -p $(VENV)/tree && ln -sfn $(CURDIR) $(VENV)/tree/anywire
	MYPYPATH=$(VENV)/tree $(PY) -m mypy

bench: system $(VENV)/.tools $(if $(wildcard tests/node/package.json),tests/node/node_modules/.installed)
	for script in benchmarks/[a-z]*.py; do $(PY) $$script || exit 1; done

# What the tests need of the system; nothing is asked for when all of it is there.
system:
	@missing=""; \
	command -v redis-server >/dev/null || missing="$$missing redis-server"; \
	command -v chromium >/dev/null || missing="$$missing chromium"; \
	command -v chromedriver >/dev/null || missing="$$missing chromium-driver"; \
	command -v openssl >/dev/null || missing="$$missing openssl"; \
	command -v node >/dev/null || missing="$$missing nodejs npm"; \
	if [ -n "$$missing" ]; then $(APT) update -q && $(APT) install -y -q --no-install-recommends $$missing; fi

$(VENV)/bin/python:
	python3 -m venv $(VENV) || { $(APT) update -q && $(APT) install -y -q python3-venv && python3 -m venv $(VENV); }

$(VENV)/.installed: $(VENV)/bin/python setup.cfg pyproject.toml
	$(PY) -m pip install -q --disable-pip-version-check -e .
	@touch $@

$(VENV)/.tools: $(VENV)/.installed
	$(PY) -m pip install -q --disable-pip-version-check -e '.[test]'
	@touch $@

%/node_modules/.installed: %/package-lock.json
	cd $* && $(NPM)
	@touch $@

clean:
	rm -rf $(VENV) build *.egg-info js_client/node_modules tests/node/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis
