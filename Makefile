# SPDX-License-Identifier: Apache-2.0
# Every verb a person types. Plain `make` lists them and builds nothing; the work is done by the Python modules under
# src/. A line `verb: ## text` is the verb's help.

# The interpreter that runs the build and that `check` and `install` are for. A distribution's build names its own.
PYTHON ?= $(firstword $(foreach name,python3 /usr/libexec/platform-python python2.7 python2,$(shell command -v $(name) 2>/dev/null)))
FLAVOUR ?= bundled
DESTDIR ?=

# One verb each; src/toolkit/releases.json tells what they are (a test compares).
releases = el7 el8 el9 el10 ubuntu-14.04 ubuntu-16.04 ubuntu-18.04 ubuntu-20.04 ubuntu-22.04 ubuntu-24.04 ubuntu-26.04 debian-11 debian-12 debian-13

export PYTHON
run = PYTHONPATH=src PYTHONDONTWRITEBYTECODE=1 $(PYTHON) -m

.DEFAULT_GOAL := help
.PHONY: help deps build portable check install install-module install-hook install-command demo test conformance pip-matrix pip-matrix-full refcounts lint audit bench deb rpm repo dsc stdeb pbuilder debian-checks life-cycle matrix control clean

help: ## list the verbs
	@echo "usage: make VERB [VARIABLE=value ...]"
	@sed -n 's/^\([a-z0-9.-]*\):.*## \(.*\)/  \1\t\2/p' $(MAKEFILE_LIST) | sort | expand -t 20
	@echo "variables: PYTHON PYTHON3 PYTHON2 FLAVOUR=bundled|system ARCH PREBUILT=DIR CC CFLAGS CPPFLAGS LDFLAGS"
	@echo "           DESTDIR SITEDIR CACHE OPENSSL_TARBALL=FILE JOBS WERROR=1 V=1   (README.md explains them)"

deps: ## install what the build, the tests and the demo need (root; tells what it installs)
	@$(run) toolkit.deps

build: ## compile into build/py3 and build/py2 (FLAVOUR=system: build/system/…)
	@$(run) core.build --flavour $(FLAVOUR)

portable: ## compile for glibc 2.17 into build/portable/x86_64 and build/portable/aarch64, or for ARCH= alone
	@$(run) toolkit.portable $(if $(ARCH),--arch $(ARCH))

check: ## a TLS 1.3 handshake with the built tree, under PYTHON
	@$(run) core.selfcheck --flavour $(FLAVOUR)

install: install-module install-hook install-command ## install all three parts for PYTHON below DESTDIR

install-module: ## install _tls_bootstrap for PYTHON (SITEDIR overrides where)
	@$(run) core.install module --flavour $(FLAVOUR) --destdir "$(DESTDIR)" --sitedir "$(SITEDIR)"

install-hook: ## install the opt-in pip hook beside it
	@$(run) core.install hook --destdir "$(DESTDIR)" --sitedir "$(SITEDIR)"

install-command: ## install the tls-bootstrap command and its man pages
	@$(run) core.install command --destdir "$(DESTDIR)"

demo: deps ## the main job end to end in throw-away roots: packages, repositories, apt, dnf, pip, removal (root)
	@$(run) toolkit.builds portable
	@$(run) toolkit.demo

test: ## build, and the tests on every interpreter found; LONG=1 adds what CI alone waits for
	@$(run) toolkit.test

conformance: ## the interpreters' own TLS tests with _tls_bootstrap in the place of ssl, every exception named
	@$(run) toolkit.builds $(if $(filter system,$(FLAVOUR)),system,build)
	@$(run) toolkit.conformance --flavour $(FLAVOUR)

pip-matrix: ## every pip of the release matrix, by hook and runner, with the evidence (build/pip-matrix; root for Debian's own)
	@$(run) toolkit.builds build portable
	@$(run) toolkit.pip_matrix

pip-matrix-full: ## every operation with every pip, in both ways (takes long)
	@$(run) toolkit.builds build portable
	@$(run) toolkit.pip_matrix --full

refcounts: ## the unit suite again and again under a debug build of Python: references must not grow
	@$(run) toolkit.refcounts

lint: ## ruff and vermin on the Python, clang-format and compiler warnings as errors on the C, rpmlint on the specs
	@$(run) toolkit.lint

audit: ## measure what the builds promise (build/audit/*.json); AUDIT="--only GATE,... --builds BUILD,..." for a part
	@$(run) toolkit.audit $(AUDIT)

deb: ## the Debian packages of all releases, or of RELEASE=, from the portable binaries, in dist/deb
	@$(run) toolkit.publish deb --release "$(RELEASE)"

rpm: ## the RPMs of all releases, or of RELEASE=, from the portable binaries, in dist/rpm (root)
	@$(run) toolkit.publish rpm --release "$(RELEASE)"

repo: ## signed apt and yum repositories of all releases and architectures in dist/repo; RELEASE= one anew, the others stay (root)
	@$(run) toolkit.publish repo --release "$(RELEASE)"

dsc: ## a Debian source package in dist/dsc (RELEASE=, FLAVOUR=bundled|system)
	@$(run) toolkit.packages_debian --release "$(RELEASE)" --flavour $(FLAVOUR)

stdeb: ## the quick door: sdist with OpenSSL, then a .deb by stdeb, in dist/stdeb
	@$(run) toolkit.packages_stdeb

pbuilder: ## a release's packages from source in a clean root without network, in dist/pbuilder (RELEASE=, FLAVOUR=; root)
	@$(run) toolkit.packages_clean --release "$(or $(RELEASE),debian-12)" --flavour $(FLAVOUR)

debian-checks: ## lintian, autopkgtest and piuparts of a release on what make pbuilder left (RELEASE=, FLAVOUR=; root)
	@$(run) toolkit.debian_checks --release "$(or $(RELEASE),debian-12)" --flavour $(FLAVOUR)

life-cycle: repo ## installation to removal of every release's packages on real managers: kills, full disks, hand-over (root)
	@$(run) toolkit.life_cycle $(LIFE_CYCLE)

mock-%:
	@$(run) toolkit.releases_mock $* $(if $(ARCH),--arch $(ARCH))

el%:
	@$(MAKE) --no-print-directory rpm RELEASE=$@

ubuntu-% debian-%:
	@$(MAKE) --no-print-directory deb RELEASE=$@

matrix: ## the releases, their Pythons, tools and support dates (README=1 writes README.md's table)
	@$(run) toolkit.releases $(if $(README),--readme)

control: ## write debian/control and the spec's stacks anew from the release matrix
	@$(run) toolkit.packages

bench: ## speed and memory against raw C, ssl and pyOpenSSL (build/bench/); BENCH=quick: under 3 minutes
	@$(run) toolkit.bench $(patsubst quick,--quick,$(BENCH))

clean: ## remove build/ and dist/ (the cache stays)
	rm -rf build dist
