# Everything a newcomer needs; `make help` lists it. The first target run makes .venv and installs into it.
PYTHON ?= python3
VENV   ?= .venv
CORPUS ?= travel
DATA   ?=
NAME   ?=
GRAMMAR ?= travel
FROM   ?=
SET    ?=
BIN     = $(VENV)/bin

quoted      = '$(subst ','\'',$(1))'
DATA_OPTION = $(if $(DATA),--data $(call quoted,$(DATA)))
RUN_OPTIONS = $(if $(NAME),--name $(call quoted,$(NAME))) $(if $(FROM),--from $(call quoted,$(FROM)))
SETTINGS    = $(foreach setting,$(SET),--set $(call quoted,$(setting)))

.PHONY: help setup recipe-ctc recipe-slots recipe-slots-cells recipe-slots-heads recipe-slots-ablation recipe-domain recipe-understand recipe-memory test test-fast lint docs docs-serve bench clean
.DEFAULT_GOAL := help

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | awk -F'\t' '{printf "make %-21s  %s\n", $$1, $$2}'
	@echo
	@echo "make recipe-ctc CORPUS=an4 DATA=path/to/an4               a real corpus (travel, an4, fsdd, ljspeech, librispeech, manifest)"
	@echo "make recipe-ctc CORPUS=manifest DATA=mine.csv NAME=mine   your own recordings"
	@echo "make recipe-slots CORPUS=conll DATA=mine.conll NAME=mine  your own labelled sentences (travel, atis, snips, conll, jsonl)"

setup: $(VENV)/.installed ## create .venv and install everything, tests and recipes included

$(VENV)/.installed: pyproject.toml constraints.txt
	@echo "== Installing into $(VENV) (torch is large: a few minutes the first time)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || \
		{ echo "No venv: on Debian, apt install python3-venv; Python 3.11 or newer is needed"; exit 1; }
	@$(BIN)/python -m pip install --quiet --upgrade-strategy only-if-needed --constraint constraints.txt \
		--editable '.[train,voices,formats,subwords,values,home-assistant,serve,test,lint]'
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt ttspico 2>/dev/null || \
		echo "== Without the synthesizer Pico, which needs a C compiler to be installed"
	@touch $@

$(VENV)/.voices: $(VENV)/.installed
	@echo "== Fetching more voices of Kokoro (26 MB)"
	@if $(BIN)/sluice voices --fetch --quiet >/dev/null; then touch $@; else echo "== Going on without them"; fi

recipe-ctc: setup ## train and evaluate a recognizer (CORPUS=, DATA=, NAME=, FROM=, SET=)
	@echo "== Training on $(CORPUS); if interrupted, the same command continues where it stopped"
	@$(BIN)/sluice train ctc/$(CORPUS) $(DATA_OPTION) $(RUN_OPTIONS) $(SETTINGS)

recipe-slots: setup ## train and evaluate a slot tagger (CORPUS=, DATA=, NAME=, FROM=, SET=)
	@echo "== Training a tagger on $(CORPUS); if interrupted, the same command continues where it stopped"
	@$(BIN)/sluice train slots/$(CORPUS) $(DATA_OPTION) $(RUN_OPTIONS) $(SETTINGS)

recipe-slots-cells: setup ## compare recurrent cells as slot taggers on ATIS (DATA=, SET=)
	@$(BIN)/python -m recipes.slots.comparison cells $(DATA_OPTION) $(SETTINGS)

recipe-slots-heads: setup ## compare the five heads on ATIS (DATA=, SET=)
	@$(BIN)/python -m recipes.slots.comparison heads $(DATA_OPTION) $(SETTINGS)

recipe-slots-ablation: setup ## measure what each setting of the ATIS recipe does (DATA=, SET=)
	@$(BIN)/python -m recipes.slots.comparison ablation $(DATA_OPTION) $(SETTINGS)

recipe-domain: setup $(VENV)/.voices ## your own domain: one grammar file in, a recognizer of people out (GRAMMAR=, NAME=, SET=)
	@echo "== Training on the sentences of $(GRAMMAR); if interrupted, the same command continues where it stopped"
	@$(BIN)/sluice train domain --grammar $(call quoted,$(GRAMMAR)) $(RUN_OPTIONS) $(SETTINGS)

recipe-understand: GRAMMAR = travel
recipe-understand: NAME = understand-travel
recipe-understand: recipe-domain ## speech to slots: the domain of travel requests (SET=)

recipe-memory: setup ## show how long each recurrent cell remembers, and why (SET=)
	@echo "== Training small networks of every cell; finished ones are kept"
	@$(BIN)/python -m recipes.memory $(SETTINGS)

test: setup ## run all tests, then the slow ones that train
	@echo "== Running the tests (real-corpus tests say so when they skip)"
	@$(BIN)/python -m pytest -n auto --dist worksteal

test-fast: setup ## run the tests that train nothing
	@$(BIN)/python -m pytest -n auto --dist worksteal -m "not slow"

lint: setup ## check style, types, and which package may import which
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports

docs: setup ## build the documentation into build/site; a dead link or a missing name is an error
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[docs]'
	@$(BIN)/python -m docs.generate && $(BIN)/zensical build --strict --clean

docs-serve: docs ## show the documentation at http://localhost:8000, rebuilt at every change
	@$(BIN)/zensical serve

RUN ?=
RUN_BENCHES = transcribe word_times long_form decoding server

bench: setup ## print the tables of benchmarks/ (RUN=: a recognizer for those that need one; SLUICE_CORPORA=: a folder with an4/)
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt pytorch-crf  # what the heads are compared with
	@for name in cells products training heads $(if $(RUN),$(RUN_BENCHES)); do echo "== benchmarks.$$name"; \
		case " $(RUN_BENCHES) " in *" $$name "*) run=$(call quoted,$(RUN));; *) run=;; esac; \
		$(BIN)/python -m benchmarks.$$name $${run:+"$$run"} || exit 1; done

clean: ## remove .venv and prepared corpora; runs stay
	rm -rf $(VENV) cache
