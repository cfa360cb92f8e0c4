# make demo, make test, make bench: each installs what it needs, and asks the system only for what is missing.
SHELL := /bin/bash
VENV ?= .venv
PY := $(VENV)/bin/python
APT := $(shell [ "$$(id -u)" = 0 ] || echo sudo) env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300
PIP := $(PY) -m pip install -q --disable-pip-version-check --no-input
NPM := npm ci --no-audit --no-fund --ignore-scripts --loglevel=error
NODE_DONE := js_client/node_modules/.installed tests/node/node_modules/.installed
# $(call need,COMMAND=PACKAGE...): install the packages of those commands, or files by their path, that are not there.
define need
	@missing=""; \
	for pair in $(1); do it=$${pair%%=*}; command -v "$$it" >/dev/null || [ -e "/$${it#/}" ] || missing="$$missing $${pair#*=}"; done; \
	if [ -n "$$missing" ]; then $(APT) update && $(APT) install -y --no-install-recommends $$missing; fi
endef

.PHONY: demo test test-legacy legacy lint coverage bench autobahn system clean

demo: $(VENV)/.installed
	$(VENV)/bin/anywire demo $(ARGS)

# Tests run even when the style check failed, and come last: their summary ends the output. With STATUS=FILE the exit code goes
# into that file instead of through make, which would add a line and turn every code into 2. ARGS="-n 2" takes two
# at a time (see tests/conftest.py).
test: system $(VENV)/.tools $(NODE_DONE)
	@$(MAKE) --no-print-directory lint; style=$$?; \
	$(PY) -m pytest $(ARGS); code=$$?; \
	[ $$code != 0 ] || code=$$style; \
	if [ -n "$(STATUS)" ]; then echo $$code >"$(STATUS)"; else exit $$code; fi

# What is left of Internet Explorer 6 to 8. Not in `make test`, because of what it installs: 300 MB to get, 1.6 GB on the disk.
test-legacy: legacy $(VENV)/.tools $(NODE_DONE)
	$(PY) -m pytest tests/test_legacy.py $(ARGS)

# Where this is there, `make test` runs those tests, too.
legacy: system tests/legacy/node_modules/.installed
	$(call need,wine=wine /usr/lib/wine/wine64=wine64 javac=default-jdk-headless)

# mypy does not see editable installs of this shape: it is shown a folder in which this one is called anywire.
lint: $(VENV)/.tools
	$(VENV)/bin/ruff check .
	@mkdir -p $(VENV)/tree && ln -sfn "$(CURDIR)" $(VENV)/tree/anywire
	MYPYPATH=$(VENV)/tree $(PY) -m mypy

coverage: system $(VENV)/.tools $(NODE_DONE)
	$(PY) -m coverage run -m pytest $(ARGS)
	$(PY) -m coverage report

# Which questions there are: ls benchmarks. In full: .venv/bin/python benchmarks/echo.py (--help says what it takes).
bench: bench-system $(VENV)/.tools tests/node/node_modules/.installed
	@for script in benchmarks/*.py; do $(PY) $$script --short $(ARGS) || exit 1; echo; done

# What the tests need of the system. Without the browsers of the last line they skip their tests and say so.
system:
	$(call need,redis-server=redis-server openssl=openssl node=nodejs npm=npm gcc=gcc /usr/include/dlfcn.h=libc6-dev \
		chromium=chromium chromedriver=chromium-driver firefox-esr=firefox-esr WebKitWebDriver=webkit2gtk-driver Xvfb=xvfb)
	-$(call need,/usr/lib/python3/dist-packages/PyQt5/QtWebKitWidgets.abi3.so=python3-pyqt5.qtwebkit)
	-@$(MAKE) --no-print-directory tests/phantomjs/node_modules/.installed

# The Autobahn suite itself, beside its cases that `make test` runs. It is written for Python 2, which Debian no longer has:
# PYTHON2 is a command or path of one. ARGS=--all runs also what takes half an hour.
PYTHON2 ?= $(firstword $(wildcard $(HOME)/.pyenv/versions/2.7*/bin/python2.7) python2.7)
autobahn: $(VENV)/.tools $(VENV)/autobahn/.installed
	$(PY) tests/run_autobahn.py $(VENV)/autobahn/bin/wstest $(ARGS)

# virtualenv 20.15 is the last that makes environments for Python 2.
$(VENV)/autobahn/.installed: | $(VENV)/.made
	@command -v $(PYTHON2) >/dev/null || { echo "The Autobahn suite needs a Python 2.7: make autobahn PYTHON2=/path/to/python2.7"; exit 1; }
	$(PY) -m venv --clear $(VENV)/autobahn-maker
	$(VENV)/autobahn-maker/bin/pip install -q --disable-pip-version-check --no-input virtualenv==20.15.1
	$(VENV)/autobahn-maker/bin/virtualenv -q --clear -p $(PYTHON2) $(VENV)/autobahn
	$(VENV)/autobahn/bin/pip install -q --disable-pip-version-check --no-input --no-python-version-warning autobahntestsuite==25.10.1
	@touch $@

.PHONY: bench-system
bench-system:
	$(call need,node=nodejs npm=npm chromium=chromium chromedriver=chromium-driver)

# Debian's Python comes without venv; what such a Python leaves half made is made again.
$(VENV)/.made:
	python3 -m venv --clear $(VENV) || { $(APT) update && $(APT) install -y python3 python3-venv && python3 -m venv --clear $(VENV); }
	@touch $@

$(VENV)/.installed: $(VENV)/.made setup.cfg pyproject.toml
	$(PIP) -e .
	@touch $@

$(VENV)/.tools: $(VENV)/.installed
	$(PIP) -e '.[test]'
	@touch $@

%/node_modules/.installed: %/package-lock.json
	cd $* && $(NPM)
	@touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info js_client/node_modules tests/node/node_modules tests/phantomjs/node_modules tests/legacy/node_modules
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage
