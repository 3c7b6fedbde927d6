# Aliases of dev.py, which also runs where there is no make.

PYTHON ?= python3

.PHONY: run test quick check lock

run test check lock:
	$(PYTHON) dev.py $@

quick:
	$(PYTHON) dev.py test quick
