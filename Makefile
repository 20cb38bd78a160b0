# `make run` and `make test` need Python 3.10 to 3.13 and make; they bring the rest.

PYTHON := $(shell for name in python3.12 python3.11 python3.13 python3.10 python3; do \
	$$name -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] < (3, 14))' 2>/dev/null && echo $$name && break; done)

VENV := .venv/bin
STUDIO := .venv-label-studio/bin
STUDIO_ML := .venv-label-studio-ml/bin
JOBS ?= 2
PIP := -m pip install --quiet --disable-pip-version-check

.PHONY: help run test lint types imports unit soak bench clean
.DELETE_ON_ERROR:

help:
	@echo "make run     a demo: Prelabel and a Label Studio with sample projects, connected"
	@echo "make test    everything that must hold: style, types, imports, all tests; JOBS=1 runs one test at a time"
	@echo "make lint    style, types and imports alone"
	@echo "make unit    the tests alone; ARGS='tests/backend -k queue' chooses"
	@echo "make soak    what takes minutes by its nature: workers that nobody watches"
	@echo "make bench   the benchmark of the whole loop, which takes long"
	@echo "make clean   removes the environments and caches; the data in .data stay"

# With LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY set, that Label Studio is used and none is installed.
run: .venv/.installed $(if $(LABEL_STUDIO_URL),,.venv-label-studio/.installed)
	@exec $(VENV)/python -m backend.demo.run --label-studio-python $(STUDIO)/python

test: lint .venv-label-studio/.installed .venv-label-studio-ml/.installed .venv/.system
	$(VENV)/python -m pytest -n $(JOBS) --dist loadfile $(ARGS)

lint: .venv/.installed-tests
	$(VENV)/ruff check .
	$(VENV)/ruff format --check .
	$(VENV)/mypy
	$(VENV)/lint-imports

unit: .venv/.installed-tests
	$(VENV)/python -m pytest $(ARGS)

soak: .venv/.installed-tests .venv-label-studio/.installed
	$(VENV)/python -m pytest -m soak $(ARGS)

bench: .venv/.installed-tests .venv-label-studio/.installed
	$(VENV)/python -m tests.benchmarks.loop

clean:
	rm -rf .venv .venv-label-studio .venv-label-studio-ml build *.egg-info
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

# An environment of `path`, unless there is one.
define environment
	@test -n "$(PYTHON)" || { echo "Found no Python 3.10 to 3.13 on PATH. Install one and try again."; exit 1; }
	@test -x $(1)/bin/python || $(PYTHON) -m venv $(1) || { rm -rf $(1); \
		echo "This Python cannot make environments. On Debian and Ubuntu: apt install python3-venv"; exit 1; }
endef

.venv/.installed: pyproject.toml constraints.txt .ci/install.py
	$(call environment,.venv)
	@.venv/bin/python .ci/install.py detection compiled
	@touch $@

.venv/.installed-tests: .venv/.installed
	@echo "Tools for the tests: about 100 MB to download, less than a minute."
	@$(VENV)/python $(PIP) -c constraints.txt -e '.[test,detection,compiled]'
	@touch $@

.venv-label-studio/.installed: Makefile
	$(call environment,.venv-label-studio)
	@echo "Label Studio 1.23 in an environment of its own: about 300 MB to download, 1 to 5 minutes."
	@$(STUDIO)/python $(PIP) label-studio==1.23.2
	@touch $@

# label-studio-ml 1.0.9 pins old packages, and attr==0.3.1, which overwrites attrs and is left out. torch and the like
# come from our own environment through a .pth file, after the old packages, so that nothing large is there twice.
.venv-label-studio-ml/.installed: Makefile .venv/.installed
	$(call environment,.venv-label-studio-ml)
	@echo "label-studio-ml 1.0.9 in an environment of its own: 10 MB to download, a few seconds."
	@$(STUDIO_ML)/python $(PIP) --no-deps label-studio-ml==1.0.9 label-studio-tools==0.0.4 Flask==1.1.2 Jinja2==3.0.3 \
		Werkzeug==2.0.2 itsdangerous==2.0.1 'MarkupSafe<2.1' appdirs==1.4.4 colorama==0.4.6 lxml requests
	@$(STUDIO_ML)/python -c "import sysconfig as s, pathlib; \
		ours = '$(CURDIR)/.venv' + s.get_path('purelib')[len('$(CURDIR)/.venv-label-studio-ml'):]; \
		pathlib.Path(s.get_path('purelib'), 'prelabel.pth').write_text(f'import site; site.addsitedir({ours!r})\n')"
	@touch $@

.venv/.system: .venv/.installed-tests .ci/system
	@sh .ci/system $(VENV)
	@touch $@
