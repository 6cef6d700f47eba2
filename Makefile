# Two commands matter: `make book` and `make test`. Both need only Python >= 3.11 and make;
# everything else goes into .venv, from requirements.lock.
#
# Every step leaves its product whole or not at all, so an interrupted make is simply run again.
# All paths are relative: the repository may lie anywhere, with or without git.

PYTHON ?= python3
PY := .venv/bin/python

# What affinity and quota leave of the processors.
CORES := $(or $(shell $(PYTHON) -I src/companion/processors.py 2>/dev/null),2)
# Chapters executed side by side. Each takes up to 1.1 GB, so 4 is the most that is asked for.
JOBS ?= $(shell if [ $(CORES) -gt 4 ]; then echo 4; else echo $(CORES); fi)
TEST_JOBS ?= 2

# Chapters side by side share the cores: one thread each.
THREADS := $(if $(filter-out 1,$(JOBS)),OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 NUMEXPR_NUM_THREADS=1)

# What bends Python itself. tools/environment.py has the rest, for what the build starts. (Without
# cached bytecode every start of a kernel or of Sphinx takes ten seconds more.)
unexport PYTHONPATH PYTHONSAFEPATH PYTHONOPTIMIZE PYTHONWARNINGS PYTHONHOME PYTHONSTARTUP \
  PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:
.PHONY: help book measure pdf test test-cluster portable check benchmarks data links lint lock clean distclean venv lowest newest book-alone chapters release binder-check readme

help:
	@echo 'make book        execute the chapters that changed, build the HTML, run the gates'
	@echo 'make pdf         print the built book as one PDF (needs Chromium)'
	@echo 'make measure     of each chapter: length, first picture, code, sideways scroll, letters in figures'
	@echo 'make test        run the tests'
	@echo 'make lint        style, notebooks without outputs, types of the method, who imports whom'
	@echo 'make lowest      test the method and the runs on the lowest versions that pyproject.toml lets in;'
	@echo '                 make newest: on the newest (PYTHON=python3.13: of another Python)'
	@echo 'make test-cluster  run a study on a Ray cluster here, kill a node and the driver (minutes)'
	@echo 'make portable    run the chapters as an older processor would, and compare verdicts with the book'
	@echo 'make check       run the gates alone, anew, on all that is built'
	@echo 'make benchmarks  time the module against plain use of scikit-learn'
	@echo 'make data        download CIFAR-10 and Fashion-MNIST into PATCHINIT_DATA or data/'
	@echo 'make readme      draw the picture that README.md opens with anew, and write its numbers, from results/'
	@echo 'make release     make the book, and its site and patchinit as archives with checksums'
	@echo 'make links       check the links to other sites (needs the network and a built book)'
	@echo 'make lock        resolve requirements.lock anew from pyproject.toml'
	@echo 'make binder-check  let repo2docker read environment.yml (builds no image)'
	@echo 'make clean       remove the built book; make distclean also removes .venv'
	@echo
	@echo 'JOBS=$(JOBS) chapters run side by side; PYTHON=$(PYTHON) makes .venv.'

# --- The environment -------------------------------------------------------------------------

# Stamps lie inside .venv and are written last: half an environment has none and is made again.
venv: .venv/.installed

.venv/.locked: requirements.lock
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed; this is " + sys.version.split()[0] + ". Name another: make PYTHON=python3.12")'
	@echo 'Making .venv from requirements.lock'
	@rm -rf .venv
	@$(PYTHON) -m venv .venv
	@sed -n '/^uv==/,/# via/p' requirements.lock > .venv/uv.txt
	@$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes --requirement .venv/uv.txt
	@$(PY) -m uv pip install $(if $(CI),--quiet) --python $(PY) --require-hashes --requirements requirements.lock
	@touch $@

.venv/.installed: .venv/.locked pyproject.toml
	@$(PY) -m uv pip install --quiet --python $(PY) --no-deps --no-build-isolation --editable .
	@touch $@

lock: .venv/.installed
	$(PY) -m uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --custom-compile-command 'make lock' \
	  --upgrade --quiet --output-file requirements.lock.new
	@if cmp -s requirements.lock.new requirements.lock; then rm requirements.lock.new; \
	else mv requirements.lock.new requirements.lock; fi

# --- The book --------------------------------------------------------------------------------

# A second build in this folder waits for the first.
book: .venv/.installed
	@$(PY) -m tools.alone $(MAKE) --no-print-directory book-alone

book-alone:
	@$(PY) -m tools.gates stored
	@$(MAKE) --no-print-directory chapters
	@$(PY) -m tools.pages
	@$(PY) -m tools.gates

chapters: .venv/.installed
	@$(THREADS) $(PY) -m tools.chapters --jobs $(JOBS)

check: .venv/.installed
	@$(PY) -m tools.gates anew

# On a wide screen and on a phone; another built site: python -m tools.measure SITE.
measure: .venv/.installed
	@$(PY) -m tools.measure

# Where no browser is there, it says so, and `make release` goes without.
pdf: book
	@rm -rf _build/pdf
	@$(PY) -m tools.pdf

links: .venv/.installed
	@$(PY) -m tools.pages --builder linkcheck

data: .venv/.installed
	@$(PY) -m tools.data

# After results were collected.
readme: .venv/.installed
	@$(PY) -m tools.readme

# What a release consists of: patchinit as a wheel, the site, its PDF, and checksums of them. What an
# older build left behind would come along into the wheel.
release: pdf
	@rm -rf _build/release build src/*.egg-info
	@$(PY) -m uv build --wheel --quiet --no-build-isolation --python $(PY) --out-dir _build/release
	@$(PY) -c 'import shutil; shutil.make_archive("_build/release/site", "gztar", "_build/html")'
	@for pdf in _build/pdf/*.pdf; do test ! -f $$pdf || cp $$pdf _build/release; done
	@cd _build/release && sha256sum $$(ls | grep -v SHA256SUMS) > SHA256SUMS && cat SHA256SUMS

# --- Everything else ---------------------------------------------------------------------------

test: .venv/.installed
	@$(PY) -m pytest -n $(TEST_JOBS)

# Seconds: the same that a commit passes through (.pre-commit-config.yaml), and the types.
lint: .venv/.installed
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m nbstripout --verify --keep-id notebooks/*.ipynb
	@$(PY) -m mypy
	@.venv/bin/lint-imports --no-logo

# Each in an environment of its own, without the lock's constraints.
lowest newest: .venv/.locked
	@$(PY) -m uv venv --no-config --quiet --clear --python $(PYTHON) .venv-$@
	@$(PY) -m uv pip install --no-config --python .venv-$@/bin/python --editable '.[ray,companion,test]' \
	  --resolution $(if $(filter lowest,$@),lowest-direct,highest)
	@.venv-$@/bin/python -m pytest -n $(TEST_JOBS) tests/patchinit tests/runs

# The chapters again, as an older processor with one thread would compute them: the same verdicts.
portable: .venv/.installed
	@$(PY) -m tools.portable

# A Ray cluster of several nodes on this machine, one of which is killed, and then the driver.
test-cluster: .venv/.installed
	@PATCHINIT_CLUSTER=1 $(PY) -m pytest tests/runs/test_on_ray.py

# quota.py is not among them: it needs root.
benchmarks: .venv/.installed
	@for command in 'principal_components.py' 'kmeans.py --max-iter 10' 'training.py' 'soak.py'; do \
	  echo "== $$command"; $(PY) benchmarks/$$command || exit 1; done

# repo2docker has an environment of its own: it is no part of the book.
binder-check: .venv/.installed
	@test -x .venv-binder/bin/jupyter-repo2docker || { rm -rf .venv-binder && $(PYTHON) -m venv .venv-binder && \
	  $(PY) -m uv pip install --quiet --python .venv-binder/bin/python jupyter-repo2docker; }
	.venv-binder/bin/jupyter-repo2docker --no-build --debug .

clean:
	rm -rf _build

distclean: clean
	rm -rf .venv .venv-* src/*.egg-info
