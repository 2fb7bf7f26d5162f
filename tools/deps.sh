#!/bin/sh
# Puts what the tests need besides Go into .deps, in fixed versions: the package
# ws of Node.js, a WebSocket server that hark's authors did not write. Does nothing
# when it is there already.
set -eu
cd "$(dirname "$0")/.."

ws=8.23.0

have=.deps/node_modules/ws/package.json
if command -v node >/dev/null && [ -f "$have" ] && grep -q "\"version\": \"$ws\"" "$have"; then
	exit 0
fi

if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
	if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
		echo "deps: installing Node.js"
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
			apt-get install -y -qq --no-install-recommends nodejs npm >/dev/null || true
	fi
fi
if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
	echo "deps: Node.js or npm is missing: the tests against a foreign WebSocket server will be skipped"
	exit 0
fi

echo "deps: installing ws $ws into .deps"
mkdir -p .deps
npm install --prefix .deps --no-package-lock --no-save --no-audit --no-fund \
	--ignore-scripts --loglevel=error "ws@$ws" >/dev/null
