#!/bin/sh
# Gets the programs that hark is measured against: websocat and jaq with cargo and
# wscat with npm into .deps, in fixed versions; jq and uwsc as packages of Debian, which
# takes root. Does nothing for what is there already, and says what cannot be installed.
set -eu
cd "$(dirname "$0")/.."

websocat=1.14.1
jaq=3.1.2
wscat=6.1.0

missing() { echo "bench: $1 cannot be installed: $2"; }

mkdir -p .deps
# build NAME VERSION [OPTIONS]: a program of crates.io.
build() {
	name=$1 version=$2
	shift 2
	if [ -x ".deps/cargo/bin/$name" ] && [ "$(".deps/cargo/bin/$name" --version)" = "$name $version" ]; then
		return
	fi
	if command -v cargo >/dev/null; then
		echo "bench: building $name $version into .deps"
		cargo install "$name" --version "$version" --locked --root .deps/cargo --quiet "$@" ||
			missing "$name" "cargo install has failed"
	else
		missing "$name" "there is no cargo"
	fi
}
build websocat $websocat --features ssl
build jaq $jaq

have=.deps/node_modules/wscat/package.json
if [ ! -f "$have" ] || ! grep -q "\"version\": \"$wscat\"" "$have"; then
	if command -v npm >/dev/null; then
		echo "bench: installing wscat $wscat into .deps"
		npm install --prefix .deps --no-package-lock --no-save --no-audit --no-fund \
			--ignore-scripts --loglevel=error "wscat@$wscat" >/dev/null ||
			missing wscat "npm install has failed"
	else
		missing wscat "there is no npm"
	fi
fi

for package in jq uwsc; do
	command -v $package >/dev/null && continue
	if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
		echo "bench: installing $package"
		{ apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
			apt-get install -y -qq --no-install-recommends $package >/dev/null; } ||
			missing $package "apt-get install has failed"
	else
		missing $package "it takes apt-get and root"
	fi
done
