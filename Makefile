# SPDX-License-Identifier: GPL-2.0-only
#
# The user's targets. kbuild itself reads Kbuild.
#
#	KERNEL=7.X.Y+deb13-amd64   another kernel of the Debian archive
#	FLAVOUR=rt                 another flavour of the default one
#	KDIR=/path                 a prepared kernel tree, with the tools of this system
#	MODULE=tun                 (un)install the module that takes the in-tree driver's place
#	SIGN_KEY= SIGN_CERT=       files to sign what is installed with, for Secure Boot
#	TESTS=ioctl                only the test programs that match this expression
#	TEST_LIMIT=3000            seconds after which a program is ended
#	BENCH='write-64|gso'       only the cases that match this expression
#	MODE=wall ROUNDS=5         what to measure by, and how often
#	CASE=write-64              the case to profile
#	FUZZ_TIME=60 FUZZ_SEED=1   how long to fuzz, in seconds, and which run to repeat
#	RTUN_PARAMS=max_queues=8   parameters with which the guest loads the module
#	MIRROR=http://...          the Debian archive to make the root from

# What is installed is for the running kernel, unless somebody said which.
install uninstall: export RELEASE := $(KERNEL)

# Prepare notes which kernel it takes if the archive has the first one no more.
first   := $(file < selftests/vm/kernel)
FLAVOUR ?=
KERNEL  ?= $(or $(file < build/instead-of-$(first)),$(first))$(addprefix -,$(FLAVOUR))-amd64
KDIR    ?=
TESTS   ?=
BENCH   ?=
MODE    ?= icount
ROUNDS  ?= 5
CASE    ?= write-64
export FLAVOUR KERNEL KDIR TESTS BENCH MODE ROUNDS CASE
# Not empty if nobody said which kernel.
export ANY_KERNEL := $(filter file,$(origin KERNEL))

vm      := selftests/vm
tests    = build/selftests-$(KERNEL)
in_tests = $(vm)/enter make -s -C selftests OUTPUT=../$(tests) KSRC=../build/linux-$(KERNEL)
ifneq ($(KDIR),)
kbuild   = $(vm)/kbuild $(KDIR)
kbuild_drop_in = MODULE=tun $(kbuild)
else
kbuild   = $(vm)/enter $(vm)/kbuild build/linux-$(KERNEL)
kbuild_drop_in = $(vm)/enter env MODULE=tun $(vm)/kbuild build/linux-$(KERNEL)
ready   := prepare
endif

.DELETE_ON_ERROR:
.PHONY: modules drop-in demo test test-debug test-clients test-upstream fuzz coverage \
	bench bench-profile bench-plot test-install selftests samples install uninstall clean fmt clippy \
	doc lint shell prepare help

modules: $(ready) ## build rtun.ko (the default)
	@$(kbuild) modules

demo: prepare modules samples ## boot a guest and show traffic over several queues
	@$(vm)/boot --name demo --timeout 600 -- $(vm)/demo

test: prepare modules drop-in selftests samples ## boot a guest and run the tests in it
	@$(vm)/test

test-debug: ## run the tests on a debug kernel: KASAN, lockdep, kmemleak and more
	@$(MAKE) --no-print-directory test KERNEL=$(subst -debug,,$(KERNEL:-amd64=))-debug-amd64

test-clients: export CLIENTS := 1
test-clients: prepare modules drop-in samples ## let OpenVPN, DPDK and others use the driver in a guest
	@$(vm)/clients

test-upstream: prepare drop-in ## run the kernel's own tests of tun, with tun and with rtun as tun.ko
	@$(vm)/upstream

test-install: export CLIENTS := 1
test-install: prepare ## install both modules with make and dkms, in a copy of the root
	@$(vm)/enter $(vm)/install

fuzz: prepare modules selftests ## throw random calls at the module for FUZZ_TIME seconds (60)
	@$(vm)/fuzz

coverage: export COVERAGE := 1
coverage: test ## run the tests and list the lines of the driver that none ran

bench: prepare modules drop-in ## measure BENCH's cases on both drivers, MODE=icount or wall
	@$(vm)/bench

bench-profile: prepare modules ## show where the instructions of a case go: CASE=write-64
	@$(vm)/bench profile

bench-plot: prepare ## draw what was measured, in Documentation/performance
	@$(vm)/bench plot

drop-in: $(ready) ## build tun.ko, which takes the in-tree driver's place
	@$(kbuild_drop_in) modules

install: ## install rtun.ko (MODULE=tun: tun.ko) for the running kernel, KERNEL or KDIR's
	@$(vm)/module install

uninstall: ## remove it again
	@$(vm)/module uninstall

clean: ## remove build/ and all in it
	@rm -rf --one-file-system build

fmt: prepare ## format the Rust files
	@$(vm)/lint fmt

clippy: $(ready) ## run clippy with the kernel's flags
	@KDIR=$(KDIR) $(vm)/lint clippy

doc: modules ## make the Rust documentation in build/doc
	@$(if $(KDIR),$(vm)/doc $(shell cat $(KDIR)/include/config/kernel.release),$(vm)/enter $(vm)/doc $(KERNEL))

lint: prepare ## run every linter: rustfmt, clippy, shellcheck, checkpatch, interface
	@$(vm)/lint all

shell: prepare modules samples ## open a shell in a guest with the module loaded
	@$(vm)/boot --name shell --shell

prepare: # the managed root and kernel tree
	@$(vm)/prepare

# The test programs, and what they need beside them, in build/selftests-*/run.
selftests: prepare
	@$(in_tests) INSTALL_PATH=../$(tests)/run all install
	@$(in_tests) COLLECTION=rtun emit_tests >$(tests)/run/tests.list

samples: prepare # the sample programs
	@$(vm)/enter make -s -C samples OUTPUT=../build/samples-$(KERNEL)

help: ## list the targets, and what can be said with them
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' Makefile | expand -t 22
	@printf '\nand after a target, for instance:\n\n'
	@sed -nE '/^$$/q; s/^#\t/  /p' Makefile
