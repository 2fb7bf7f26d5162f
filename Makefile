# make           builds ./hark
# make test      lint, then all tests; says what it installs for them, and what was skipped
# make lint      the checks that need no running program, on other systems' builds too
# make lint-shell  shellcheck and actionlint
# make bench     compares hark with other clients in one table, bench/RESULTS.md
# make microbench  go test -bench
# make fuzz      each fuzz target for FUZZTIME
# make mutants   makes mistakes in the program, lists those that no test notices
# make autobahn  all cases of the Autobahn test suite, ten minutes
# make soak      all services under random faults for an hour, kill -9 thousands of times
# make test-release  what "make dist" makes, for one system; builds GoReleaser first
# make dist      binaries, archives and packages of a release, into dist
# make demo-repl a session at the prompt, in tmux
# make recording the picture of a terminal in the README
# make install   binary, manual and completions below DESTDIR and PREFIX

GO       = go
PREFIX   = /usr/local
DESTDIR  =
FUZZTIME = 1m
SOAKTIME = 20s
# A package that takes longer does not end at all.
TESTTIME = 15m

# The modules of the tools.
MODULES = tools/crosscheck tools/release tools/mutants tools/recording tools/testrun

# Parts of the command line library that hark has no use for.
TAGS = urfave_cli_no_docs,urfave_cli_no_suggest

BIN   = $(DESTDIR)$(PREFIX)/bin
SHARE = $(DESTDIR)$(PREFIX)/share

.PHONY: build install test lint lint-shell deps bench microbench demo-repl recording fuzz mutants autobahn soak test-release dist clean

build:
	$(GO) build -trimpath -tags $(TAGS) -o hark .

install: build
	install -d $(BIN)
	install -m 755 hark $(BIN)/hark
	@# The manual and the completions, as far as there are any.
	@put() { if [ -f "$$1" ]; then echo install "$$1" "$$2"; install -d "$${2%/*}"; install -m 644 "$$1" "$$2"; fi; }; \
	put man/hark.1 $(SHARE)/man/man1/hark.1; \
	put completions/hark.bash $(SHARE)/bash-completion/completions/hark; \
	put completions/hark.zsh $(SHARE)/zsh/site-functions/_hark; \
	put completions/hark.fish $(SHARE)/fish/vendor_completions.d/hark.fish

# What was skipped, and why, is listed at the end; with HARK_TEST_STRICT=1 in the
# environment that is a failure.
test: deps lint lint-shell
	HARK_SOAK=$(SOAKTIME) $(GO) run -C tools/testrun . -root ../.. -may-skip '^(pwsh |make test-release )' \
		-test '-race -timeout=$(TESTTIME)' $(MODULES) .

lint:
	@for module in $(MODULES); do (cd $$module && $(GO) vet .) || exit 1; done
	@files=$$(gofmt -l $$($(GO) list -f '{{.Dir}}/*.go' ./...)); \
	if [ -n "$$files" ]; then echo "run gofmt -w on:"; echo "$$files"; exit 1; fi
	$(GO) vet ./...
	$(GO) mod tidy -diff
	$(GO) fix -diff ./...
	$(GO) tool -modfile=tools/go.mod staticcheck ./...
	cd tools/crosscheck && $(GO) run . -root ../.. darwin windows freebsd
	cd tools/mutants && $(GO) run . -root ../.. -check *.txt
	@if command -v mandoc >/dev/null; then echo mandoc; mandoc -T lint man/hark.1; \
	else echo "lint: mandoc is not installed, the manual was not checked"; fi

# Shell scripts and workflows, with the programs of "make deps".
lint-shell:
	@if command -v shellcheck >/dev/null; then \
		shellcheck $$(git ls-files '*.sh' .ci/run completions/hark.bash); \
	else echo "lint-shell: shellcheck is missing: run make deps"; fi
	$(GO) tool -modfile=tools/go.mod actionlint .github/workflows/*.yml examples/ci/github-actions.yml

deps:
	@tools/deps.sh

bench: build
	bench/peers.sh
	$(GO) run ./bench -o bench/RESULTS.md

microbench:
	$(GO) test -run='^$$' -bench=. -benchmem ./...

demo-repl: build
	@tools/demo-repl.sh

recording: build
	cd tools/recording && $(GO) run .

# The go command fuzzes one target at a time.
fuzz:
	@for package in $$($(GO) list ./...); do \
		for target in $$($(GO) test -list '^Fuzz' $$package | grep '^Fuzz'); do \
			echo "$$package $$target"; \
			$(GO) test -run='^$$' -fuzz="^$$target\$$" -fuzztime=$(FUZZTIME) $$package || exit 1; \
		done; \
	done

# Two minutes on two cores. "make mutants MUTANTS=queue" tests only those that are
# described so, or are in such a file.
mutants:
	cd tools/mutants && $(GO) run . -root ../.. -run '$(MUTANTS)' *.txt

autobahn: deps
	AUTOBAHN_CASES='*' $(GO) test -timeout=1h -run='TestAutobahn$$' -v ./proto

soak:
	HARK_KILLS=200 $(GO) test -timeout=1h -run='TestKills$$' -v ./commands
	HARK_SOAK=1h $(GO) test -race -timeout=4h -parallel=3 -run=TestSoak -v ./proto

test-release:
	cd tools/release && HARK_TEST_RELEASE=1 $(GO) test -count=1 -timeout=30m .

# GoReleaser asks git for the address of the repository, which a clone of a clone does
# not have.
dist:
	GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=remote.origin.url GIT_CONFIG_VALUE_0=https://github.com/hark-cli/hark.git \
	$(GO) tool -modfile=tools/release/go.mod goreleaser release --snapshot --clean

clean:
	rm -rf hark .deps dist
