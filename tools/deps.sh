#!/bin/sh
# Puts what the tests need besides Go into .deps, in fixed versions, and on Debian,
# as root, installs what comes from its packages. Does nothing when it is there
# already. What cannot be had is said, and the tests that need it are skipped.
set -eu
cd "$(dirname "$0")/.."
mkdir -p .deps

# debian COMMAND PACKAGE WHAT: a command from a Debian package.
updated=
debian() {
	if command -v "$1" >/dev/null; then
		return
	fi
	if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
		echo "deps: installing $2"
		if [ -z "$updated" ]; then
			apt-get update -qq >/dev/null 2>&1 || true
			updated=1
		fi
		# shellcheck disable=SC2086 # several packages
		DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $2 >/dev/null 2>&1 || true
	fi
	if ! command -v "$1" >/dev/null; then
		echo "deps: $1 is missing: $3 will be skipped"
	fi
}

# npm_package NAME VERSION: a package of Node.js, into .deps/node_modules. When one
# is missing all are installed: npm removes what it is not told of.
node_packages=
node_missing=
npm_package() {
	node_packages="$node_packages $1@$2"
	have=.deps/node_modules/$1/package.json
	if ! [ -f "$have" ] || ! grep -q "\"version\": \"$2\"" "$have"; then
		node_missing=1
	fi
}

debian node 'nodejs npm' 'the tests against a foreign WebSocket server'
debian mandoc mandoc 'the check of the manual'
debian curl curl 'the examples with a webhook'
debian sqlite3 sqlite3 'the example with SQLite'
debian kcat kcat 'the example with Kafka'
debian systemd-analyze systemd 'the check of the systemd unit'
debian shellcheck shellcheck 'the check of the shell scripts'
debian man man-db 'the examples that show the manual'
debian xmllint libxml2-utils 'the check of JUnit reports against their schema'
debian zsh zsh 'the completion test in zsh'
debian fish fish 'the completion test in fish'

debian nginx nginx-light 'the tests behind nginx'
debian tinyproxy tinyproxy 'the tests through an HTTP proxy'
debian stunnel stunnel4 'the tests through an HTTPS proxy'
debian secret-tool 'libsecret-tools gnome-keyring dbus' 'the tests with a keyring'
debian microsocks microsocks 'the tests through a SOCKS proxy'

# python_package NAME VERSION: a package of Python, into .deps/python.
python_package() {
	if [ -d ".deps/python/$1-$2.dist-info" ]; then
		return
	fi
	if python3 -m pip --version >/dev/null 2>&1; then
		echo "deps: installing $1 $2 into .deps"
		rm -rf .deps/python
		python3 -m pip install --quiet --disable-pip-version-check --no-compile --target .deps/python "$1==$2" || true
	fi
	if [ ! -d ".deps/python/$1-$2.dist-info" ]; then
		echo "deps: Python or its package $1 is missing: the tests against that server will be skipped"
	fi
}

python_package websockets 15.0.1

npm_package ws 8.23.0
npm_package doshii-partner-node-sdk 7.0.2
npm_package wscat 6.1.0

if [ -n "$node_missing" ] && command -v npm >/dev/null; then
	echo "deps: installing$node_packages into .deps"
	# shellcheck disable=SC2086 # several packages
	npm install --prefix .deps --no-package-lock --no-save --no-audit --no-fund \
		--ignore-scripts --loglevel=error $node_packages >/dev/null
fi

tools/autobahn.sh
